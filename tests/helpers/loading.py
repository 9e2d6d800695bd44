"""What a loader gives, to compare."""

from dist_vad.data.loader import Loader, Source
from dist_vad.data.shardset import ShardSet
from dist_vad.data.streams import Streams
from dist_vad.settings.stream import StreamSettings


def batches(shards: ShardSet, steps: int, processes: int = 0) -> list[tuple[list[int], bytes]]:
    """(positions, bytes of the clips) of each step, two epochs or so."""
    sizes = [shard.samples for shard in shards.manifest.shards]
    source = Source(shards, Streams(sizes, 8, StreamSettings(streams=4, window=6), (0,), "cube"))
    loader = Loader({"cube": [source]}, 0, 1, micro_batch=0, threads=2, prefetch=2, processes=processes)
    return [
        (some["cube"].positions.tolist(), some["cube"].clips.numpy().tobytes()) for _, (some,) in loader.steps(0, steps)
    ]
