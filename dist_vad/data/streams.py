"""Which samples make up a global batch: a pure function of (manifest, settings, seed, step), for any number of ranks.

The canonical streams of one source (a shard set). An epoch e is defined without reading anything:

1. the shards are cut into blocks, and the blocks permuted with (key, e);
2. of the N samples, N mod K sit the epoch out, other ones each epoch, in rotation;
3. the others, laid end to end in block order, are cut into K equal parts, one for each stream;
4. within a part, windows of consecutive samples are shuffled.

Stream s gives n = share / K samples to each global batch. Rank r of W reads the streams s with s % W == r, so ranks
only decide who reads a sample, never which samples a batch holds. A position in a stream is arithmetic on the step:
nothing has to be saved, and resuming is a seek.
"""

import functools

import numpy as np

from dist_vad.base import counters
from dist_vad.base.errors import InputError
from dist_vad.settings.stream import StreamSettings


class Streams:
    """The canonical streams of one source.

    Args:
        shard_samples: samples in each shard, in manifest order; sample ids count through them.
        share: samples of this source in one global batch.
        settings: number of streams, block and window.
        key: of every draw: the seed, the stage, the kind of sample.
        name: of the source, for messages.

    Example:
        streams = Streams([100, 60], share=8, settings=StreamSettings(streams=4), key=(0, "stage", "cube"), name="demo")
        ids = streams.global_batch(step=17)  # int64 [4, 2]
        mine, positions = streams.rank_batch(step=17, rank=0, world=2)  # each int64 [4]
    """

    def __init__(
        self, shard_samples: list[int], share: int, settings: StreamSettings, key: tuple[int | str, ...], name: str
    ) -> None:
        self._made_of = (shard_samples, share, settings, key, name)
        self.name, self.samples = name, sum(shard_samples)
        self.count = settings.streams
        if share % self.count:
            raise InputError(
                f"{name}: a global batch of {share} does not divide over {self.count} streams; set stream.streams to a "
                "divisor of it"
            )
        if not self.samples:
            raise InputError(f"{name}: there are no samples in it; the producer found none, or wrote another split")
        if self.samples < self.count:
            raise InputError(
                f"{name}: {self.samples} samples are fewer than the {self.count} streams; set stream.streams to "
                f"{self.samples} or less, or give more data"
            )
        self.share, self.per_step = share, share // self.count
        self.epoch_length = self.samples // self.count
        """Samples of one stream in one epoch."""
        self._window = settings.window
        self._key = key
        self._block_starts, self._block_sizes = _cut_blocks(shard_samples, settings.block)
        # The order of an epoch and of a window are asked for again at every step; two of each are in use where batches
        # are read, and two where shards are fetched ahead of that.
        self._epoch_order = functools.lru_cache(maxsize=4)(self._make_epoch_order)
        self._window_order = functools.lru_cache(maxsize=4)(self._make_window_order)

    def __reduce__(self) -> tuple:
        return Streams, self._made_of

    def global_batch(self, step: int) -> np.ndarray:
        """Sample ids of the global batch of a step (0-based): int64 [streams, per_step]."""
        return self._samples(step, np.arange(self.count))

    def rank_batch(self, step: int, rank: int, world: int) -> tuple[np.ndarray, np.ndarray]:
        """What a rank reads of a step: (sample ids, positions in the global batch), each int64 [share / world]."""
        self.check_ranks(world)
        streams = np.arange(rank, self.count, world)
        positions = streams[:, None] * self.per_step + np.arange(self.per_step)
        return self._samples(step, streams).ravel(), positions.ravel()

    def check_ranks(self, world: int) -> None:
        """Raise InputError where so many ranks cannot share the streams."""
        if self.count % world:
            raise InputError(
                f"{self.name}: {world} ranks do not divide the {self.count} streams; set stream.streams to a multiple "
                f"of {world}, or launch another number of ranks"
            )

    def left_out(self, epoch: int) -> np.ndarray:
        """Ids of the N mod K samples that sit an epoch out; consecutive epochs go on from there, so all take turns."""
        rest = self.samples % self.count
        return (epoch * rest + np.arange(rest)) % self.samples

    def _samples(self, step: int, streams: np.ndarray) -> np.ndarray:
        """Sample ids that the given streams give to a step: int64 [len(streams), per_step]."""
        epochs, places = np.divmod(step * self.per_step + np.arange(self.per_step), self.epoch_length)
        windows, insides = np.divmod(places, self._window)
        ids = np.empty((len(streams), self.per_step), np.int64)
        for epoch, window in set(zip(epochs.tolist(), windows.tolist())):
            chosen = (epochs == epoch) & (windows == window)
            shuffled = window * self._window + self._window_order(epoch, window)[streams[:, None], insides[chosen]]
            ids[:, chosen] = self._at(epoch, streams[:, None] * self.epoch_length + shuffled)
        return ids

    def _at(self, epoch: int, row: np.ndarray) -> np.ndarray:
        """Sample ids at some positions of the row of all blocks of an epoch, those left out not counted."""
        order, ends, skipped = self._epoch_order(epoch)
        row = row + np.searchsorted(skipped, row, side="right")
        block = np.searchsorted(ends, row, side="right")
        start_of_block = ends[block] - self._block_sizes[order[block]]
        return self._block_starts[order[block]] + row - start_of_block

    def _make_epoch_order(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(blocks in order, the row position at which each ends, for each sample left out how many rows precede it)."""
        order = counters.permutation(len(self._block_sizes), *self._key, "blocks", epoch)
        ends = np.cumsum(self._block_sizes[order])
        left_out = self.left_out(epoch)
        block = np.searchsorted(self._block_starts, left_out, side="right") - 1
        starts_in_row = np.empty_like(ends)
        starts_in_row[order] = ends - self._block_sizes[order]
        places = np.sort(starts_in_row[block] + left_out - self._block_starts[block])
        return order, ends, places - np.arange(len(places))

    def _make_window_order(self, epoch: int, window: int) -> np.ndarray:
        """The shuffle of one window, for every stream at once: int64 [streams, length of the window]."""
        length = min(self._window, self.epoch_length - window * self._window)
        stream = np.arange(self.count)[:, None]
        draws = counters.bits(*self._key, "window", epoch, stream, window, np.arange(length))
        return np.argsort(draws, axis=1, kind="stable")


def _cut_blocks(shard_samples: list[int], block: int) -> tuple[np.ndarray, np.ndarray]:
    """(first sample id, samples) of each block: runs of at most `block` samples that never cross a shard."""
    starts, first = [], 0
    for samples in shard_samples:
        starts.append(np.arange(first, first + samples, block))
        first += samples
    joined = np.concatenate(starts) if starts else np.zeros(0, np.int64)
    edges = np.concatenate([np.cumsum([0, *shard_samples])[:-1], joined, [first]])
    edges = np.unique(edges)
    return edges[:-1], np.diff(edges)
