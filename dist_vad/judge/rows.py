"""Methods as rows of the table of results: the same metrics by the same code as those of an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad import metrics
from dist_vad.base.labels import Event, interval_labels
from dist_vad.data.manifest import VideoInfo
from dist_vad.judge.methods import Case
from dist_vad.report import Row


@dataclass(frozen=True)
class Labelled:
    """A video under one ground truth."""

    name: str
    scene: str
    events: Sequence[Event]
    labels: np.ndarray | None
    """uint8 [frames]; None where it has none of this name."""


def labelled(video: VideoInfo, truth: str) -> Labelled:
    """A video under a ground truth of that name."""
    intervals = video.labels.get(truth)
    labels = None if intervals is None else interval_labels(intervals, video.frames)
    return Labelled(video.name, video.scene, video.events, labels)


def rows_of(case: Case) -> list[Row]:
    """A row for each ground truth and method, in the order of `metrics.json`."""
    rows = []
    for truth in case.truths:
        videos = [labelled(video, truth) for video in case.videos]
        for method in case.methods:
            values = metrics.summarise(videos, method.scores, resamples=method.resamples)
            rows.append(Row(**method.facts, ground_truth=truth, **values))
    return rows
