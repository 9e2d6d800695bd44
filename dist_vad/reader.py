"""From sample ids to batches: index + mmap, whole micro-batches decoded at once, read ahead in threads."""

import functools
import math
import mmap
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from isal.isal_zlib import crc32
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from dist_vad.cache import ShardCache
from dist_vad.codec import decode_into, npy_values
from dist_vad.errors import InputError
from dist_vad.manifest import INDEX_DTYPE, Manifest, ShardInfo, index_name, sample_key, tar_name
from dist_vad.storage import bytes_sha256
from dist_vad.store import LocalStore, Store, open_store
from dist_vad.stream import Streams

STEPS_FETCHED_AHEAD, FETCHERS = 64, 4
"""Steps whose shards are fetched before they are read, and threads that fetch."""


@dataclass
class Batch:
    """Samples of one source, as they were stored."""

    clips: torch.Tensor
    """uint8 [B, T, H, W, 3], RGB."""
    scenes: torch.Tensor
    """float32 [B, D_B], the scene features; D_B = 0 for kinds without one."""
    labels: torch.Tensor
    """int64 [B]: 0 normal, 1 anomalous, -1 unknown."""
    positions: np.ndarray
    """int64 [B]: positions in the global batch; they key the random draws."""

    def __len__(self) -> int:
        return len(self.positions)

    def pinned(self) -> "Batch":
        """The same in page-locked memory, from which a copy to a GPU goes on beside its work."""
        return Batch(self.clips.pin_memory(), self.scenes.pin_memory(), self.labels.pin_memory(), self.positions)

    @classmethod
    def joined(cls, parts: list["Batch"]) -> "Batch":
        """Several batches of one kind as one, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            torch.cat([part.clips for part in parts]),
            torch.cat([part.scenes for part in parts]),
            torch.cat([part.labels for part in parts]),
            np.concatenate([part.positions for part in parts]),
        )


class ShardSet:
    """An open shard set. Samples are numbered through its shards in manifest order."""

    def __init__(self, place: Store | Path | str, cache: ShardCache | None = None) -> None:
        """`place`: a folder, or a prefix of a bucket, whose tars are then read through `cache`."""
        self.store = open_store(place)
        self.where = self.store.where()
        self.manifest = Manifest.load(self.store)
        self.starts = np.cumsum([0, *(shard.samples for shard in self.manifest.shards)])
        # A mapped shard costs address space, not memory; the bound keeps the number of mappings under the system's.
        most = 8192
        self._cache = None if isinstance(self.store, LocalStore) else cache
        if not isinstance(self.store, LocalStore):
            if cache is None:
                raise ValueError(f"{self.where} is read through a cache; none was given")
            cache.check(self.manifest.shards, self.where)
            # Nor may what the cache has removed live on as a mapping.
            most = max(1, cache.limit // max(shard.bytes for shard in self.manifest.shards))
        self._open = functools.lru_cache(maxsize=min(most, 8192))(self._open_shard)

    def __reduce__(self) -> tuple:
        return ShardSet, (self.where, self._cache)  # another process opens it anew

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, ids: np.ndarray, positions: np.ndarray | None = None) -> Batch:
        """Read samples by id. Raises InputError, naming shard and sample, where bytes are missing or wrong."""
        m = self.manifest
        clips = np.empty((len(ids), m.clip_length, m.size, m.size, 3), np.uint8)
        scenes = np.zeros((len(ids), m.scene_size), np.float32)
        numbers = (np.searchsorted(self.starts, ids, side="right") - 1).tolist()
        opened = [self._open(number) for number in numbers]
        rows = np.empty(len(ids), INDEX_DTYPE)
        for i, (number, (index, _)) in enumerate(zip(numbers, opened)):
            rows[i] = index[ids[i] - self.starts[number]]
        # Plain integers of the whole batch at once: asking a row for its fields one by one costs more than the copy.
        places = zip(rows["offset"].tolist(), rows["size"].tolist(), rows["crc32"].tolist())
        for i, ((_, data), (offsets, sizes, checksums)) in enumerate(zip(opened, places)):
            image = data[offsets[0] : offsets[0] + sizes[0]]
            scene = data[offsets[1] : offsets[1] + sizes[1]]
            if crc32(image) != checksums[0] or crc32(scene) != checksums[1]:
                raise InputError(self._damaged(numbers[i], rows[i]))
            decode_into(image, clips[i], m.codec)
            if m.scene_size:
                scenes[i] = npy_values(scene, np.float32)
        drawn = np.arange(len(ids)) if positions is None else positions
        labels = torch.from_numpy(rows["label"].astype(np.int64))
        return Batch(torch.from_numpy(clips), torch.from_numpy(scenes), labels, drawn)

    @property
    def is_remote(self) -> bool:
        """Whether shards have to be fetched before they can be read."""
        return self._cache is not None

    def prepare(self, ids: np.ndarray) -> None:
        """Have the shards of some samples at hand, so that reading them need not wait."""
        for number in np.unique(np.searchsorted(self.starts, ids, side="right") - 1).tolist():
            self._open(number)

    def scenes(self, ids: np.ndarray) -> np.ndarray:
        """Names of the scenes of samples: str [len(ids)]."""
        of_video = {video.name: video.scene for video in self.manifest.videos}
        of_shard = np.array([of_video[shard.video] for shard in self.manifest.shards])
        return of_shard[np.searchsorted(self.starts, ids, side="right") - 1]

    def folds(self, ids: np.ndarray) -> np.ndarray:
        """0 or 1 for each sample: every other video of a scene, so that no video is in both. int64 [len(ids)]."""
        seen: dict[str, int] = {}
        of_video = {}
        for video in self.manifest.videos:
            of_video[video.name] = seen.get(video.scene, 0) % 2
            seen[video.scene] = seen.get(video.scene, 0) + 1
        if len(set(of_video.values())) == 1:  # one video for each scene: take every other scene
            of_video = {name: number % 2 for number, name in enumerate(of_video)}
        of_shard = np.array([of_video[shard.video] for shard in self.manifest.shards])
        return of_shard[np.searchsorted(self.starts, ids, side="right") - 1]

    def index(self, shard: int) -> np.ndarray:
        """The rows of one shard's index: INDEX_DTYPE [samples]."""
        return self._open(shard)[0]

    def key(self, sample: int) -> str:
        """WebDataset key of a sample id."""
        number = int(np.searchsorted(self.starts, sample, side="right")) - 1
        row = self.index(number)[sample - self.starts[number]]
        return sample_key(self.manifest.shards[number].video, int(row["frame"]), int(row["object"]))

    def _damaged(self, number: int, row: np.void) -> str:
        shard = self.manifest.shards[number]
        key = sample_key(shard.video, int(row["frame"]), int(row["object"]))
        return (
            f"shard {self.store.where(tar_name(shard))} is damaged at sample {key}: its checksum differs from the "
            f"index; `python shards/verify.py {self.where} --repair` cuts what is broken anew"
        )

    def _open_shard(self, number: int) -> tuple[np.ndarray, memoryview]:
        shard = self.manifest.shards[number]
        return self._read_index(shard), memoryview(self._map_tar(shard))

    def _read_index(self, shard: ShardInfo) -> np.ndarray:
        try:
            content = self.store.read(index_name(shard))
        except FileNotFoundError as error:
            raise InputError(self._missing(index_name(shard))) from error
        if bytes_sha256(content) != shard.index_sha256:
            raise InputError(
                f"index {self.store.where(index_name(shard))} does not have the sha256 of the manifest; `python "
                f"shards/verify.py {self.where} --repair` makes it anew"
            )
        return npy_values(content, INDEX_DTYPE)

    def _map_tar(self, shard: ShardInfo) -> mmap.mmap:
        for _ in range(100):  # as often as others may remove it from the cache before it is mapped
            path = self._cache.path(self.store, shard) if self._cache else Path(self.store.where(tar_name(shard)))
            try:
                with path.open("rb") as file:
                    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError:
                if self._cache:
                    continue
                break
            except ValueError:  # an empty file cannot be mapped
                break
            if len(data) != shard.bytes:
                raise InputError(
                    f"shard {path} has {len(data)} bytes, the manifest says {shard.bytes}: it is truncated or was "
                    f"replaced; `python shards/verify.py {self.where} --repair` cuts it anew"
                )
            return data
        raise InputError(self._missing(tar_name(shard)))

    def _missing(self, name: str) -> str:
        return (
            f"{self.store.where(name)} is missing or empty, but the manifest lists it; `python shards/verify.py "
            f"{self.where}` lists all that is missing, --repair cuts it anew"
        )


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """At most `count` different ids of 0..length-1, evenly spaced: int64."""
    count = min(count, length)
    return np.arange(count) * length // max(count, 1)


@dataclass
class Source:
    """A shard set and the streams that draw from it."""

    shards: ShardSet
    streams: Streams
    first: int = 0
    """Position of its first sample in the global batch of its kind: several sources lie there one after another."""


class Loader:
    """One rank's part of every global batch, read ahead in threads.

    Args:
        sources: kind of sample -> the sources that share its global batch.
        rank, world: this rank and the number of ranks.
        micro_batch: most samples of one kind in one forward pass; 0 = the rank's whole share.
        threads, prefetch: reading threads and the number of steps to read ahead.
        pin: give batches in page-locked memory, for a GPU.
        processes: read in so many processes instead of in threads; 0 = threads.
    """

    def __init__(
        self,
        sources: dict[str, list[Source]],
        rank: int,
        world: int,
        micro_batch: int,
        threads: int,
        prefetch: int,
        pin: bool = False,
        processes: int = 0,
    ) -> None:
        self.sources, self.rank, self.world = sources, rank, world
        self.threads, self.prefetch, self.pin, self.processes = threads, prefetch, pin, processes
        self.parts = max(_micro_batches(kind, some, world, micro_batch) for kind, some in sources.items())

    def steps(self, start: int, stop: int) -> Iterator[tuple[int, list[dict[str, Batch]]]]:
        """Yield (step, its micro-batches, each {kind: Batch}) for steps start..stop-1."""
        if self.processes:
            yield from self._steps_of_processes(start, stop)
            return
        fetched = start
        with ThreadPoolExecutor(self.threads) as pool, ThreadPoolExecutor(FETCHERS) as fetchers:
            ahead: deque[tuple[int, Requests]] = deque()
            try:
                for step in range(start, stop):
                    while fetched < min(step + STEPS_FETCHED_AHEAD, stop):
                        self._fetch(fetchers, fetched)
                        fetched += 1
                    ahead.append((step, self._request(pool, step)))
                    if len(ahead) > self.prefetch:
                        yield _collect(*ahead.popleft())
                while ahead:
                    yield _collect(*ahead.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                fetchers.shutdown(wait=True, cancel_futures=True)

    def _request(self, pool: ThreadPoolExecutor, step: int) -> "Requests":
        """Part i of rank r of W is what rank r + i W of W x parts would read: so a micro-batch holds the same samples,
        and its gradient has the same bits, however many ranks share the micro-batches of a step."""
        ranks = [self.rank + i * self.world for i in range(self.parts)]
        return [
            {kind: [self._submit(pool, source, step, rank) for source in some] for kind, some in self.sources.items()}
            for rank in ranks
        ]

    def _steps_of_processes(self, start: int, stop: int) -> Iterator[tuple[int, list[dict[str, Batch]]]]:
        """The same from processes that take turns: process p of P reads the steps start + p, start + p + P, ..."""
        ahead = max(1, -(-self.prefetch // self.processes))
        steps = DataLoader(
            _Turns(self, start, stop),
            batch_size=None,
            num_workers=self.processes,
            prefetch_factor=ahead,
            multiprocessing_context="spawn",  # forked, a process could inherit a lock that nobody will open
        )
        for item in steps:
            if isinstance(item, InputError):
                raise item
            step, batches = item
            yield step, [{kind: b.pinned() if self.pin else b for kind, b in some.items()} for some in batches]

    def read(self, step: int) -> list[dict[str, Batch]]:
        """This rank's micro-batches of a step, read here and now."""
        return [
            {
                kind: Batch.joined([source.shards.read(*self._part(source, step, rank)) for source in some])
                for kind, some in self.sources.items()
            }
            for rank in (self.rank + i * self.world for i in range(self.parts))
        ]

    def _part(self, source: Source, step: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """(sample ids, positions in the global batch) of one part of a step."""
        ids, positions = source.streams.rank_batch(step, rank, self.world * self.parts)
        return ids, source.first + positions

    def _fetch(self, pool: ThreadPoolExecutor, step: int) -> None:
        """Fetch the shards that a step will read, where they are not on this machine: the plan is known. What goes
        wrong here goes wrong again, and is reported, when they are read."""
        for source in (source for some in self.sources.values() for source in some if source.shards.is_remote):
            for part in range(self.parts):
                rank = self.rank + part * self.world
                pool.submit(source.shards.prepare, self._part(source, step, rank)[0])

    def _submit(self, pool: ThreadPoolExecutor, source: Source, step: int, rank: int) -> "Future[Batch]":
        return pool.submit(self._read, source.shards, *self._part(source, step, rank))

    def _read(self, shards: ShardSet, ids: np.ndarray, positions: np.ndarray) -> Batch:
        batch = shards.read(ids, positions)
        return batch.pinned() if self.pin else batch


class _Turns(IterableDataset):
    """What one process of several reads of a loader's steps."""

    def __init__(self, loader: Loader, start: int, stop: int) -> None:
        self.loader, self.start, self.stop = loader, start, stop

    def __iter__(self) -> Iterator[tuple[int, list[dict[str, Batch]]] | InputError]:
        process = get_worker_info()
        assert process is not None, "only processes of a DataLoader iterate over this"
        cv2.setNumThreads(1)
        for step in range(self.start + process.id, self.stop, process.num_workers):
            try:
                yield step, self.loader.read(step)
            except InputError as error:  # as it is: what the DataLoader itself passes on is wrapped in a stack trace
                yield error
                return


Requests = list[dict[str, list["Future[Batch]"]]]
"""Of one step: micro-batch -> kind of sample -> its parts, one from each source."""


def _collect(step: int, requests: Requests) -> tuple[int, list[dict[str, Batch]]]:
    return step, [
        {kind: Batch.joined([part.result() for part in parts]) for kind, parts in request.items()}
        for request in requests
    ]


def _micro_batches(kind: str, sources: list[Source], world: int, micro_batch: int) -> int:
    """Into how many micro-batches a rank's share of one kind falls."""
    streams = [source.streams.count for source in sources]
    share = sum(source.streams.count * source.streams.per_step for source in sources) // world
    parts = share // micro_batch if 0 < micro_batch < share else 1
    whole = all(count % (world * parts) == 0 for count in streams)
    if micro_batch and (share % parts or not whole or (parts > 1 and share % micro_batch)):
        least = math.gcd(*streams) // world
        raise InputError(
            f"train.micro_batch is {micro_batch}, which does not divide the {share} samples of kind {kind} that each "
            f"of {world} ranks has in a step into whole streams; allowed: {share} divided by a divisor of {least}, or "
            "0 for all at once"
        )
    return parts


class BatchDataset(IterableDataset):
    """The same batches for a loop of one's own: yields (step, {kind: Batch}) from `start` on, for one rank."""

    def __init__(
        self, sources: dict[str, list[Source]], rank: int = 0, world: int = 1, start: int = 0, stop: int = 2**62
    ) -> None:
        self.loader = Loader(sources, rank, world, micro_batch=0, threads=1, prefetch=2)
        self.start, self.stop = start, stop

    def __iter__(self) -> Iterator[tuple[int, dict[str, Batch]]]:
        for step, (batch,) in self.loader.steps(self.start, self.stop):
            yield step, batch
