"""Which samples make up a global batch, and which rank reads them, as lines to read."""

from collections.abc import Iterator

import numpy as np

from dist_vad.data.loader import Source


def explain(source: Source, kind: str, step: int, ranks: int) -> Iterator[str]:
    """The lines that say what a step reads of one source."""
    streams, shards = source.streams, source.shards
    first = step * streams.per_step
    epoch, place = divmod(first, streams.epoch_length)
    last = divmod(first + streams.per_step - 1, streams.epoch_length)[0]
    epochs = f"epoch {epoch}" if last == epoch else f"epochs {epoch} and {last}"
    yield (
        f"{kind} of {shards.where}: {streams.share} of {streams.samples} samples, "
        f"{streams.per_step} from each of {streams.count} streams; {epochs}, "
        f"place {place} of {streams.epoch_length} in every stream"
    )
    yield f"{'position':>8} {'stream':>6} {'rank':>4}  {'sample':36} shard"
    owner = np.empty(streams.share, np.int64)
    for rank in range(ranks):
        owner[streams.rank_batch(step, rank, ranks)[1]] = rank
    for position, sample in enumerate(streams.global_batch(step).ravel()):
        number = int(np.searchsorted(shards.starts, sample, side="right")) - 1
        shard = shards.manifest.shards[number].name
        stream = position // streams.per_step
        yield f"{source.first + position:8} {stream:6} {owner[position]:4}  {shards.key(int(sample)):36} {shard}"
