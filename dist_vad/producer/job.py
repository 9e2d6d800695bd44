"""The producer's job: every video of a data set into shard sets, resumable video by video."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tqdm import tqdm

from dist_vad.base.errors import InputError
from dist_vad.base.files import is_alive
from dist_vad.base.labels import Event
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.data.manifest import MANIFEST, SPLITS, Manifest, ShardInfo, VideoInfo, index_name, tar_name
from dist_vad.producer.opened_video import OpenedVideo, make_shards, open_video
from dist_vad.producer.plan import Plan, make_plans
from dist_vad.producer.progress_records import FAILED, all_records, read_record, remove_records, write_record
from dist_vad.producer.ranks import Rank
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VideoError
from dist_vad.video.source import Video

Output = TypeVar("Output", Path, str)
AMONG_VIDEOS = ("train", "test", "training", "testing", "videos")
"""Folders of data sets, in small letters, in which whatever lies is taken for a video."""


@dataclass(frozen=True)
class WriteOptions:
    """How the job is run, and which sets it writes; none of it changes a byte of what is written."""

    rank: Rank = field(default_factory=Rank)
    on_error: Literal["stop", "skip"] = "stop"
    """What to make of videos that do not decode: `stop` = no manifest, `skip` = one that lists them as failed."""
    progress: bool = True
    scratch: Path | None = None
    """Where the shards of a video wait for their upload, one video of a rank at a time; None = where the system has
    its temporary files. Not used where the output is local."""
    splits: tuple[str, ...] = SPLITS
    """Only sets of these are written: test video alone needs no training video beside it."""


def write_shards(settings: DataSettings, out: Output, options: WriteOptions | None = None) -> dict[str, Output]:
    """Write every shard set of a data set under `out`, a path or `s3://bucket/prefix`; returns where they lie by name,
    such as `cube-train`.

    A finished set is left as it is, an unfinished one is gone on with at the first unfinished video. With several
    ranks, each writes its share of the videos, and the one that ends last writes the manifests. Raises InputError,
    before anything is written, for a set that was made with other settings, for labels or boxes that do not fit their
    video and for videos that do not open; once the others are done, for those that do not decode; and for a split
    without samples.
    """
    options = options or WriteOptions()
    _check_place(settings, out)
    plans = make_plans(settings, out, options.splits)
    # Of all sets, also the finished ones: all ranks must come to the same, whichever of them starts first.
    shares = zip(plans, options.rank.shares([plan.videos for plan in plans]))
    mine = [(plan, videos) for plan, videos in shares if not plan.is_finished()]
    failed: dict[str, str] = {}
    opened = [_open(plan, videos, options, failed) for plan, videos in mine]
    unfinished = [plan for plan, _ in mine]
    if options.on_error == "skip" or not failed:
        for plan, videos in zip(unfinished, opened):
            # Another rank may have finished it since, and removed the records of what is done.
            if not plan.is_finished():
                _write_videos(plan, videos, options, failed)
    written = {plan.name for plan in unfinished if _finish(plan, options)}
    if failed and options.on_error == "stop":
        raise InputError(_failures(failed))
    if options.progress:
        _print_table(plans, written)
    return {plan.name: type(out)(plan.store.where()) for plan in plans}


def _check_place(settings: DataSettings, out: Output) -> None:
    """Refuse a place for shards among the videos, where the next look at the data set would take them for videos."""
    if not settings.root or "://" in str(out):
        return
    place, root = Path(out).resolve(), Path(settings.root).resolve()
    if place != root and place.is_relative_to(root) and place.relative_to(root).parts[0].lower() in AMONG_VIDEOS:
        raise InputError(f"the shards would lie at {out}, among the videos of {settings.root}; give another folder")


def _open(plan: Plan, videos: Sequence[Video], options: WriteOptions, failed: dict[str, str]) -> list[OpenedVideo]:
    """Open and check this rank's videos of a set; those that do not open go to `failed`."""
    opened = []
    for video in progress_bar(
        videos,
        desc=f"{plan.name}: checking",
        unit=" videos",
        leave=False,
        disable=not options.progress,
    ):
        record = read_record(plan, video)
        length = record["video"]["frames"] if record and FAILED not in record else None
        try:
            opened.append(open_video(plan, video, length))
        except VideoError as error:
            _fail(plan, video, error, failed)
    return opened


def _write_videos(plan: Plan, videos: list[OpenedVideo], options: WriteOptions, failed: dict[str, str]) -> None:
    """Write the shards of those videos that are not done; those that do not decode go to `failed`."""
    with progress_bar(
        total=sum(opened.length for opened in videos), unit=" frames", disable=not options.progress
    ) as bar:
        for opened in videos:
            bar.set_description(f"{plan.name} {opened.video.name}", refresh=False)
            if opened.done:
                bar.update(opened.length)
                continue
            try:
                write_record(plan, opened.video, _write_video(plan, opened, options.scratch, bar))
            except VideoError as error:
                _fail(plan, opened.video, error, failed)


def _write_video(plan: Plan, opened: OpenedVideo, scratch: Path | None, bar: tqdm) -> dict[str, Any]:
    """Write the shards of one video; returns its progress record: facts of the video and of its shards."""
    with plan.store.staging(scratch) as folder:
        shards = make_shards(plan, opened, folder, bar)
        for name in (name for shard in shards for name in (tar_name(shard), index_name(shard))):
            plan.store.put_file(name, folder / name)
    return {"video": dataclasses.asdict(opened.info), "shards": [dataclasses.asdict(shard) for shard in shards]}


def _fail(plan: Plan, video: Video, error: VideoError, failed: dict[str, str]) -> None:
    log.warning("failed: video %s: %s", video.name, error)
    failed[video.name] = str(error)
    write_record(plan, video, {FAILED: str(error)})


def _failures(failed: dict[str, str]) -> str:
    listed = "".join(f"\n  {name}: {reason}" for name, reason in failed.items())
    return (
        f"{len(failed)} of the videos failed; repair or remove them and start again (what is done is kept), or pass "
        f"--on_error skip to leave them out:{listed}"
    )


def _finish(plan: Plan, options: WriteOptions) -> bool:
    """Write the manifest if every video of the set is done; False while other ranks have not written theirs."""
    records = all_records(plan, options.on_error == "skip")
    if records is None:
        if plan.is_finished():  # another rank was quicker; what we noted since is of no use to anyone
            remove_records(plan)
        return False
    manifest = _manifest(plan, records)
    if not manifest.samples:
        raise InputError(
            f"{plan.name}: not one sample in {len(records)} videos "
            f"({', '.join(v.name for v in plan.videos[:3])}, …); look at data.detector (threshold, min_size, "
            "min_confidence, classes, boxes), and at whether the videos are longer than data.clip_length, "
            f"{manifest.clip_length} frames"
        )
    _remove_remains(plan, manifest)
    manifest.save(plan.store)
    remove_records(plan)
    return True


def _remove_remains(plan: Plan, manifest: Manifest) -> None:
    """Remove what attempts with other settings, or killed ones, left: shards that the manifest does not list, and
    temporary files of processes that are gone."""
    listed = {shard.name for shard in manifest.shards}
    # Names made from our own videos alone: whatever else lies there is not ours to remove.
    ours = {video.name for video in plan.videos}
    for name in plan.store.sizes():
        shard = re.fullmatch(r"((.+)-\d{4,})\.(tar|idx)", name)
        partial = re.fullmatch(r"\.(.+)\.(\d+)\.partial", name)
        remains = shard and shard[2] in ours and shard[1] not in listed
        if remains or (partial and not is_alive(int(partial[2]))):
            plan.store.delete(name)


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


def _print_table(plans: list[Plan], written: set[str]) -> None:
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for plan in plans:
        if plan.store.size(MANIFEST) is None:
            print(f"{plan.name:16} not whole yet: the rank that ends last writes its manifest", flush=True)
            continue
        manifest = Manifest.load(plan.store)
        size = sum(shard.bytes for shard in manifest.shards) / 1e6
        status = "" if plan.name in written else "  already there"
        status += f"  {len(manifest.failed)} failed: {', '.join(manifest.failed)}" if manifest.failed else ""
        row = f"{plan.name:16} {len(manifest.videos):7} {manifest.samples:9} {len(manifest.shards):7} {size:8.1f}"
        print(row + status, flush=True)
