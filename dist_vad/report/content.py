"""What a report is made of: plain values, filled in by the evaluation, drawn by the page and by the terminal table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dist_vad.manifest import Event

LEARNED = "learned"
NO_LEARNING = "no learning"


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
    """Proxy task -> score, in standard deviations above the mean of normal training cubes."""
    strip: np.ndarray
    """The cube, RGB uint8 [T, H, W, 3]."""
    image: np.ndarray | None = None
    """The whole frame, RGB uint8 [H, W, 3], or None where the video is no longer at hand."""
    anomalous: bool | None
    """Whether the ground truth calls the frame anomalous; None without labels."""
    event: str = ""
    """Name of the event at that frame, or nothing."""


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
    """`none` or `median17`."""
    ground_truth: str = ""
    micro_auc: float = math.nan
    macro_auc: float = math.nan
    macro_auc_padded: float = math.nan
    average_precision: float = math.nan
    equal_error_rate: float = math.nan
    kinds: Mapping[str, float] = field(default_factory=dict)
    """Kind of event -> micro AUC."""


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
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Nested and JSON-able: command, configuration, versions, git commit, seed, lineage of states, data fingerprint, time."""
