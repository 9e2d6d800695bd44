"""The producer's job: every video of a data set into shard sets, resumable video by video."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from dist_vad.manifest import MANIFEST, Event, Manifest, ShardInfo, VideoInfo, interval_labels
from dist_vad.storage import digest, file_sha256, write_json
from shards.background import median_background
from shards.cut import Sample, cut_clips, cut_cubes
from shards.datasets import open_dataset, open_virtual
from shards.datasets.base import Frames, Video
from shards.detectors import boxes_file, make_detector
from shards.pack import pack_video, scene_member
from shards.scene import background_feature

PRODUCER_VERSION = 1
"""Goes up whenever the same settings would give other samples."""
DONE = ".done"
"""Folder of the records of finished videos, until the manifest is written."""


@dataclass(frozen=True)
class Plan:
    """One shard set to be made."""

    folder: Path
    kind: str
    split: str
    videos: list[Video]
    stride: int
    fingerprint: str


def write_shards(settings: DataSettings, out: Path, progress: bool = True) -> dict[str, Path]:
    """Write every shard set of a data set under `out`; returns their folders by name, such as `cube-train`.

    A finished set is left as it is, an unfinished one is gone on with at the first unfinished video. Raises InputError
    for a set that was made with other settings, for a video that does not decode, and for a split without samples.
    """
    plans = make_plans(settings, out)
    unfinished = [plan for plan in plans if not _is_finished(plan, settings)]
    for plan in unfinished:
        _write_set(plan, settings, progress)
    if progress:
        _print_table(plans, unfinished)
    return {plan.folder.name: plan.folder for plan in plans}


def make_plans(settings: DataSettings, out: Path) -> list[Plan]:
    """The shard sets that a data set gives."""
    videos = open_dataset(settings)
    train, val = hold_out([video for video in videos if video.split == "train"], settings.val_share)
    test = [video for video in videos if video.split == "test"]
    sets = [
        ("cube", "train", train, settings.train_stride),
        ("cube", "val", val, settings.train_stride),
        ("cube", "test", test, settings.test_stride),
        ("virtual", "train", open_virtual(settings), settings.virtual_stride),
    ]
    return [
        Plan(out / f"{kind}-{split}", kind, split, some, stride, _fingerprint(settings, kind, some))
        for kind, split, some, stride in sets
        if some
    ]


def hold_out(videos: list[Video], share: float) -> tuple[list[Video], list[Video]]:
    """(training, held-out normal) videos: which ones are held out follows from a hash of their names alone."""
    if len(videos) < 2:
        raise InputError(
            f"the training split has {len(videos)} videos; 2 or more are needed, since one share of them is held out to "
            "calibrate scores on. Look at data.root and at the layout that the data set expects"
        )
    count = min(max(1, round(share * len(videos))), len(videos) - 1)
    ranked = sorted(videos, key=lambda video: hashlib.sha256(video.name.encode()).hexdigest())
    held_out = {video.name for video in ranked[:count]}
    return [v for v in videos if v.name not in held_out], [v for v in videos if v.name in held_out]


def _fingerprint(settings: DataSettings, kind: str, videos: list[Video]) -> str:
    """Digest of all that decides the samples. Paths are left out: moving a data set changes nothing."""
    facts: dict[str, Any] = {
        key: value
        for key, value in dataclasses.asdict(settings).items()
        if key not in ("root", "labels", "plaza", "detector", "val_share")
    }
    if kind == "cube":
        detector = dataclasses.asdict(settings.detector) | {"boxes": None}
        files = {file_sha256(path) for video in videos if (path := boxes_file(settings, video))}
        facts |= {"detector": detector, "boxes": sorted(files)}
    return digest([PRODUCER_VERSION, kind, facts, [video.identity for video in videos]])


def _is_finished(plan: Plan, settings: DataSettings) -> bool:
    """Whether the set is there; refuses one that was made otherwise."""
    if not (plan.folder / MANIFEST).is_file():
        return False
    found = Manifest.load(plan.folder)
    if found.fingerprint == plan.fingerprint:
        return True
    now = dataclasses.asdict(settings)
    other = [f"{key}: {found.settings.get(key)!r}, now {now[key]!r}" for key in now if found.settings.get(key) != now[key]]
    raise InputError(
        f"{plan.folder} was made with other settings or from other videos ({'; '.join(other) or 'other videos'}); "
        "choose another --out, or delete that folder"
    )


def _write_set(plan: Plan, settings: DataSettings, progress: bool) -> None:
    """Write one set: the videos that are not done, then the manifest."""
    opened = [(video, video.open()) for video in plan.videos]
    records = []
    with tqdm(total=sum(len(frames) for _, frames in opened), unit=" frames", disable=not progress) as bar:
        for video, frames in opened:
            bar.set_description(f"{plan.folder.name} {video.name}")
            record = plan.folder / DONE / f"{video.name}.json"
            if not _is_done(record, plan.fingerprint):
                write_json(record, {"fingerprint": plan.fingerprint, **_write_video(plan, settings, video, frames, bar)})
            else:
                bar.update(len(frames))
            records.append(json.loads(record.read_text()))
    manifest = _manifest(plan, settings, records)
    if not manifest.samples:
        raise InputError(
            f"{plan.folder.name}: no sample in {len(plan.videos)} videos; look at data.detector (threshold, min_size, "
            "min_confidence, boxes) and at whether the videos are longer than data.clip_length"
        )
    manifest.save(plan.folder)
    shutil.rmtree(plan.folder / DONE)


def _is_done(record: Path, fingerprint: str) -> bool:
    return record.is_file() and json.loads(record.read_text())["fingerprint"] == fingerprint


def _write_video(plan: Plan, settings: DataSettings, video: Video, frames: Frames, bar: tqdm) -> dict[str, Any]:
    """Write the shards of one video; returns its record: facts of the video and of its shards."""
    counted = _Counted(frames, bar)
    scene = b""
    if plan.kind == "cube":
        background = median_background(frames)
        scene = scene_member(background_feature(background, settings.scene_grid))
        samples = cut_cubes(
            counted,
            make_detector(settings, video, background, len(frames)),
            length=settings.clip_length,
            size=settings.cube_size,
            context=settings.context,
            stride=plan.stride,
        )
        labels = np.full(len(frames), -1)
    else:
        samples = cut_clips(counted, length=settings.clip_length, size=settings.virtual_size, stride=plan.stride)
        labels = interval_labels(video.labels["virtual"], len(frames))
    labelled: Iterator[tuple[Sample, int]] = ((sample, int(labels[sample.frame])) for sample in samples)
    facts = {"scene": video.scene}
    limit = settings.shard_samples
    shards = pack_video(plan.folder, video.name, facts, labelled, settings.codec, scene, limit)
    info = VideoInfo(
        name=video.name,
        scene=video.scene,
        frames=len(frames),
        fps=frames.fps,
        width=frames.width,
        height=frames.height,
        labels=_checked_labels(settings, video, len(frames)),
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
    """The video's labels, within its frames; longer ones are refused, or cut where that was asked for."""
    last = max((end for intervals in video.labels.values() for _, end in intervals), default=0)
    if last <= frames:
        return video.labels
    if settings.labels_mismatch == "refuse":
        raise InputError(
            f"video {video.name!r}: {frames} frames decoded, but its labels run to frame {last - 1} (0-based); pass "
            "--labels_mismatch clip to cut them to the video"
        )
    cut = {name: [[s, min(e, frames)] for s, e in some if s < frames] for name, some in video.labels.items()}
    tqdm.write(f"note: video {video.name!r}: labels run to frame {last - 1}, cut to its {frames} frames")
    return cut


def _manifest(plan: Plan, settings: DataSettings, records: list[dict[str, Any]]) -> Manifest:
    cube = plan.kind == "cube"
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


def _print_table(plans: list[Plan], written: list[Plan]) -> None:
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for plan in plans:
        made = Manifest.load(plan.folder)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        status = "" if plan in written else "  was there already"
        row = f"{plan.folder.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}"
        print(row + status, flush=True)
