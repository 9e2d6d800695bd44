"""Settings of the local cache of shards."""

import os
from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.errors import refuse_unless

DEFAULT_FOLDER = "~/.cache/dist_vad"


@dataclass(kw_only=True)
class CacheSettings:
    """Where shards of a bucket are kept on this machine; nothing here changes what is learned."""

    folder: str = DEFAULT_FOLDER
    """Shared by all processes of a node and by all runs: files are named by their content. The default means
    $XDG_CACHE_HOME/dist_vad where that variable is set."""
    gigabytes: float = 50.0
    """Most bytes of all of them together, in 1e9; those longest unused make room. At least the shards that all streams
    of a node read at the same time should fit."""

    def __post_init__(self) -> None:
        refuse_unless(self.gigabytes > 0, "cache.gigabytes", self.gigabytes, "more than 0")

    @property
    def place(self) -> Path:
        """Where the folder lies."""
        base = os.environ.get("XDG_CACHE_HOME", "")
        if self.folder == DEFAULT_FOLDER and Path(base).is_absolute():
            return Path(base) / "dist_vad"
        return Path(self.folder).expanduser()

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(self.gigabytes * 1e9)
