"""Run an entry point that kills itself, without a warning, at a chosen moment: killed_at.py MOMENT SCRIPT ARGUMENTS...

MOMENT: `save:N` as the N-th checkpoint is about to be written; `bytes:N:SHARE` when that share of its tensors' file is
written; `marker:N` between its tensors and its marker; `state` within the folder of a finished stage's state, before
its marker; `handed` when the state is there and the checkpoints are not yet removed; `never`.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

from dist_vad.base import files as storage
from dist_vad.curriculum import state
from dist_vad.data.store import LocalStore
from dist_vad.training import checkpoint


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_the_nth(number: int, action, original):
    """`original`, but its `number`-th call does `action` with the same arguments first."""
    calls = iter(range(1, 1 << 30))

    def replaced(*arguments, **options):
        if next(calls) == number:
            action(*arguments, **options)
        return original(*arguments, **options)

    return replaced


def cut(share: float):
    """Write a share of a file under its temporary name, as far as the disk, and die."""

    def action(path: Path, content: bytes) -> None:
        with storage.atomic_file(path) as file:
            file.write(content[: int(share * len(content))])
            file.flush()
            os.fsync(file.fileno())
            die()

    return action


def when(ending: str, original, replaced):
    """A LocalStore.put that calls `replaced` for files whose names end so."""

    def put(self: LocalStore, name: str, content: bytes) -> None:
        (replaced if name.endswith(ending) else original)(self.folder / name, content)

    return put


moment, script, *rest = sys.argv[1:]
kind, *values = moment.split(":")
if kind == "save":
    checkpoint.Checkpoints._write = at_the_nth(int(values[0]), lambda *_: die(), checkpoint.Checkpoints._write)
elif kind == "bytes":
    writing = at_the_nth(int(values[0]), cut(float(values[1])), storage.write_bytes)
    LocalStore.put = when(checkpoint.TENSORS, storage.write_bytes, writing)
elif kind == "marker":
    writing = at_the_nth(int(values[0]), lambda *_: die(), storage.write_bytes)
    LocalStore.put = when(checkpoint.CHECKPOINT, storage.write_bytes, writing)
elif kind == "state":
    state.write_sealed = at_the_nth(1, lambda *_: die(), state.write_sealed)
elif kind == "handed":
    checkpoint.Checkpoints.clear = at_the_nth(1, lambda *_: die(), checkpoint.Checkpoints.clear)
else:
    assert kind == "never", moment
sys.argv = [script, *rest]
runpy.run_path(script, run_name="__main__")
