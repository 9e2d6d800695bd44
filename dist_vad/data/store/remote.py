"""Files in the places that fsspec knows: Google Cloud Storage, Azure, a hub of Hugging Face, and web servers.

Credentials come from where the libraries of each place have them. What is put is one request, which such stores make
visible whole or not at all.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.store.base import Store
from dist_vad.data.store.scratch import scratch_folder

PACKAGES = {
    "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "hf": "huggingface_hub", "http": "aiohttp",
    "https": "aiohttp",
}  # fmt: skip
"""Scheme -> the package that fsspec needs for it."""
READ_ONLY = ("http", "https")
TRIES = 4
T = TypeVar("T")


def open_remote(url: str) -> "RemoteStore":
    """The store at a URL whose scheme is one of PACKAGES. Raises InputError where its package is missing, or where the
    place refuses us."""
    scheme, _, path = url.partition("://")
    if not path.strip("/"):
        raise InputError(f"{url} names no place; expected {scheme}://PLACE/PREFIX")
    try:
        import fsspec

        system = fsspec.filesystem(scheme)
    except (ImportError, ValueError) as error:
        raise InputError(f"{url} needs a package that is missing: pip install fsspec {PACKAGES[scheme]}") from error
    except Exception as error:
        raise InputError(f"{url} cannot be opened: {type(error).__name__}: {error}; look at its credentials") from error
    return RemoteStore(system, scheme, path.strip("/"))


class RemoteStore(Store):
    """A prefix within a file system of fsspec."""

    def __init__(self, system: Any, scheme: str, prefix: str) -> None:
        self.system, self.scheme, self.prefix = system, scheme, prefix

    def where(self, name: str = "") -> str:
        return f"{self.scheme}://" + "/".join(part for part in (self.prefix, name) if part)

    def child(self, name: str) -> "RemoteStore":
        return RemoteStore(self.system, self.scheme, "/".join(part for part in (self.prefix, name) if part))

    def read(self, name: str) -> bytes:
        return self._explained("reading", name, lambda: self.system.cat_file(self._path(name)))

    def fetch(self, name: str, path: Path, size: int) -> None:
        self._explained("reading", name, lambda: self._fetch_rest(name, path, size))

    def size(self, name: str) -> int | None:
        try:
            facts = self._explained("looking for", name, lambda: self.system.info(self._path(name)))
        except FileNotFoundError:
            return None
        if facts.get("type") != "file":
            return None
        # A web server need not say it.
        return facts["size"] if facts.get("size") is not None else len(self.read(name))

    def sizes(self) -> dict[str, int]:
        if self.scheme in READ_ONLY:
            raise InputError(f"{self.where()} cannot be listed: a web server shows single files only")
        self.system.invalidate_cache()
        try:
            found = self._explained("listing", "", lambda: self.system.find(self._path(""), detail=True))
        except FileNotFoundError:
            return {}
        before = self.system._strip_protocol(self._path("")).rstrip("/") + "/"
        return {name.removeprefix(before): facts["size"] for name, facts in sorted(found.items())}

    def put(self, name: str, content: bytes) -> None:
        self._writable()
        self._explained("writing", name, lambda: self.system.pipe_file(self._path(name), content))

    def put_file(self, name: str, path: Path) -> None:
        self._writable()
        self._explained("writing", name, lambda: self.system.put_file(str(path), self._path(name)))

    def delete(self, name: str) -> None:
        self._writable()
        with contextlib.suppress(FileNotFoundError):
            self._explained("deleting", name, lambda: self.system.rm_file(self._path(name)))

    @contextlib.contextmanager
    def staging(self, scratch: Path | None) -> Iterator[Path]:
        with scratch_folder(scratch) as folder:
            yield folder

    def _path(self, name: str) -> str:
        return self.where(name) if self.scheme in READ_ONLY else self.where(name).partition("://")[2]

    def _writable(self) -> None:
        if self.scheme in READ_ONLY:
            raise InputError(f"{self.where()} can only be read; write to a folder, s3://, gs://, az:// or hf://")

    def _fetch_rest(self, name: str, path: Path, size: int) -> None:
        """Go on with a local copy at the byte where it ends."""
        start = path.stat().st_size if path.is_file() else 0
        if start >= size > 0:
            return
        with self.system.open(self._path(name), "rb") as source, path.open("ab") as file:
            try:
                source.seek(start)
            except (OSError, ValueError):  # a server that sends all, whatever was asked for
                file.truncate(0)
            shutil.copyfileobj(source, file, 2**20)
        if path.stat().st_size < size:
            raise OSError(f"only {path.stat().st_size} of {size} bytes came")

    def _explained(self, doing: str, name: str, action: Callable[[], T]) -> T:
        """The result of an action, tried again where the connection fails: in the end Unavailable. What would fail
        again is an InputError."""
        for attempt in range(1, TRIES + 1):
            try:
                return action()
            except FileNotFoundError:
                raise
            except Exception as error:
                told = f"{doing} {self.where(name)} failed: {type(error).__name__}: {error}"
                if isinstance(error, PermissionError) or not isinstance(error, OSError):
                    raise InputError(f"{told}; look at the address and the credentials") from error
                if attempt == TRIES:
                    raise Unavailable(f"{told} ({TRIES} attempts); start the same command again") from error
                time.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")
