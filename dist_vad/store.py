"""Where a shard set lies: a folder of this machine, or a prefix of an S3 bucket.

Names are relative to the store, with `/` between their parts. What is put appears whole or not at all.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from dist_vad.errors import InputError
from dist_vad.storage import atomic_file, write_bytes

S3 = "s3://"
SCRATCH = "dist_vad-scratch-"
"""How the names of scratch folders begin."""


class Store(ABC):
    """What the producer and the checks ask of a place for files."""

    @abstractmethod
    def where(self, name: str = "") -> str:
        """The full name of a file, or of the store itself, as a user would type it."""

    @property
    def name(self) -> str:
        """The last part of where the store lies."""
        return self.where().rstrip("/").rpartition("/")[2]

    @abstractmethod
    def child(self, name: str) -> "Store":
        """The store of a folder within this one; itself for the empty name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A whole file. Raises FileNotFoundError where it is not there."""

    @abstractmethod
    def fetch(self, name: str, path: Path, size: int) -> None:
        """Copy a file of `size` bytes to a local one; what lies there already is taken to be its beginning.

        Raises FileNotFoundError where it is not there.
        """

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of a file; None where it is not there."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of every file of the store by name, those in folders within it too, sorted by name."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write a file, in place of one of that name."""

    @abstractmethod
    def put_file(self, name: str, path: Path) -> None:
        """Write a copy of a local file; nothing to do where `path` is that very file of the store."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def staging(self, scratch: Path | None) -> contextlib.AbstractContextManager[Path]:
        """A local folder to make files in for `put_file`: the store's own where it is local, else one that is removed
        in the end, in `scratch` (None = where the system has its temporary files)."""


class LocalStore(Store):
    """A folder of this machine. It need not exist before something is put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def where(self, name: str = "") -> str:
        return str(self.folder / name)

    def child(self, name: str) -> "LocalStore":
        return LocalStore(self.folder / name)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def fetch(self, name: str, path: Path, size: int) -> None:
        shutil.copyfile(self.folder / name, path)

    def size(self, name: str) -> int | None:
        path = self.folder / name
        return path.stat().st_size if path.is_file() else None

    def sizes(self) -> dict[str, int]:
        found = {}
        for path in sorted(self.folder.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # another rank's temporary file, gone by now
                if path.is_file():
                    found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return found

    def put(self, name: str, content: bytes) -> None:
        write_bytes(self.folder / name, content)

    def put_file(self, name: str, path: Path) -> None:
        if path == self.folder / name:
            return
        with path.open("rb") as source, atomic_file(self.folder / name) as file:
            shutil.copyfileobj(source, file)

    def delete(self, name: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        if path.parent != self.folder:
            with contextlib.suppress(OSError):  # other files are in it, or another rank was quicker
                path.parent.rmdir()

    @contextlib.contextmanager
    def staging(self, scratch: Path | None) -> Iterator[Path]:
        yield self.folder


def open_store(place: "Store | Path | str") -> Store:
    """The store at a path or at `s3://bucket/prefix`; a store is given back as it is.

    Raises InputError where a bucket does not answer, is not there, or refuses the credentials.
    """
    if isinstance(place, Store):
        return place
    if not str(place).startswith(S3):
        return LocalStore(Path(place))
    from dist_vad.s3 import open_bucket  # boto3 takes half a second to import

    return open_bucket(str(place))


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
        made = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=parent)
    except OSError as error:
        raise InputError(f"no scratch folder can be made: {error}; choose another one with --scratch") from error
    with made as folder, contextlib.ExitStack() as stack:
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
