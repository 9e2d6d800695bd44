"""What each rank reads of a source. Streams are pure functions, so this is exact, and nothing is read for it."""

from dataclasses import dataclass

import numpy as np

from dist_vad.data.streams import Streams


@dataclass(frozen=True)
class RankReads:
    """What one rank reads in some steps."""

    samples: int
    shards: int
    """Shards of which it reads at least one sample: from a bucket, so many are fetched, once."""
    bytes: int
    """Of those shards together."""


def shards_of_streams(streams: Streams, shard_samples: list[int], start: int, stop: int) -> np.ndarray:
    """Which shards each stream reads in steps start..stop-1: bool [streams, shards].

    Args:
        shard_samples: samples in each shard, in manifest order, as the streams were made of.
    """
    ends = np.cumsum(shard_samples)
    seen = np.zeros((streams.count, len(shard_samples)), bool)
    rows = np.arange(streams.count)[:, None]
    for step in range(start, stop):
        seen[rows, np.searchsorted(ends, streams.global_batch(step), side="right")] = True
    return seen


def reads_of_ranks(
    streams: Streams, seen: np.ndarray, shard_bytes: list[int], steps: int, world: int
) -> list[RankReads]:
    """What each of so many ranks reads in so many steps.

    Args:
        seen: what `shards_of_streams` gives for those steps.

    Raises InputError where so many ranks cannot share the streams.
    """
    streams.check_ranks(world)
    sizes, samples = np.array(shard_bytes), steps * streams.share // world
    by_rank = [seen[rank::world].any(axis=0) for rank in range(world)]
    return [RankReads(samples, int(shards.sum()), int(sizes[shards].sum())) for shards in by_rank]
