"""One process group trains a stage in a folder at a time: two would write over each other's checkpoints."""

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from dist_vad.base.errors import Unavailable

LOCKS = "locks"
"""In a run's folder: a file for each stage, held while it is trained. It ends with its process, whatever ends that."""
PATIENCE = 20.0
"""Seconds for which the end of another process is waited for: one that was asked to end may still be saving."""
WITHOUT_LOCKS = (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL)
"""What file systems answer that have no locks: then nobody can be held off."""


@contextlib.contextmanager
def stage_lock(run: Path, stage: str, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock on a stage of a run, by the name of its folder. Raises Unavailable where another process has it."""
    path = run / LOCKS / f"{stage}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        end = time.monotonic() + patience
        while not _taken(file.fileno()):
            if time.monotonic() > end:
                file.seek(0)
                owner = file.read().strip() or "another process"
                raise Unavailable(
                    f"{owner} trains the stage {stage} in {run}; wait for its end, end it, or choose another --run"
                )
            time.sleep(min(0.5, patience / 4))
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            return True
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
