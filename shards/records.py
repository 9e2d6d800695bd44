"""Records of the videos of a set that are done, kept until its manifest is written: what a restart goes on from."""

import json
from pathlib import Path
from typing import Any

from dist_vad.manifest import index_path, tar_path
from dist_vad.storage import write_json
from shards.datasets.base import Video
from shards.plan import Plan

DONE = ".done"
"""Folder of the records."""
FAILED = "failed"
"""Key of a record that holds the reason why a video has no shards."""


def record_path(plan: Plan, video: Video) -> Path:
    """Where the record of a video lies."""
    return plan.folder / DONE / f"{video.name}.json"


def write_record(plan: Plan, video: Video, facts: dict[str, Any]) -> None:
    """Note that a video is done, once its shards are whole, or that it failed."""
    write_json(record_path(plan, video), {"fingerprint": plan.video_fingerprint(video), **facts})


def read_record(plan: Plan, video: Video) -> dict[str, Any] | None:
    """The record of a video; None where it is of other settings, or where its shards are not there."""
    try:
        record = json.loads(record_path(plan, video).read_text())
    except FileNotFoundError:
        return None
    if record["fingerprint"] != plan.video_fingerprint(video):
        return None
    for shard in record.get("shards", ()):
        tar, index = tar_path(plan.folder, shard["name"]), index_path(plan.folder, shard["name"])
        if not (index.is_file() and tar.is_file() and tar.stat().st_size == shard["bytes"]):
            return None
    return record


def all_records(plan: Plan, with_failed: bool) -> list[dict[str, Any]] | None:
    """The records of all videos of a set; None while some are missing, or failed where that is not accepted."""
    records = [read_record(plan, video) for video in plan.videos]
    found = [record for record in records if record and (with_failed or FAILED not in record)]
    return found if len(found) == len(records) else None
