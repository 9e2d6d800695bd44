"""Where the shard sets of a run lie, and how they are opened."""

from dist_vad.data.cache import ShardCache
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import LocalStore, Store, open_store
from dist_vad.settings.run import Settings


def shard_store(root: Store | str, kind: str, split: str) -> Store:
    """Where the shard set of a kind and a split lies, below a folder or `s3://bucket/prefix`."""
    return open_store(root).child(f"{kind}-{split}")


def open_set(settings: Settings, store: Store) -> ShardSet:
    """A shard set, read through the local cache where it lies in a bucket."""
    if isinstance(store, LocalStore):
        return ShardSet(store)
    return ShardSet(store, ShardCache(settings.cache.place, settings.cache.limit))
