"""Settings of the streams: how samples are drawn."""

from dataclasses import dataclass

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class StreamSettings:
    """How samples are drawn. Everything here is part of what is learned."""

    streams: int = 64
    """Canonical streams K; divides the global batch and is a multiple of every number of ranks one plans for."""
    block: int = 128
    """Blocks are whole shards, or runs of at most this many samples of one shard."""
    window: int = 1024
    """Samples of a stream are shuffled within windows of this many."""

    def __post_init__(self) -> None:
        for key in ("streams", "block", "window"):
            refuse_unless(getattr(self, key) >= 1, f"stream.{key}", getattr(self, key), "1 or more")
