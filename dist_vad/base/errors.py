"""How a run ends that cannot go on: one clear message and an exit status that says whose turn it is, no stack trace.

2    `InputError`: settings, data or files that the user gave; the same command would end in the same way
69   `Unavailable`: a full disk, a bucket that does not answer, a killed process; the same command goes on later
70   a rank made no progress; the same command goes on
71   another rank was lost, which says itself why; the same command goes on
75   `Preempted`: the run was asked to end, and has saved; the same command goes on
"""

import contextlib
import errno
import functools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dist_vad.base.text.redact import redacted

UNAVAILABLE = 69
"""Exit status of a run that lacked something outside of it (EX_UNAVAILABLE of sysexits.h)."""
PREEMPTED = 75
"""Exit status of a run that was asked to end, has saved, and wants to be started again (EX_TEMPFAIL of sysexits.h)."""
STALLED = 70
"""Exit status of a run that ended because a rank made no progress."""
LOST = 71
"""Exit status of a rank whose connection to another one broke (EX_OSERR of sysexits.h)."""
LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
"""What gloo and NCCL say then."""

AGAIN = "start the same command again, what is complete is kept"
FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of the disk is used up"}
GIVEN = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST,
    errno.ENOTEMPTY, errno.EXDEV, errno.EILSEQ,
}  # fmt: skip
"""Errors of the system that are the same at every start: a path that was given does not fit what is there."""


LINK_LOOP = "Symlink loop"
"""How pathlib's message begins where links lead back to themselves: before Python 3.13 it is no OSError."""


class InputError(ValueError):
    """Something the user gave is wrong. The message says what was found, what was expected and what to do."""


class UsageError(InputError):
    """A command line is wrong: every rank finds the same, and one says it."""


class Damaged(InputError):
    """A file does not read, or is not as it was written. The message names it."""


class Unavailable(Exception):
    """Something outside of the run is down, full or gone; the same command may succeed later."""


class Preempted(Exception):
    """The run was asked to end and has saved where it stands."""


def refuse_unless(condition: bool, key: str, value: object, allowed: str) -> None:
    """Raise an InputError that names a setting's key, its value and what is allowed, unless the condition holds."""
    if not condition:
        raise InputError(f"{key} is {value!r}; allowed: {allowed}")


def explained(error: OSError, doing: str = "") -> InputError | Unavailable:
    """What to raise or to say for an error of the system: what failed, where, why, and what to do.

    Args:
        doing: such as `while writing runs/demo/run.json`; without it, the file that the error names.
    """
    place = doing or (f"at {error.filename}" if error.filename else "")
    cause = f"{FULL.get(error.errno or 0) or error.strerror or error} {place}".strip()
    if error.errno in GIVEN:
        return InputError(f"{cause}; give another path, or mend what is there")
    if error.errno in FULL:
        return Unavailable(f"{cause}{_space(error)}; make room and {AGAIN}")
    return Unavailable(f"{cause} (error {error.errno} of the system); see that disk and network are well, and {AGAIN}")


def _space(error: OSError) -> str:
    """How much is free where an error happened, as far as that can be told."""
    for folder in Path(os.fsdecode(error.filename or ".")).absolute().parents:
        try:
            return f", {shutil.disk_usage(folder).free / 2**20:.0f} MiB are free"
        except OSError:
            continue
    return ""


def entry_point(main: Callable[[], None]) -> Callable[[], None]:
    """Wrap a script's main: what is no fault of the program becomes one message on stderr and an exit status.

    What all ranks would say alike, the first one says.
    """
    first = os.environ.get("RANK", "0") == "0"

    @functools.wraps(main)
    def run() -> None:
        # A name that is no text of this system's encoding can be printed all the same.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
        _more_descriptors()
        try:
            main()
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read our output has seen enough, as `head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except InputError as error:
            if isinstance(error, UsageError) and not first:
                _let_the_first_rank_speak()
            _end(2, f"error: {error}")
        except Unavailable as error:
            _end(UNAVAILABLE, f"error: {error}")
        except OSError as error:
            told = explained(error)
            _end(2 if isinstance(told, InputError) else UNAVAILABLE, f"error: {told}")
        except RuntimeError as error:
            if str(error).startswith(LINK_LOOP):
                _end(2, f"error: {explained(OSError(errno.ELOOP, str(error)))}")
            if "RANK" not in os.environ or not any(words in str(error) for words in LOST_PEER):
                raise
            _end(LOST, f"rank {os.environ['RANK']} lost its connection to another rank, and ends too")
        except MemoryError as error:
            _end(UNAVAILABLE, f"error: memory is short ({error or 'no more is given'}); free some, and {AGAIN}")
        except Preempted as stop:
            _end(PREEMPTED, f"pre-empted: {stop}; the same command goes on from here" if first else "")
        except KeyboardInterrupt:
            _end(130, "interrupted; the same command goes on from here" if first else "")

    return run


def _let_the_first_rank_speak(seconds: float = 20.0) -> None:
    """Wait for the end by the launcher, which ends all ranks as soon as one has ended.

    So the first rank says for all what is wrong. If nobody has ended this rank by then, the fault is its own to tell.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(seconds)


def _more_descriptors() -> None:
    """Let the process open as many files as it may: shells often allow 1024 where the system allows many more."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def _end(status: int, message: str) -> None:
    with contextlib.suppress(OSError):  # the disk on which stdout lies may be the one that is full
        sys.stdout.flush()
    if message:
        print(redacted(message), file=sys.stderr, flush=True)
    sys.exit(status)
