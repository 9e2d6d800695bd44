"""From sample ids to batches: index + mmap, whole micro-batches decoded at once, read ahead in threads."""

import functools
import math
import mmap
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from isal.isal_zlib import crc32
from torch.utils.data import IterableDataset

from dist_vad.codec import decode_into, npy_values
from dist_vad.errors import InputError
from dist_vad.manifest import INDEX_DTYPE, Manifest, ShardInfo, index_path, sample_key, tar_path
from dist_vad.storage import bytes_sha256
from dist_vad.stream import Streams


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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.load(folder)
        self.starts = np.cumsum([0, *(shard.samples for shard in self.manifest.shards)])
        # A mapped shard costs address space, not memory; the bound keeps the number of mappings under the system's.
        self._open = functools.lru_cache(maxsize=8192)(self._open_shard)

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
            f"shard {tar_path(self.folder, shard)} is damaged at sample {key}: its checksum differs from the "
            f"index; `python shards/verify.py {self.folder}` lists what is broken, then write the set again"
        )

    def _open_shard(self, number: int) -> tuple[np.ndarray, memoryview]:
        shard = self.manifest.shards[number]
        return self._read_index(shard), memoryview(self._map_tar(shard))

    def _read_index(self, shard: ShardInfo) -> np.ndarray:
        path = index_path(self.folder, shard)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise InputError(_missing(path, self.folder)) from error
        if bytes_sha256(content) != shard.index_sha256:
            raise InputError(f"index {path} does not have the sha256 of the manifest; write the shard set again")
        return npy_values(content, INDEX_DTYPE)

    def _map_tar(self, shard: ShardInfo) -> mmap.mmap:
        path = tar_path(self.folder, shard)
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (FileNotFoundError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise InputError(_missing(path, self.folder)) from error
        if len(data) != shard.bytes:
            raise InputError(
                f"shard {path} has {len(data)} bytes, the manifest says {shard.bytes}: it is truncated or was "
                "replaced; delete the manifest beside it and start shards/write.py again"
            )
        return data


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """At most `count` different ids of 0..length-1, evenly spaced: int64."""
    count = min(count, length)
    return np.arange(count) * length // max(count, 1)


def _missing(path: Path, folder: Path) -> str:
    return (
        f"{path} is missing or empty, but the manifest lists it; `python shards/verify.py {folder}` lists all that is "
        "missing, then write the set again"
    )


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
    ) -> None:
        self.sources, self.rank, self.world = sources, rank, world
        self.threads, self.prefetch, self.pin = threads, prefetch, pin
        self.parts = max(_micro_batches(kind, some, world, micro_batch) for kind, some in sources.items())

    def steps(self, start: int, stop: int) -> Iterator[tuple[int, list[dict[str, Batch]]]]:
        """Yield (step, its micro-batches, each {kind: Batch}) for steps start..stop-1."""
        with ThreadPoolExecutor(self.threads) as pool:
            ahead: deque[tuple[int, Requests]] = deque()
            try:
                for step in range(start, stop):
                    ahead.append((step, self._request(pool, step)))
                    if len(ahead) > self.prefetch:
                        yield _collect(*ahead.popleft())
                while ahead:
                    yield _collect(*ahead.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _request(self, pool: ThreadPoolExecutor, step: int) -> "Requests":
        """Part i of rank r of W is what rank r + i W of W x parts would read: so a micro-batch holds the same samples,
        and its gradient has the same bits, however many ranks share the micro-batches of a step."""
        ranks = [self.rank + i * self.world for i in range(self.parts)]
        return [
            {kind: [self._submit(pool, source, step, rank) for source in some] for kind, some in self.sources.items()}
            for rank in ranks
        ]

    def _submit(self, pool: ThreadPoolExecutor, source: Source, step: int, rank: int) -> "Future[Batch]":
        ids, positions = source.streams.rank_batch(step, rank, self.world * self.parts)
        return pool.submit(self._read, source.shards, ids, source.first + positions)

    def _read(self, shards: ShardSet, ids: np.ndarray, positions: np.ndarray) -> Batch:
        batch = shards.read(ids, positions)
        return batch.pinned() if self.pin else batch


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
