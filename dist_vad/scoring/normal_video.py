"""The normal video of a run, by which scores are calibrated."""

from functools import cached_property

from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.scoring.geometry import Geometry
from dist_vad.settings.run import Settings


class NormalVideo:
    """Training and held-out normal video; nothing is opened before it is asked for.

    Args:
        settings: of the run that trained with it; where its shards lie.
        kind: `cube`, or `clip` for whole frames, which have no geometry.
    """

    def __init__(self, settings: Settings, kind: str = "cube") -> None:
        self.settings, self.kind = settings, kind

    @cached_property
    def is_there(self) -> bool:
        """Whether both shard sets are at hand."""
        root = open_store(self.settings.shards)
        stores = [shard_store(root, self.kind, split) for split in ("train", "val")]
        return all(store.size(MANIFEST) is not None for store in stores)

    @cached_property
    def train(self) -> ShardSet:
        """What was trained on."""
        return self._open("train")

    @cached_property
    def val(self) -> ShardSet:
        """What was held out."""
        return self._open("val")

    @cached_property
    def geometry(self) -> Geometry | None:
        """What the boxes of training video are like."""
        return Geometry.of(self.train) if self.kind == "cube" else None

    @cached_property
    def digests(self) -> list[str]:
        """Identify what is at hand; empty where it is not."""
        return [shards.manifest.content_digest for shards in (self.train, self.val)] if self.is_there else []

    def _open(self, split: str) -> ShardSet:
        return open_set(self.settings, shard_store(self.settings.shards, self.kind, split))
