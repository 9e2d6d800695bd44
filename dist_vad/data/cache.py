"""Shards of a bucket on the local disk: bounded in bytes, shared by all processes of a node, trusted by sha256."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.files import file_sha256
from dist_vad.data.manifest import ShardInfo, tar_name
from dist_vad.data.store import Store
from dist_vad.settings.cache import CacheSettings

ARRIVALS = 3
"""How often an object whose bytes have the wrong sha256 is fetched before it is taken to be damaged in the bucket."""


class ShardCache:
    """A folder of tars, each named by the sha256 of its content: nothing in it can be stale, whoever put it there.

    Args:
        folder: shared by all processes of a node, and by all runs.
        limit: most bytes of all tars together. The tars longest unused are removed for new ones; one that a process has
            mapped stays readable to it, and its space is free once that process lets go.

    Example:
        cache = ShardCache(Path("~/.cache/dist_vad").expanduser(), limit=100 * 10**9)
        shards = ShardSet("s3://bucket/prefix/cube-train", cache)
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        folder.mkdir(parents=True, exist_ok=True)

    def check(self, shards: list[ShardInfo], where: str) -> None:
        """Raise InputError where the largest of the shards would not fit; `where` names their set."""
        largest = max(shards, key=lambda shard: shard.bytes, default=None)
        if largest and largest.bytes > self.limit:
            raise InputError(
                f"the cache {self.folder} may hold {self.limit} bytes, but shard {largest.name} of {where} alone has "
                f"{largest.bytes}; raise cache.gigabytes, or write the set with a smaller data.shard_samples"
            )

    def path(self, store: Store, shard: ShardInfo) -> Path:
        """Where the shard's tar lies, fetched first if it is not there. It may be gone again when it is opened: ask
        again then. Raises InputError, naming the shard, for one that is damaged in the bucket."""
        path = self.folder / f"{shard.sha256}.tar"
        if not _touched(path, shard.bytes):
            # Few lock files, never removed: a lock on a file that was removed would hold nobody off.
            with _lock(self.folder / f".{shard.sha256[:2]}.lock"):
                if not _touched(path, shard.bytes):  # no other process was quicker
                    self._fetch(store, shard, path, self._evict_for(shard))
        return path

    def discard(self, shard: ShardInfo) -> None:
        """Remove a tar whose bytes are not those that were fetched, so that it is fetched anew."""
        (self.folder / f"{shard.sha256}.tar").unlink(missing_ok=True)

    def _fetch(self, store: Store, shard: ShardInfo, path: Path, partial: Path) -> None:
        arrived = ""
        for _ in range(ARRIVALS):
            try:
                store.fetch(tar_name(shard), partial, shard.bytes)
            except FileNotFoundError as error:
                raise InputError(
                    f"{store.where(tar_name(shard))} is missing, but the manifest lists it; `dist-vad shards "
                    f"verify {store.where()} --repair` cuts it anew"
                ) from error
            arrived = file_sha256(partial)
            if arrived == shard.sha256:
                partial.replace(path)
                return
            partial.unlink()
        raise InputError(
            f"{store.where(tar_name(shard))} arrived {ARRIVALS} times with sha256 {arrived[:12]}…, expected "
            f"{shard.sha256[:12]}…: it is damaged there; `dist-vad shards verify {store.where()} --repair` cuts it "
            "anew"
        )

    def _evict_for(self, shard: ShardInfo) -> Path:
        """Remove the tars longest unused until the shard fits, too; returns the file into which to fetch it.

        The name of that file is its claim to space while it grows. It is fixed, so that what a killed process has
        fetched is gone on with.
        """
        partial = self.folder / f".{shard.sha256}.{shard.bytes}.partial"
        with _lock(self.folder / ".lock"):
            partial.touch()
            total = sum(int(path.name.split(".")[2]) for path in self.folder.glob(".*.partial"))
            held = []
            for path in self.folder.glob("*.tar"):
                facts = path.stat()
                held.append((facts.st_mtime_ns, facts.st_size, path))
                total += facts.st_size
            for _, size, path in sorted(held):
                if total <= self.limit:
                    break
                path.unlink()
                total -= size
        return partial


def default_cache() -> ShardCache:
    """The cache of whoever says nothing of it."""
    settings = CacheSettings()
    return ShardCache(settings.place, settings.limit)


def _touched(path: Path, size: int) -> bool:
    """Whether a whole file is there; if so it counts as just used."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == size:
            os.utime(path)
            return True
    return False


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock among all processes and threads of a node; it ends with its process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
