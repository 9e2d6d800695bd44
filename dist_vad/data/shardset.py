"""Sample ids to samples: an index beside each tar, tars mapped into memory, whole batches decoded at once."""

import functools
import math
import mmap
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from deflate import crc32
from torch.utils.data import Dataset

from dist_vad.base.errors import InputError
from dist_vad.base.files import bytes_sha256
from dist_vad.base.log import log
from dist_vad.base.spacing import balanced
from dist_vad.data.buffers import borrow
from dist_vad.data.cache import ShardCache, default_cache
from dist_vad.data.codec import decode_all, npy_content, npy_values
from dist_vad.data.manifest import IMAGE, INDEX_DTYPE, SCENE, Manifest, ShardInfo, index_name, sample_key, tar_name
from dist_vad.data.store import LocalStore, Store, open_store
from dist_vad.settings.stream import StreamSettings

if TYPE_CHECKING:
    from dist_vad.data.loader import BatchDataset

MAPPINGS = 8192
"""Most shards of a set that are mapped into memory at the same time."""
REQUESTS = 8
"""Indexes that are fetched from a bucket at the same time."""


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

    def __getitem__(self, samples: slice) -> "Batch":
        """A batch of the samples of a slice, in the same memory."""
        return Batch(self.clips[samples], self.scenes[samples], self.labels[samples], self.positions[samples])

    def pin_memory(self) -> "Batch":
        """A copy of the batch in page-locked memory; PyTorch's DataLoader calls it, too."""
        return Batch(self.clips.pin_memory(), self.scenes.pin_memory(), self.labels.pin_memory(), self.positions)

    @classmethod
    def empty(cls, samples: int, like: Manifest, pin: bool = False) -> "Batch":
        """A batch of undefined content for so many samples of a shard set.

        With `pin` in page-locked memory, from which a copy to a GPU goes on beside its work.
        """
        size = cls.bytes_of(samples, like)
        memory = torch.empty(size, dtype=torch.uint8, pin_memory=True) if pin else torch.from_numpy(borrow((size,)))
        return cls.within(memory, samples, like)

    @classmethod
    def within(cls, memory: torch.Tensor, samples: int, like: Manifest) -> "Batch":
        """A batch for so many samples of a shard set whose tensors lie in `memory`, uint8 [`bytes_of` or more]."""
        sizes = _sizes(samples, like)
        labels, positions, scenes, clips = memory[: sum(sizes)].split(sizes)
        return cls(
            clips.view(samples, *like.clip_shape),
            scenes.view(torch.float32).view(samples, like.scene_size),
            labels.view(torch.int64),
            positions.view(torch.int64).numpy(),
        )

    @staticmethod
    def bytes_of(samples: int, like: Manifest) -> int:
        """Bytes that a batch of so many samples of a shard set takes."""
        return sum(_sizes(samples, like))


def _sizes(samples: int, like: Manifest) -> list[int]:
    """Bytes of labels, positions, scene features and clips, in which order each is aligned."""
    return [8 * samples, 8 * samples, 4 * samples * like.scene_size, samples * math.prod(like.clip_shape)]


class DamagedSample(InputError):
    """The bytes of a sample are not those that were written."""


class ShardSet(Dataset[dict[str, Any]]):
    """An open shard set. Samples are numbered through its shards in manifest order.

    Example:
        shards = ShardSet("shards/cube-train")
        batch = shards.read(np.arange(8))
        assert batch.clips.shape == (8, *shards.manifest.clip_shape)  # uint8 [B, T, H, W, 3]

    For PyTorch it is a map-style data set, and `stream` is an iterable one:
        loader = DataLoader(shards, batch_size=32, shuffle=True)  # dictionaries with clip, scene, label and key
        for step, batches in shards.stream(batch=32): ...
    """

    def __init__(self, place: Store | Path | str, cache: ShardCache | None = None) -> None:
        """`place`: a folder, or a prefix of a bucket, whose tars are then read through `cache`; without one through
        that of the settings' defaults."""
        self.store = open_store(place)
        self.where = self.store.where()
        self.manifest = Manifest.load(self.store)
        self.starts = np.cumsum([0, *(shard.samples for shard in self.manifest.shards)])
        self._cache = None if isinstance(self.store, LocalStore) else cache or default_cache()
        self._open = functools.lru_cache(maxsize=self._most_open())(self._open_shard)
        self._index = functools.lru_cache(maxsize=self._most_open())(self._read_index)

    def _most_open(self) -> int:
        """How many shards are kept mapped. A mapping costs address space, not memory; the bound keeps their number
        under the system's, and what the cache has removed from living on as a mapping."""
        if isinstance(self.store, LocalStore):
            return MAPPINGS
        assert self._cache is not None
        self._cache.check(self.manifest.shards, self.where)
        return min(MAPPINGS, max(1, self._cache.limit // max(shard.bytes for shard in self.manifest.shards)))

    def __reduce__(self) -> tuple:
        return ShardSet, (self.where, self._cache)  # another process opens it anew

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, sample: int) -> dict[str, Any]:
        """One sample: `clip` uint8 [T, H, W, 3] RGB, `scene` float32 [D_B], `label` (0 normal, 1 anomalous, -1 unknown)
        and `key`, its name in the tar. So the set is a map-style PyTorch data set."""
        return self.__getitems__([sample])[0]

    def __getitems__(self, samples: list[int]) -> list[dict[str, Any]]:
        """Several samples, read and decoded at once; PyTorch's DataLoader asks for whole batches in this way.

        Raises IndexError for a sample that is not there.
        """
        ids = np.asarray(samples, np.int64)
        ids = np.where(ids < 0, ids + len(self), ids)
        if wrong := [number for number, own in zip(samples, ids) if not 0 <= own < len(self)]:
            raise IndexError(f"{self.where} has samples 0 to {len(self) - 1}, asked for {wrong[0]}")
        batch = self.read(ids)
        return [
            {"clip": clip, "scene": scene, "label": int(label), "key": self.key(int(own))}
            for clip, scene, label, own in zip(batch.clips, batch.scenes, batch.labels, ids)
        ]

    def stream(
        self, batch: int, *, seed: int = 0, name: str = "mine", streams: int = 1, rank: int = 0, world: int = 1,
        start: int = 0, stop: int = 2**62,
    ) -> "BatchDataset":  # fmt: skip
        """The exact stream of this set, for a loop of one's own: an IterableDataset of (step, {kind: Batch}).

        What a step holds depends on the set, `seed`, `name`, `streams` and the step alone: `start` resumes, and the
        ranks of any `world` that divides `streams` share the same global batches.

        Args:
            batch: samples of a global batch, a multiple of `streams`.
        """
        from dist_vad.data.loader import BatchDataset, Source  # which needs this module
        from dist_vad.data.streams import Streams

        samples = [shard.samples for shard in self.manifest.shards]
        drawn = Streams(samples, batch, StreamSettings(streams=streams), (seed, name), self.where)
        return BatchDataset({self.manifest.kind: [Source(self, drawn)]}, rank, world, start, stop)

    def read(self, ids: np.ndarray, positions: np.ndarray | None = None, into: Batch | None = None) -> Batch:
        """Read samples by id, into a batch of their number if one is given.

        `positions` are those in the global batch; without them 0, 1, 2, ... Raises InputError, naming shard and sample,
        where bytes are missing or wrong.
        """
        batch = Batch.empty(len(ids), self.manifest) if into is None else into
        batch.positions[:] = np.arange(len(ids)) if positions is None else positions
        try:
            self._decode(ids, batch)
        except DamagedSample as damage:
            if self._cache is None:
                raise
            log.warning("warning: %s; its copy in the cache is fetched anew", damage)
            self._fetch_anew(ids)
            self._decode(ids, batch)
        return batch

    def _decode(self, ids: np.ndarray, batch: Batch) -> None:
        """Read samples into a batch."""
        rows, tars = self._find(ids)
        batch.labels.numpy()[:] = rows["label"]
        decode_all(self._strips(ids, rows, tars, batch.scenes.numpy()), batch.clips.numpy(), self.manifest.codec)

    def _fetch_anew(self, ids: np.ndarray) -> None:
        """Remove those shards of some samples from the cache that are not what was fetched: a disk has damaged them."""
        assert self._cache is not None
        for number in np.unique(np.searchsorted(self.starts, ids, side="right") - 1).tolist():
            shard = self.manifest.shards[number]
            if bytes_sha256(bytes(self._open(number)[1])) != shard.sha256:
                self._cache.discard(shard)
        self._open.cache_clear()

    def _find(self, ids: np.ndarray) -> tuple[np.ndarray, list[memoryview]]:
        """The row of each sample in the index of its shard, INDEX_DTYPE [len(ids)], and the tar that holds it."""
        numbers = np.searchsorted(self.starts, ids, side="right") - 1
        places_in_shard = (ids - self.starts[numbers]).tolist()
        opened = [self._open(number) for number in numbers.tolist()]
        # Rows are copied as bytes: numpy takes several times as long for one element of a structured array.
        size = INDEX_DTYPE.itemsize
        rows = b"".join(
            [index[place * size : (place + 1) * size] for (index, _), place in zip(opened, places_in_shard)]
        )
        return np.frombuffer(rows, INDEX_DTYPE), [tar for _, tar in opened]

    def _strips(
        self, ids: np.ndarray, rows: np.ndarray, tars: list[memoryview], scenes: np.ndarray
    ) -> Iterator[memoryview]:
        """The image of each sample, while its scene feature is copied to `scenes`; both only if their checksums are
        right. One pass, since the members of a sample lie side by side."""
        # Plain integers of all rows at once: asking each row for its fields costs more than the copy of its sample.
        starts, ends = rows["offset"], rows["offset"] + rows["size"]
        columns = (numbers[:, of].tolist() for numbers in (starts, ends, rows["crc32"]) for of in (IMAGE, SCENE))
        out, offset, length = scenes.reshape(-1).view(np.uint8).data, 0, scenes[:1].nbytes
        for sample, tar, start, scene_start, end, scene_end, image_sum, scene_sum in zip(ids, tars, *columns):
            image, scene = tar[start:end], tar[scene_start:scene_end]
            if crc32(image) != image_sum or crc32(scene) != scene_sum:
                raise DamagedSample(self._damaged(int(sample)))
            if length:
                out[offset : offset + length] = npy_content(scene)
                offset += length
            yield image

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
        return self._scene_of_shards()[np.searchsorted(self.starts, ids, side="right") - 1]

    def spread(self, count: int) -> np.ndarray:
        """At most `count` sample ids, evenly spaced within each scene and of every scene as many as of any other, or
        all that it has; at least one of each. int64, ascending."""
        return balanced(self.scene_numbers(np.arange(len(self))), count)

    def scene_numbers(self, ids: np.ndarray) -> np.ndarray:
        """Numbers of the scenes of samples, in the order of their names: int32 [len(ids)], a tenth of the memory."""
        _, numbers = np.unique(self._scene_of_shards(), return_inverse=True)
        return numbers.astype(np.int32)[np.searchsorted(self.starts, ids, side="right") - 1]

    def _scene_of_shards(self) -> np.ndarray:
        """Name of the scene of each shard: str [shards]."""
        of_video = {video.name: video.scene for video in self.manifest.videos}
        return np.array([of_video[shard.video] for shard in self.manifest.shards])

    def folds(self, ids: np.ndarray) -> np.ndarray:
        """0 or 1 for each sample: every other video of a scene, so that no video is in both; of a single one its first
        half and its second. int64 [len(ids)]."""
        if len(self.manifest.videos) == 1:
            return (ids >= len(self) // 2).astype(np.int64)
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
        """The rows of one shard's index: INDEX_DTYPE [samples]. Its tar is not touched: from a bucket that would be a
        download."""
        return np.frombuffer(self._index(shard), INDEX_DTYPE)

    def indexes(self, shards: Iterable[int]) -> Iterator[np.ndarray]:
        """The rows of the indexes of several shards, in their order; several at once come from a bucket."""
        if not self.is_remote:
            yield from map(self.index, shards)
            return
        numbers = list(shards)
        with ThreadPoolExecutor(REQUESTS, "index") as pool:
            for start in range(0, len(numbers), 8 * REQUESTS):  # so that no more of them wait
                yield from pool.map(self.index, numbers[start : start + 8 * REQUESTS])

    def key(self, sample: int) -> str:
        """WebDataset key of a sample id."""
        number = int(np.searchsorted(self.starts, sample, side="right")) - 1
        row = self.index(number)[sample - self.starts[number]]
        return sample_key(self.manifest.shards[number].video, int(row["frame"]), int(row["object"]))

    def _damaged(self, sample: int) -> str:
        shard = self.manifest.shards[int(np.searchsorted(self.starts, sample, side="right")) - 1]
        return (
            f"shard {self.store.where(tar_name(shard))} is damaged at sample {self.key(sample)}: its checksum differs "
            f"from the index; `dist-vad shards verify {self.where} --repair` cuts what is broken anew"
        )

    def _open_shard(self, number: int) -> tuple[memoryview, memoryview]:
        """The rows of a shard's index and its tar, as bytes."""
        return self._index(number), memoryview(self._map_tar(self.manifest.shards[number]))

    def _read_index(self, number: int) -> memoryview:
        shard = self.manifest.shards[number]
        try:
            content = self.store.read(index_name(shard))
        except FileNotFoundError as error:
            raise InputError(self._missing(index_name(shard))) from error
        if bytes_sha256(content) != shard.index_sha256:
            raise InputError(
                f"index {self.store.where(index_name(shard))} does not have the sha256 of the manifest; `dist-vad "
                f"shards verify {self.where} --repair` makes it anew"
            )
        return npy_values(content, INDEX_DTYPE).view(np.uint8).data

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
                    f"replaced; `dist-vad shards verify {self.where} --repair` cuts it anew"
                )
            return data
        raise InputError(self._missing(tar_name(shard)))

    def _missing(self, name: str) -> str:
        return (
            f"{self.store.where(name)} is missing or empty, but the manifest lists it; `dist-vad shards verify "
            f"{self.where}` lists all that is missing, --repair cuts it anew"
        )
