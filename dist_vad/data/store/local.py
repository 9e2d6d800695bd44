"""A folder of this machine as a store."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from dist_vad.base.files import atomic_file, files_below, write_bytes
from dist_vad.data.store.base import Store


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
        sizes = {}
        for path in sorted(files_below(self.folder)):
            with contextlib.suppress(FileNotFoundError):  # another rank's temporary file, gone by now
                if path.is_file():
                    sizes[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return sizes

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
