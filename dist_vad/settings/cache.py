"""Settings of the local cache of shards."""

from dataclasses import dataclass

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class CacheSettings:
    """Where shards of a bucket are kept on this machine; nothing here changes what is learned."""

    folder: str = "~/.cache/dist_vad"
    """Shared by all processes of a node and by all runs: files are named by their content."""
    gigabytes: float = 50.0
    """Most bytes of all of them together, in 1e9; those longest unused make room. At least the shards that all streams
    of a node read at the same time should fit."""

    def __post_init__(self) -> None:
        refuse_unless(self.gigabytes > 0, "cache.gigabytes", self.gigabytes, "more than 0")

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(self.gigabytes * 1e9)
