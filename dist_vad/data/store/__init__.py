"""Where files lie that others read too: a folder of this machine, or a prefix of an S3 bucket."""

from pathlib import Path

from dist_vad.data.store.base import Store
from dist_vad.data.store.local import LocalStore
from dist_vad.data.store.scratch import scratch_folder

__all__ = ["LocalStore", "Store", "open_store", "scratch_folder"]


def open_store(place: "Store | Path | str") -> Store:
    """The store at a path or at `s3://bucket/prefix`; a store is given back as it is.

    Raises InputError where a bucket does not answer, is not there, or refuses the credentials.
    """
    if isinstance(place, Store):
        return place
    if not str(place).startswith("s3://"):
        return LocalStore(Path(place))
    from dist_vad.data.store.s3 import open_bucket

    return open_bucket(str(place))
