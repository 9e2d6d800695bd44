"""Where files lie that others read too: a folder of this machine, a prefix of a bucket, a hub, a web server."""

import re
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.data.store.base import Store
from dist_vad.data.store.local import LocalStore
from dist_vad.data.store.remote import PACKAGES, open_remote
from dist_vad.data.store.scratch import scratch_folder

__all__ = ["LocalStore", "Store", "open_store", "scratch_folder"]


def open_store(place: "Store | Path | str") -> Store:
    """The store at a path, at `s3://bucket/prefix`, or at a URL that fsspec knows; a store is given back as it is.

    Raises InputError where a bucket is not there or refuses the credentials, and for an address of another kind;
    Unavailable where no server answers.
    """
    if isinstance(place, Store):
        return place
    scheme = re.match(r"([A-Za-z][\w+.-]*)://?", str(place)) if isinstance(place, str) else None
    if scheme is None:
        if not str(place):
            raise InputError("the name of a folder is empty; allowed: a folder of this machine, or s3://BUCKET/PREFIX")
        return LocalStore(Path(place).expanduser())
    if str(place).startswith("s3://"):
        from dist_vad.data.store.s3 import open_bucket

        return open_bucket(str(place))
    if scheme[1] in PACKAGES and scheme[0].endswith("//"):
        return open_remote(str(place))
    known = ", ".join(f"{name}://" for name in ("s3", *PACKAGES))
    raise InputError(f"{place!r} begins like an address; allowed: a folder of this machine, {known}")
