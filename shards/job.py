"""The producer's job: every video of a data set into shard sets, resumable video by video."""

import contextlib
import dataclasses
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from dist_vad.manifest import MANIFEST, Event, Manifest, ShardInfo, VideoInfo, interval_labels
from dist_vad.progress import progress_bar
from shards.ahead import ahead
from shards.background import median_background
from shards.cut import cut_clips, cut_cubes
from shards.datasets.base import Frames, Video
from shards.detectors import check_detector, make_detector
from shards.pack import pack_video, scene_member
from shards.plan import Plan, make_plans
from shards.ranks import Rank
from shards.records import DONE, FAILED, all_records, read_record, write_record
from shards.scene import check_scene, scene_feature
from shards.tracks import with_tracks
from shards.video import VideoError

FRAMES_AHEAD, SAMPLES_AHEAD = 16, 64
"""Decoded frames that wait for the detector, and cut samples that wait to be encoded."""


@dataclass(frozen=True)
class How:
    """How the job is run; none of it changes a byte of what is written."""

    rank: Rank = field(default_factory=Rank)
    on_error: Literal["stop", "skip"] = "stop"
    """What to make of videos that do not decode: `stop` = no manifest, `skip` = one that lists them as failed."""
    progress: bool = True


@dataclass(frozen=True)
class Work:
    """One video of a set, opened and checked."""

    video: Video
    frames: Frames
    labels: dict[str, list[list[int]]]
    length: int


def write_shards(settings: DataSettings, out: Path, how: How | None = None) -> dict[str, Path]:
    """Write every shard set of a data set under `out`; returns their folders by name, such as `cube-train`.

    A finished set is left as it is, an unfinished one is gone on with at the first unfinished video. With several
    ranks, each writes its share of the videos, and the one that ends last writes the manifests. Raises InputError,
    before anything is written, for a set that was made with other settings, for labels or boxes that do not fit their
    video and for videos that do not open; once the others are done, for those that do not decode; and for a split
    without samples.
    """
    how = how or How()
    plans = make_plans(settings, out)
    unfinished = [plan for plan in plans if not plan.is_finished()]
    failed: dict[str, str] = {}
    opened = [_open(plan, how, failed) for plan in unfinished]
    if how.on_error == "skip" or not failed:
        for plan, works in zip(unfinished, opened):
            _write_videos(plan, works, how, failed)
    written = {plan.folder for plan in unfinished if _finish(plan, how)}
    if failed and how.on_error == "stop":
        raise InputError(_failures(failed))
    if how.progress:
        _print_table(plans, written)
    return {plan.folder.name: plan.folder for plan in plans}


def _open(plan: Plan, how: How, failed: dict[str, str]) -> list[Work]:
    """Open and check this rank's videos of a set; those that do not open go to `failed`."""
    works = []
    for video in progress_bar(
        how.rank.share(plan.videos),
        desc=f"{plan.folder.name}: checking",
        unit=" videos",
        leave=False,
        disable=not how.progress,
    ):
        record = read_record(plan, video)
        try:
            frames = video.open()
            # Counting a video file means decoding it: not twice for one that is done.
            length = record["video"]["frames"] if record and FAILED not in record else len(frames)
        except VideoError as error:
            _fail(plan, video, error, failed)
            continue
        if plan.kind == "cube":
            check_detector(plan.settings, video, length)
            check_scene(plan.settings)
        works.append(Work(video, frames, _checked_labels(plan.settings, video, length), length))
    return works


def _write_videos(plan: Plan, works: list[Work], how: How, failed: dict[str, str]) -> None:
    """Write the shards of those videos that are not done; those that do not decode go to `failed`."""
    with progress_bar(total=sum(work.length for work in works), unit=" frames", disable=not how.progress) as bar:
        for work in works:
            bar.set_description(f"{plan.folder.name} {work.video.name}", refresh=False)
            record = read_record(plan, work.video)
            if record and FAILED not in record:
                bar.update(work.length)
                continue
            try:
                write_record(plan, work.video, _write_video(plan, work, bar))
            except VideoError as error:
                _fail(plan, work.video, error, failed)


def _fail(plan: Plan, video: Video, error: VideoError, failed: dict[str, str]) -> None:
    tqdm.write(f"failed: video {video.name}: {error}", file=sys.stderr)
    failed[video.name] = str(error)
    write_record(plan, video, {FAILED: str(error)})


def _failures(failed: dict[str, str]) -> str:
    listed = "".join(f"\n  {name}: {reason}" for name, reason in failed.items())
    return (
        f"{len(failed)} of the videos failed; repair or remove them and start again (what is done is kept), or pass "
        f"--on_error skip to leave them out:{listed}"
    )


def _finish(plan: Plan, how: How) -> bool:
    """Write the manifest if every video of the set is done; False while other ranks have not written theirs."""
    records = all_records(plan, how.on_error == "skip")
    if records is None:
        return False
    manifest = _manifest(plan, records)
    if not manifest.samples:
        raise InputError(
            f"{plan.folder.name}: not one sample in {len(records)} videos "
            f"({', '.join(v.name for v in plan.videos[:3])}, …); look at data.detector (threshold, min_size, "
            "min_confidence, classes, boxes), and at whether the videos are longer than data.clip_length, "
            f"{manifest.clip_length} frames"
        )
    _remove_remains(plan, manifest)
    manifest.save(plan.folder)
    shutil.rmtree(plan.folder / DONE, ignore_errors=True)
    return True


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
        scene = scene_member(scene_feature(settings, background))
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
        samples = with_tracks(samples, plan.stride) if settings.tracks else samples
    else:
        samples = cut_clips(counted, length=settings.clip_length, size=settings.virtual_size, stride=plan.stride)
    virtual = plan.kind == "virtual"
    labels = interval_labels(work.labels["virtual"], work.length) if virtual else np.full(work.length, -1)
    labelled = ((sample, int(labels[sample.frame])) for sample in ahead(samples, SAMPLES_AHEAD))
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
        for frame in ahead(self.frames, FRAMES_AHEAD):
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
    done = [record for record in records if FAILED not in record]
    failed = {video.name: record[FAILED] for video, record in zip(plan.videos, records) if FAILED in record}
    videos = [record["video"] for record in done]
    return Manifest(
        dataset=settings.dataset,
        split=plan.split,
        kind=plan.kind,
        clip_length=settings.clip_length,
        size=settings.cube_size if cube else settings.virtual_size,
        stride=plan.stride,
        codec=settings.codec,
        scene_size=settings.scene_size if cube else 0,
        settings=dataclasses.asdict(settings),
        fingerprint=plan.fingerprint,
        videos=[VideoInfo(**{**video, "events": [Event(**e) for e in video["events"]]}) for video in videos],
        shards=[ShardInfo(**shard) for record in done for shard in record["shards"]],
        failed=failed,
    )


def _print_table(plans: list[Plan], written: set[Path]) -> None:
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for plan in plans:
        if not (plan.folder / MANIFEST).is_file():
            print(f"{plan.folder.name:16} not whole yet: the rank that ends last writes its manifest", flush=True)
            continue
        made = Manifest.load(plan.folder)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        status = "" if plan.folder in written else "  already there"
        status += f"  {len(made.failed)} failed: {', '.join(made.failed)}" if made.failed else ""
        row = f"{plan.folder.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}"
        print(row + status, flush=True)
