"""The AUC that each convention of the field prints for the same scores, to see which one a figure can come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.metrics import MEDIAN_WIDTH, Pairs, average_precision, smooth

CUT = 4
"""Frames that a method of nine leaves out at each end of a video."""
NEAR = 0.0015
"""How near a published figure, which has three digits, must come."""


@dataclass(frozen=True)
class Convention:
    """One way of making a figure."""

    name: str
    ground_truth: str
    value: float
    """In [0, 1]; nan where undefined."""
    says: str
    """What is done, and what it does to the figure."""
    published: bool = False
    """Whether a figure that was asked for can come from it."""


def conventions(
    scores: Sequence[np.ndarray],
    truths: Mapping[str, Sequence[np.ndarray]],
    smoothing: str,
    published: float | None = None,
) -> list[Convention]:
    """What each convention prints, under each ground truth.

    Args:
        scores: float64 [frames] of each video.
        truths: name of ground truth -> labels of each video, uint8 [frames].
        smoothing: what the scores have already; raw ones are smoothed here too.
        published: a figure that some of them may come near to.
    """
    found = []
    for truth, labels in truths.items():
        for name, value, says in _figures(scores, labels, smoothing):
            near = published is not None and abs(value - published) <= NEAR
            found.append(Convention(name, truth, value, says, near))
    return found


def _figures(
    scores: Sequence[np.ndarray], labels: Sequence[np.ndarray], smoothing: str
) -> list[tuple[str, float, str]]:
    pairs = Pairs(labels, scores)
    mixed = (pairs.normal > 0) & (pairs.anomalous > 0)
    figures = [
        ("micro", pairs.auc(), "all frames of all videos laid end to end"),
        (
            "micro, without videos that are anomalous throughout",
            pairs.auc(pairs.normal > 0),
            "those videos have no normal frame to be compared with; leaving them out takes easy or hard frames away",
        ),
        (
            "micro, videos with both classes alone",
            pairs.auc(mixed),
            "videos of one class are left out: no false alarm of a normal video counts",
        ),
        ("macro", pairs.macro_auc(), "mean of the videos' own AUCs, over those with both classes"),
        (
            "macro, padded",
            pairs.macro_auc_padded(),
            "mean over all videos, each with one frame more of either class: flatters, videos of one class most of all",
        ),
    ]
    scaled = [_scaled(own) for own in scores]
    figures.append(
        (
            "micro, each video scaled to [0, 1]",
            Pairs(labels, scaled).auc(),
            "by its own lowest and highest score, which no alarm can know: uses that most test videos hold an anomaly",
        )
    )
    if smoothing == "none":
        for name, what in (("median17", f"median over {MEDIAN_WIDTH} frames"), ("gaussian4", "Gaussian of 4 frames")):
            smoothed = [smooth(own, name) for own in scores]
            figures.append((f"micro, {name}", Pairs(labels, smoothed).auc(), f"smoothed: {what}, centred"))
        both = [_scaled(smooth(own, "gaussian4")) for own in scores]
        figures.append(
            ("micro, gaussian4, each video scaled", Pairs(labels, both).auc(), "smoothed, then scaled one by one")
        )
    inner = [slice(CUT, len(own) - CUT) if len(own) > 2 * CUT else slice(0, 0) for own in scores]
    cut = Pairs([label[own] for label, own in zip(labels, inner)], [s[own] for s, own in zip(scores, inner)])
    figures.append(
        (f"micro, {CUT} frames at each end left out", cut.auc(), "where a method has no score and labels are cut to it")
    )
    figures.append(
        (
            "average precision",
            average_precision(labels, scores),
            "no AUC of the ROC curve, but called AUC-PR; it grows with the share of anomalous frames",
        )
    )
    return figures


def _scaled(own: np.ndarray) -> np.ndarray:
    """Scores [T] of a video stretched to [0, 1]; 0 where they are all the same."""
    if not len(own) or own.max() == own.min():
        return np.zeros_like(own)
    return (own - own.min()) / (own.max() - own.min())
