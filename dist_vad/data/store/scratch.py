"""Scratch folders that outlive no process: those of killed ones are removed by the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dist_vad.base.errors import InputError

SCRATCH = "dist_vad-scratch-"
"""How the names of scratch folders begin."""


@contextlib.contextmanager
def scratch_folder(scratch: Path | None) -> Iterator[Path]:
    """An empty folder that is removed in the end, in `scratch` (None = where the system has its temporary files).

    What killed processes left there is removed too: a process holds a lock on its folder, which ends with it.
    """
    parent = scratch or Path(tempfile.gettempdir())
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{SCRATCH}*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > 60:  # a new one may not be locked yet
                    with _locked(left):
                        shutil.rmtree(left)
        temporary = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=parent)
    except OSError as error:
        raise InputError(f"no scratch folder can be made: {error}; choose another one with --scratch") from error
    with temporary as folder, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a file system without locks: then nobody else can lock and remove it
            stack.enter_context(_locked(Path(folder)))
        yield Path(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder. Raises BlockingIOError where another process holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
