"""How a run ends when the input is at fault: one clear message and a non-zero exit, no stack trace."""

import functools
import sys
from collections.abc import Callable

PREEMPTED = 75
"""Exit status of a run that was asked to end, has saved, and wants to be started again (EX_TEMPFAIL of sysexits.h)."""
STALLED = 70
"""Exit status of a run that ended because a rank made no progress."""


class InputError(ValueError):
    """Something the user gave is wrong. The message says what was found, what was expected and what to do."""


class Preempted(Exception):
    """The run was asked to end and has saved where it stands."""


def refuse_unless(condition: bool, key: str, value: object, allowed: str) -> None:
    """Raise a ValueError that names a setting's key, its value and what is allowed, unless the condition holds."""
    if not condition:
        raise ValueError(f"{key} is {value!r}; allowed: {allowed}")


def entry_point(main: Callable[[], None]) -> Callable[[], None]:
    """Wrap a script's main: an InputError becomes one message on stderr and exit status 2, pre-emption one
    and `PREEMPTED`."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except InputError as error:
            sys.stdout.flush()
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(2)
        except Preempted as stop:
            sys.stdout.flush()
            print(f"pre-empted: {stop}; the same command goes on from here", file=sys.stderr, flush=True)
            sys.exit(PREEMPTED)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr, flush=True)
            sys.exit(130)

    return run
