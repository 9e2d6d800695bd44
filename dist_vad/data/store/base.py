"""What is asked of a place for files.

What the user can mend is an InputError, what may be well at the next start is Unavailable.

Names are relative to the store, with `/` between their parts. What is put appears whole or not at all.
"""

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path


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
