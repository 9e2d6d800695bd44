"""One video of the job: opened, its labels checked, its shards made."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dist_vad.base.errors import InputError
from dist_vad.base.labels import interval_labels
from dist_vad.base.log import log
from dist_vad.base.prefetch import prefetch
from dist_vad.data.manifest import ShardInfo, VideoInfo
from dist_vad.producer.pack import pack_video, scene_member
from dist_vad.producer.plan import Plan
from dist_vad.settings.data import DataSettings
from dist_vad.video.background import median_background
from dist_vad.video.cubes import cut_clips, cut_cubes
from dist_vad.video.detectors import check_detector, make_detector
from dist_vad.video.files import remarks_of
from dist_vad.video.progress_frames import ProgressFrames
from dist_vad.video.scene_feature import check_scene, scene_feature
from dist_vad.video.source import Frames, Video
from dist_vad.video.tracks import with_tracks

SAMPLES_PREFETCHED = 64
"""Most samples that wait to be encoded."""


@dataclass(frozen=True)
class OpenedVideo:
    """One video of a set, opened and checked."""

    video: Video
    frames: Frames
    labels: dict[str, list[list[int]]]
    length: int
    done: bool = False
    """Whether its shards are there already."""

    @property
    def info(self) -> VideoInfo:
        """What the manifest says of the video."""
        return VideoInfo(
            name=self.video.name,
            scene=self.video.scene,
            frames=self.length,
            fps=self.frames.fps,
            width=self.frames.width,
            height=self.frames.height,
            labels=self.labels,
            events=self.video.events,
            span=list(self.video.span) if self.video.span else None,
        )


def open_video(plan: Plan, video: Video, length: int | None = None) -> OpenedVideo:
    """Open a video and check its labels and boxes.

    Args:
        length: its frames, where it is done already: counting those of a video file means decoding it.

    Raises VideoError where it does not open, InputError where labels or boxes do not fit it.
    """
    frames = video.open()
    done = length is not None
    for remark in [] if done else remarks_of(frames):
        log.warning("remark: video %r: %s", video.source_name or video.name, remark)
    length = length if done else len(frames)
    if length < plan.settings.clip_length and not done:
        log.warning(
            "remark: video %r has %s frames, fewer than the %s of a cube: it gives no sample",
            video.source_name or video.name, length, plan.settings.clip_length,
        )  # fmt: skip
    if plan.kind == "cube":
        check_detector(plan.settings, video, length)
        check_scene(plan.settings)
    return OpenedVideo(video, frames, _checked_labels(plan.settings, video, length), length, done)


def make_shards(plan: Plan, opened: OpenedVideo, folder: Path, bar: tqdm) -> list[ShardInfo]:
    """Cut a video's samples and write its shards into a local folder; `bar` moves by a step a frame."""
    settings, video, frames = plan.settings, opened.video, opened.frames
    read = ProgressFrames(frames, bar)
    scene, detector = b"", None
    if plan.kind == "cube":
        background = median_background(frames)
        scene = scene_member(scene_feature(settings, background))
        detector = make_detector(settings, video, background, opened.length)
        samples = cut_cubes(
            read,
            detector,
            length=settings.clip_length,
            size=settings.cube_size,
            context=settings.context,
            stride=plan.stride,
            frames_at_once=settings.detector.batch,
            span=video.span,
        )
        samples = with_tracks(samples, plan.stride) if settings.tracks else samples
    else:
        size = settings.virtual_size
        samples = cut_clips(read, length=settings.clip_length, size=size, stride=plan.stride, span=video.span)
    virtual = plan.kind == "virtual"
    labels = interval_labels(opened.labels["virtual"], opened.length) if virtual else np.full(opened.length, -1)
    labelled = ((sample, int(labels[sample.frame])) for sample in prefetch(samples, SAMPLES_PREFETCHED))
    limit = settings.shard_samples
    shards = pack_video(folder, video.name, {"scene": video.scene}, labelled, settings.codec, scene, limit)
    if detector and detector.note:
        log.info("note: %s, video %r: %s", plan.name, video.name, detector.note)
    return shards


def _checked_labels(settings: DataSettings, video: Video, frames: int) -> dict[str, list[list[int]]]:
    """The video's labels, within its frames; those of another length are refused, or cut where that was asked for."""
    misfit = video.misfit(frames)
    if not misfit:
        return video.labels
    if settings.labels_mismatch == "refuse":
        raise InputError(
            f"video {video.name!r}: {frames} frames decoded, but {misfit}; pass --labels_mismatch clip to cut them to "
            "the video, frames without a label being normal"
        )
    log.info("note: video %r: %s, cut to its %s frames", video.name, misfit, frames)
    return {
        truth: [[start, min(end, frames)] for start, end in intervals if start < frames]
        for truth, intervals in video.labels.items()
    }
