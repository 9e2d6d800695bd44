"""Progress records: one for each video that is done, until the set's manifest is written; restarts go on from them."""

from collections.abc import Callable
from typing import Any

from dist_vad.base.errors import Damaged
from dist_vad.base.log import log
from dist_vad.base.sealed import sealed, unsealed
from dist_vad.data.manifest import index_name, tar_name
from dist_vad.producer.plan import Plan
from dist_vad.video.source import Video

DONE = ".done"
"""Folder of the progress records."""
FAILED = "failed"
"""Key of a progress record that holds the reason why a video has no shards."""


def record_name(video: Video) -> str:
    """Where the progress record of a video lies within its set."""
    return f"{DONE}/{video.name}.json"


def write_record(plan: Plan, video: Video, facts: dict[str, Any]) -> None:
    """Write the progress record of a video: done, once its shards are whole, or failed."""
    plan.store.put(record_name(video), sealed({"fingerprint": plan.video_fingerprint(video), **facts}))


def read_record(plan: Plan, video: Video, size: Callable[[str], int | None] | None = None) -> dict[str, Any] | None:
    """The progress record of a video; None where it is of other settings, or where its shards are not there.

    Args:
        size: bytes of a file of the set by name; given by whoever reads many records and has listed the set once.
    """
    size = size or plan.store.size
    if size(record_name(video)) is None:
        return None
    try:
        record = unsealed(plan.store.read(record_name(video)), plan.store.where(record_name(video)))
    except FileNotFoundError:  # another rank has just written the manifest
        return None
    except Damaged as error:
        log.warning("warning: %s; video %s is cut anew", error, video.name)
        return None
    if record["fingerprint"] != plan.video_fingerprint(video):
        return None
    for shard in record.get("shards", ()):
        if size(index_name(shard["name"])) is None or size(tar_name(shard["name"])) != shard["bytes"]:
            return None
    return record


def all_records(plan: Plan, with_failed: bool) -> list[dict[str, Any]] | None:
    """The progress records of all videos of a set; None while one is missing, or failed where that is not accepted."""
    sizes = plan.store.sizes()
    records = []
    for video in plan.videos:
        record = read_record(plan, video, sizes.get)
        if not record or (FAILED in record and not with_failed):
            return None
        records.append(record)
    return records


def remove_records(plan: Plan) -> None:
    """Remove every progress record of a set, once its manifest is there."""
    for name in plan.store.sizes():
        if name.startswith(f"{DONE}/"):
            plan.store.delete(name)
