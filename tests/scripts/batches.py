"""Write down what each rank reads: for every step the sample positions with a checksum of their bytes."""

import json
import sys
import zlib
from pathlib import Path

from accelerate import Accelerator

from dist_vad.data.loader import Loader, Source
from dist_vad.data.shardset import ShardSet
from dist_vad.data.streams import Streams
from dist_vad.settings.stream import StreamSettings

shards, out, start, stop = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
accelerator = Accelerator(cpu=True)
sources = {}
for kind in ("cube", "virtual"):
    opened = ShardSet(shards / f"{kind}-train")
    sizes = [shard.samples for shard in opened.manifest.shards]
    streams = (Streams(sizes, share, StreamSettings(streams=8), (0, "stage", kind, share), kind) for share in (16, 8))
    first, second = streams
    sources[kind] = [Source(opened, first), Source(opened, second, first=16)]
loader = Loader(sources, accelerator.process_index, accelerator.num_processes, micro_batch=6, threads=2, prefetch=3)
lines = [
    [step, kind, int(position), zlib.crc32(clip.numpy().tobytes())]
    for step, micro_batches in loader.steps(start, stop)
    for batches in micro_batches
    for kind, batch in batches.items()
    for position, clip in zip(batch.positions, batch.clips)
]
(out / f"rank{accelerator.process_index}.json").write_text(json.dumps(lines))
