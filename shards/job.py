"""The producer's job: every video of a data set into shard sets, resumable video by video."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from dist_vad.manifest import Event, Manifest, ShardInfo, VideoInfo, index_path, interval_labels, tar_path
from dist_vad.progress import progress_bar
from dist_vad.storage import write_json
from shards.background import median_background
from shards.cut import Sample, cut_clips, cut_cubes
from shards.datasets.base import Frames, Video
from shards.detectors import check_detector, make_detector
from shards.pack import pack_video, scene_member
from shards.plan import Plan, make_plans
from shards.scene import background_feature

DONE = ".done"
"""Folder of the records of finished videos, until the manifest is written."""


@dataclass(frozen=True)
class Work:
    """One video of a set, opened and checked."""

    video: Video
    frames: Frames
    labels: dict[str, list[list[int]]]
    record: Path
    """Where its record is written once its shards are whole."""
    length: int


def write_shards(settings: DataSettings, out: Path, progress: bool = True) -> dict[str, Path]:
    """Write every shard set of a data set under `out`; returns their folders by name, such as `cube-train`.

    A finished set is left as it is, an unfinished one is gone on with at the first unfinished video. Raises InputError
    for a set that was made with other settings, for labels or boxes that do not fit their video (before anything is
    written), for a video that does not decode, and for a split without samples.
    """
    plans = make_plans(settings, out)
    unfinished = [plan for plan in plans if not plan.is_finished()]
    opened = [_open(plan, progress) for plan in unfinished]
    for plan, works in zip(unfinished, opened):
        _write_set(plan, works, progress)
    if progress:
        _print_table(plans, {plan.folder for plan in unfinished})
    return {plan.folder.name: plan.folder for plan in plans}


def _open(plan: Plan, progress: bool) -> list[Work]:
    """Open and check the videos of a set."""
    works = []
    for video in progress_bar(
        plan.videos, desc=f"{plan.folder.name}: checking", unit=" videos", leave=False, disable=not progress
    ):
        frames, record = video.open(), plan.folder / DONE / f"{video.name}.json"
        done = _read_record(record, plan)
        # Counting a video file means decoding it: not twice for one that is done.
        length = done["video"]["frames"] if done else len(frames)
        if plan.kind == "cube":
            check_detector(plan.settings, video, length)
        works.append(Work(video, frames, _checked_labels(plan.settings, video, length), record, length))
    return works


def _write_set(plan: Plan, works: list[Work], progress: bool) -> None:
    """Write one set: the videos that are not done, then the manifest."""
    records = []
    with progress_bar(total=sum(work.length for work in works), unit=" frames", disable=not progress) as bar:
        for work in works:
            bar.set_description(f"{plan.folder.name} {work.video.name}", refresh=False)
            record = _read_record(work.record, plan)
            if record:
                bar.update(work.length)
            else:
                record = {"fingerprint": plan.fingerprint, **_write_video(plan, work, bar)}
                write_json(work.record, record)
            records.append(record)
    manifest = _manifest(plan, records)
    if not manifest.samples:
        raise InputError(
            f"{plan.folder.name}: not one sample in {len(works)} videos ({', '.join(w.video.name for w in works[:3])}, "
            "…); look at data.detector (threshold, min_size, min_confidence, classes, boxes), and at whether the "
            f"videos are longer than data.clip_length, {manifest.clip_length} frames"
        )
    _remove_remains(plan, manifest)
    manifest.save(plan.folder)
    shutil.rmtree(plan.folder / DONE, ignore_errors=True)


def _read_record(path: Path, plan: Plan) -> dict[str, Any] | None:
    """The record of a finished video; None where it is of other settings, or where its shards are not there."""
    if not path.is_file():
        return None
    record = json.loads(path.read_text())
    if record["fingerprint"] != plan.fingerprint:
        return None
    for shard in record["shards"]:
        tar, index = tar_path(plan.folder, shard["name"]), index_path(plan.folder, shard["name"])
        if not (index.is_file() and tar.is_file() and tar.stat().st_size == shard["bytes"]):
            return None
    return record


def _remove_remains(plan: Plan, manifest: Manifest) -> None:
    """Remove what attempts with other settings, or killed ones, left: shards that the manifest does not list, and
    temporary files of processes that are gone."""
    listed = {shard.name for shard in manifest.shards}
    # Names made from our own videos alone: whatever else lies there is not ours to remove.
    ours = {video.name for video in plan.videos}
    for path in sorted(plan.folder.iterdir()):
        shard = re.fullmatch(r"((.+)-\d{4,})\.(tar|idx)", path.name)
        partial = re.fullmatch(r"\.(.+)\.(\d+)\.partial", path.name)
        remains = shard and shard[2] in ours and shard[1] not in listed
        if remains or (partial and not _is_alive(int(partial[2]))):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True


def _write_video(plan: Plan, work: Work, bar: tqdm) -> dict[str, Any]:
    """Write the shards of one video; returns its record: facts of the video and of its shards."""
    settings, video, frames = plan.settings, work.video, work.frames
    counted = _Counted(frames, bar)
    scene, detector = b"", None
    if plan.kind == "cube":
        background = median_background(frames)
        scene = scene_member(background_feature(background, settings.scene_grid))
        detector = make_detector(settings, video, background, work.length)
        samples = cut_cubes(
            counted,
            detector,
            length=settings.clip_length,
            size=settings.cube_size,
            context=settings.context,
            stride=plan.stride,
            batch=settings.detector.batch,
        )
        labels = np.full(work.length, -1)
    else:
        samples = cut_clips(counted, length=settings.clip_length, size=settings.virtual_size, stride=plan.stride)
        labels = interval_labels(work.labels["virtual"], work.length)
    labelled: Iterator[tuple[Sample, int]] = ((sample, int(labels[sample.frame])) for sample in samples)
    limit = settings.shard_samples
    shards = pack_video(plan.folder, video.name, {"scene": video.scene}, labelled, settings.codec, scene, limit)
    if detector and detector.note:
        tqdm.write(f"note: {plan.folder.name}, video {video.name!r}: {detector.note}")
    info = VideoInfo(
        name=video.name,
        scene=video.scene,
        frames=work.length,
        fps=frames.fps,
        width=frames.width,
        height=frames.height,
        labels=work.labels,
        events=video.events,
    )
    return {"video": dataclasses.asdict(info), "shards": [dataclasses.asdict(shard) for shard in shards]}


class _Counted:
    """Frames that move a progress bar as they are read."""

    def __init__(self, frames: Frames, bar: tqdm) -> None:
        self.frames, self.bar = frames, bar
        self.fps, self.width, self.height = frames.fps, frames.width, frames.height

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self.frames:
            yield frame
            self.bar.update()


def _checked_labels(settings: DataSettings, video: Video, frames: int) -> dict[str, list[list[int]]]:
    """The video's labels, within its frames; those of another length are refused, or cut where that was asked for."""
    last = max((end for intervals in video.labels.values() for _, end in intervals), default=0)
    spoken = video.labelled_frames
    if last <= frames and spoken in (None, frames):
        return video.labels
    found = f"its labels run to frame {last} (counted from 1)" if spoken is None else f"its labels are of {spoken}"
    if settings.labels_mismatch == "refuse":
        raise InputError(
            f"video {video.name!r}: {frames} frames decoded, but {found}; pass --labels_mismatch clip to cut them to "
            "the video, frames without a label being normal"
        )
    cut = {name: [[s, min(e, frames)] for s, e in some if s < frames] for name, some in video.labels.items()}
    tqdm.write(f"note: video {video.name!r}: {found}, cut to its {frames} frames")
    return cut


def _manifest(plan: Plan, records: list[dict[str, Any]]) -> Manifest:
    settings, cube = plan.settings, plan.kind == "cube"
    videos = [record["video"] for record in records]
    return Manifest(
        dataset=settings.dataset,
        split=plan.split,
        kind=plan.kind,
        clip_length=settings.clip_length,
        size=settings.cube_size if cube else settings.virtual_size,
        stride=plan.stride,
        codec=settings.codec,
        scene_size=3 * settings.scene_grid**2 if cube else 0,
        settings=dataclasses.asdict(settings),
        fingerprint=plan.fingerprint,
        videos=[VideoInfo(**{**video, "events": [Event(**e) for e in video["events"]]}) for video in videos],
        shards=[ShardInfo(**shard) for record in records for shard in record["shards"]],
    )


def _print_table(plans: list[Plan], written: set[Path]) -> None:
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for plan in plans:
        made = Manifest.load(plan.folder)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        status = "" if plan.folder in written else "  already there"
        row = f"{plan.folder.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}"
        print(row + status, flush=True)
