"""Files of object scores to frame scores: one pass in manifest order, in memory that grows with the frames alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dist_vad.base.errors import InputError
from dist_vad.base.labels import interval_labels
from dist_vad.data.manifest import Manifest, VideoInfo
from dist_vad.evaluation.score_files import BOX, ScoreFiles, object_keys
from dist_vad.metrics import HighestPerFrame, RegionRates, Regions, RegionScores, annotated_regions

ScoresByVideo = dict[str, dict[str, np.ndarray]]
"""Score -> video -> raw frame scores, float64 [frames]."""


@dataclass(frozen=True)
class FrameScores:
    """Frame scores of a scored model, and what else is kept of its object scores."""

    frames: ScoresByVideo
    """By eq. 9: the maximum over the frame's objects."""
    peaks: dict[str, np.ndarray]
    """Video -> the id of the sample that scores highest at each frame by the last of the scores, int64 [frames]; -1
    where there is none."""
    regions: dict[str, RegionRates]
    """Score -> RBDC and TBDC over the videos whose regions are annotated."""


def read_frame_scores(files: ScoreFiles, manifest: Manifest, without_objects: dict[str, float]) -> FrameScores:
    """Frame scores from the score files of a test set.

    Args:
        without_objects: score -> what a frame without objects gets; these scores are read.

    Raises InputError where not every sample of the set has its scores exactly once.
    """
    geometry = {"stride": manifest.stride, "margin": manifest.clip_length // 2}
    annotated = video_regions(manifest)
    columns = ["frame", "object", *(BOX if annotated else ()), *without_objects]
    regions = RegionScores(sum(v.frames for v in manifest.videos if v.name in annotated), len(without_objects))
    frame_scores = FrameScores({score: {} for score in without_objects}, {}, {})
    tables, first = files.read(manifest.shards, columns), 0
    for video, samples in _samples_by_video(manifest):
        highest = {score: HighestPerFrame(video.frames, **geometry) for score in without_objects}
        located = (
            regions.video(annotated[video.name], length=video.frames, **geometry) if video.name in annotated else None
        )
        last = -1
        for count in samples:
            table = next(tables)
            last = _after(last, table, video)
            ids, frames = np.arange(first, first + count), table["frame"].to_numpy()
            first += count
            scores = [table[score].to_numpy() for score in without_objects]
            for number, (score, values) in enumerate(zip(without_objects, scores)):
                highest[score].add(frames, values, ids if number == len(without_objects) - 1 else None)
            if located:
                located.add(frames, _columns(table, BOX), np.stack(scores, axis=1))
        for score, value in without_objects.items():
            frame_scores.frames[score][video.name] = highest[score].scores(value)
        frame_scores.peaks[video.name] = highest[list(without_objects)[-1]].objects()
    frame_scores.regions.update(zip(without_objects, regions.rates()))
    return frame_scores


def video_regions(manifest: Manifest) -> dict[str, Regions]:
    """Video -> its annotated regions, for those videos whose regions are; nothing where no event of the set has any."""
    if not any(event.boxes for video in manifest.videos for event in video.events):
        return {}
    annotated = {}
    for video in manifest.videos:
        if video.labels:
            labels = interval_labels([span for intervals in video.labels.values() for span in intervals], video.frames)
            regions = annotated_regions(video.events, labels)
            annotated |= {} if regions is None else {video.name: regions}
    return annotated


def _samples_by_video(manifest: Manifest) -> list[tuple[VideoInfo, list[int]]]:
    """The videos in manifest order, each with the samples of its shards; some have none."""
    counts: dict[str, list[int]] = {video.name: [] for video in manifest.videos}
    order = [shard.video for shard in manifest.shards]
    for shard in manifest.shards:
        counts[shard.video].append(shard.samples)
    expected = [name for name, samples in counts.items() for _ in samples]
    if order != expected:
        raise InputError(
            "the manifest's shards are not in the order of its videos; expected all shards of the first video, then "
            "those of the second; write the shard set again"
        )
    return [(video, counts[video.name]) for video in manifest.videos]


def _after(last: int, table: pa.Table, video: VideoInfo) -> int:
    """The key of a file's last object. Raises InputError where its first does not come after `last`."""
    keys = object_keys(table)
    if len(keys) and keys[0] <= last:
        raise InputError(
            f"video {video.name!r}: frame {keys[0] >> 16} has an object in two of its shards; expected each once; "
            "write the shard set again, or verify it with `dist-vad shards verify`"
        )
    return int(keys[-1]) if len(keys) else last


def _columns(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Columns of a table beside each other, [N, len(names)]."""
    return np.stack([table[name].to_numpy() for name in names], axis=1)
