"""Files that appear whole or not at all, and digests to trust them by."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dist_vad.base.errors import InputError, explained

UNSYNCABLE = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES)
"""What file systems answer that cannot sync a folder or a file: SMB, FUSE."""
LONGEST_NAME = 200
"""Bytes of a file's name up to which there is room for what is put around it; file systems allow 255."""


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it appears under its name only once it is complete and on the disk.

    A failure leaves nothing behind, and what stood at `path` before stays. What the system refuses becomes Unavailable
    (a full disk, with the space left) or InputError, naming the file.
    """
    temporary = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            _sync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _explained(error: OSError, path: Path) -> Exception:
    """What to raise where writing to a path failed. A write does not say where, so not where space is short."""
    error.filename = error.filename or str(path)
    return explained(error, f"while writing {path}")


def partial_path(path: Path) -> Path:
    """Where a file or folder grows until it is whole, beside its place.

    The process id keeps two writers of one file apart: the later rename wins, and both wrote the same bytes.
    """
    name = path.name if len(os.fsencode(path.name)) <= LONGEST_NAME else bytes_sha256(os.fsencode(path.name))[:32]
    return path.with_name(f".{name}.{os.getpid()}.partial")


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; when the block ends it is synced and renamed to `path`.

    A kill at any moment leaves either no `path` or a whole one. An existing `path` is replaced; what killed processes
    left half-written beside it is removed.
    """
    temporary = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
            if not is_alive(int(left.name.split(".")[-2])):
                shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            file.chmod(0o666 & ~_umask())  # some libraries write files that nobody else may read
            with file.open("rb") as handle:
                _sync(handle.fileno())
        _sync_folder(temporary)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, those of linked folders too; a link that leads back to a folder above it is not
    followed."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(here) / name for name in files)


def check_outputs(outputs: Iterable[Path], inputs: Iterable[str], what: str) -> None:
    """Refuse to write over a file that is read, into a folder that is read, or where no folder can be.

    Args:
        what: of what the inputs are made, for messages, such as `the frames`.

    Raises InputError.
    """
    read = {Path(place).resolve(): place for place in inputs if Path(place).exists()}
    for path in outputs:
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir():
            raise InputError(f"--out is {str(path.parent)!r}, but {above} is a file; give another folder")
        hit = read.get(path.resolve()) or read.get(path.resolve().parent)
        if hit:
            raise InputError(
                f"--out {path.parent} would put {path.name} over, or among, {what} of {hit}; give another folder"
            )
        if path.is_dir():
            raise InputError(f"{path} is a folder, where a file is to be written; give another --out")


def is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_file(path) as file:
        file.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A value as readable JSON. Names of files that are no text of this system's encoding are escaped."""
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(value, indent=1) + "\n").encode()


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_sha256(content: bytes) -> str:
    """The sha256 of some bytes, as hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest(value: Any) -> str:
    """The sha256 of a value's canonical JSON: the same for the same content, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return bytes_sha256(canonical.encode(errors="surrogatepass"))


def _sync_folder(path: Path) -> None:
    """Make a rename inside `path` durable, where the file system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in UNSYNCABLE:
            return
        raise
    try:
        _sync(handle)
    finally:
        os.close(handle)


def _sync(handle: int) -> None:
    """Have what was written on the disk, where the file system can do that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSYNCABLE:
            raise


def _umask() -> int:
    """The mode bits that new files do not get. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
