"""What a report is made of: plain values, filled in by the evaluation, drawn by the page and by the terminal table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dist_vad.base.labels import Event
from dist_vad.metrics import event_kinds
from dist_vad.report.synthetic import SyntheticAUC

LEARNED = "learned"
NO_LEARNING = "no learning"


@dataclass(frozen=True, kw_only=True)
class Stills:
    """Small pictures of a video, to see what a score was given to."""

    step: int
    """Every step-th frame, from frame 0 on."""
    images: Sequence[bytes]
    """JPEG."""


@dataclass(frozen=True, kw_only=True)
class VideoCurve:
    """One test video: its ground truth and its frame scores."""

    name: str
    scene: str = ""
    labels: np.ndarray | None
    """uint8 [T], 1 = anomalous; None for a video without labels."""
    events: Sequence[Event] = ()
    """Labelled anomalies, shaded by kind; without any the labels' own intervals are shaded."""
    scores: Mapping[str, np.ndarray]
    """Name of the score -> frame scores [T], smoothed as in the headline row: `fused`, `prediction`, and the baselines
    under the name of their scorer, so that their ROC curves can be drawn."""
    stills: Stills | None = None
    """None where the video is not at hand, or where there are too many videos for all to have some."""

    @property
    def frames(self) -> int:
        """Length T."""
        return max((len(score) for score in self.scores.values()), default=0)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One of the highest-scoring objects of the test set."""

    video: str
    frame: int
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the video."""
    score: float
    """By the headline's scorer, before smoothing."""
    heads: Mapping[str, float] = field(default_factory=dict)
    """Proxy task -> how rare its score is: -log10 of the share of normal training cubes that score as high."""
    supported: Mapping[str, float] = field(default_factory=dict)
    """Proxy task -> the highest of these that so many normal cubes can show; higher ones are extrapolated."""
    strip: np.ndarray
    """The cube, RGB uint8 [T, H, W, 3]."""
    image: np.ndarray | None = None
    """The whole frame, RGB uint8 [H, W, 3], or None where the video is no longer at hand."""
    anomalous: bool | None
    """Whether the ground truth calls the frame anomalous; None without labels."""
    event: str = ""
    """Name of the event at that frame, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A labelled stretch [start, end) of a video whose highest score is low."""

    video: str
    start: int
    end: int
    name: str
    """What it is, as far as the labels tell."""
    peak: float
    """Its highest score by the headline's scorer, smoothed."""
    passed: float
    """Share of all normal frames that score as high or higher, 0 to 1."""
    best: Finding | None
    """The object that scores highest in it; None where no object was found in it."""
    image: np.ndarray | None
    """A frame of it, RGB uint8 [H, W, 3], for want of an object; or None."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table of results; metrics in [0, 1], nan where undefined or without labels."""

    group: str
    """LEARNED, or NO_LEARNING for what no training went into (the untrained network too)."""
    phase: str
    """Phase after which it was measured; for NO_LEARNING whatever says best what it is, or nothing."""
    scorer: str
    """`prediction`, `fused`, `box_width`, ..."""
    smoothing: str
    """One of dist_vad.metrics.SMOOTHINGS, or whole_test_video_minmax."""
    ground_truth: str = ""
    micro_auc: float = math.nan
    macro_auc: float = math.nan
    macro_auc_padded: float = math.nan
    average_precision: float = math.nan
    equal_error_rate: float = math.nan
    micro_auc_interval: tuple[float, float] = (math.nan, math.nan)
    macro_auc_interval: tuple[float, float] = (math.nan, math.nan)
    """95 % bootstrap intervals over videos."""
    rbdc: float = math.nan
    tbdc: float = math.nan
    """Region- and track-based detection criteria of object scores, unsmoothed; where regions are annotated."""
    kinds: Mapping[str, float] = field(default_factory=dict)
    """Kind of event -> micro AUC."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """Name of event, such as `Robbery` -> micro AUC."""
    scenes: Mapping[str, float] = field(default_factory=dict)
    """Scene -> micro AUC of its own frames; empty where there is one scene."""
    note: str = ""
    """What must be said beside the figures; nothing for most."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a report shows."""

    title: str
    dataset: str
    headline: Row
    """The final result: last phase, the scorer that the run reports."""
    rows: Sequence[Row]
    """All results, phases in the order in which they were learned."""
    videos: Sequence[VideoCurve] = ()
    findings: Sequence[Finding] = ()
    misses: Sequence[Miss] = ()
    """The lowest peak first."""
    synthetic_auc: SyntheticAUC = field(default_factory=dict)
    """How well each score tells synthetic anomalies from held-out normal frames."""
    state: str = ""
    """Folder of the state that scored."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Nested and JSON-able: command, configuration, versions, git commit, seed, lineage, data fingerprint, time."""

    @property
    def labelled(self) -> bool:
        """Whether any ground truth is known: a labelled video, or a metric that somebody could compute."""
        return any(video.labels is not None for video in self.videos) or math.isfinite(self.headline.micro_auc)

    def kinds(self) -> list[str]:
        """The kinds of event in rows and videos, the field's three first."""
        named = [Event(start=0, end=0, name="", kind=kind) for row in self.rows for kind in row.kinds]
        return event_kinds([named, *(video.events for video in self.videos)])

    def comparable(self, group: str) -> list[Row]:
        """The rows of a group under the headline's smoothing and ground truth."""
        final = (self.headline.smoothing, self.headline.ground_truth)
        return [row for row in self.rows if row.group == group and (row.smoothing, row.ground_truth) == final]

    def baselines(self) -> list[Row]:
        """What the final scorer is drawn against: of an untrained network only the same scorer."""
        learned = {row.scorer for row in self.rows if row.group == LEARNED}
        return [
            row
            for row in self.comparable(NO_LEARNING)
            if row.scorer == self.headline.scorer or row.scorer not in learned
        ]


def words(name: str) -> str:
    """A name from code or data as people read it: `box_width` -> `box width`."""
    return name.replace("_", " ")


def row_name(row: Row) -> str:
    """What a row is called in a chart: the scorer, and for an unlearned one what it is where that says more."""
    first = "" if row.group == LEARNED or row.phase in ("", NO_LEARNING, "baseline", row.scorer) else row.phase
    return words(f"{first} {row.scorer}".strip())


HIGHER_IS_BETTER = {
    "micro_auc": True,
    "macro_auc": True,
    "macro_auc_padded": True,
    "average_precision": True,
    "equal_error_rate": False,
    "rbdc": True,
    "tbdc": True,
}
"""Metric -> whether more of it is better."""


def metric(row: Row, column: str) -> float:
    """The value of a metric, or of the AUC of a kind of event, by name."""
    return getattr(row, column) if column in HIGHER_IS_BETTER else row.kinds.get(column, math.nan)


def best_values(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[str, str, str], float]:
    """(ground truth, smoothing, column) -> the best value, so that only like is compared with like.

    Over learned and unlearned rows alike: a baseline that wins is shown to win.
    """
    best: dict[tuple[str, str, str], float] = {}
    for row in rows:
        for column in columns:
            key, value = (row.ground_truth, row.smoothing, column), metric(row, column)
            if math.isfinite(value):
                choose = max if HIGHER_IS_BETTER.get(column, True) else min
                best[key] = choose(best.get(key, value), value)
    return best
