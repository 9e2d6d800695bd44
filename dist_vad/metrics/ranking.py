"""Metrics of a ranking of frames: ROC and precision-recall."""

import math
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event
from dist_vad.metrics.pairs import Pairs


def micro_auc(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """ROC AUC over all frames of all videos laid end to end; nan where they are all of one class."""
    check(labels, scores)
    return Pairs(labels, scores).auc()


def macro_auc(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """Unpadded: mean of the videos' own ROC AUCs over the videos that have both classes; nan where no video has."""
    check(labels, scores)
    return Pairs(labels, scores).macro_auc()


def macro_auc_padded(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """Padded: mean of the videos' own ROC AUCs over *all* videos, each padded so that it has both classes.

    Every video gets one more normal frame, scored as its own lowest frame, and one more anomalous frame, scored as its
    own highest: the same as scaling its scores to [0, 1] and padding labels and scores with 0 and 1, as is done since
    Georgescu et al., TPAMI 2022. Padding only ever flatters, most of all a video of one class, so a number of
    this kind must not be compared with `macro_auc`. nan where there is no video.
    """
    check(labels, scores)
    return Pairs(labels, scores).macro_auc_padded()


def average_precision(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """Average precision over all frames of all videos (anomalous is the class to find); nan with one class only."""
    label, score = _joined(labels, scores)
    return float(average_precision_score(label, score)) if _both_classes(label) else math.nan


def equal_error_rate(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """The rate at which as many normal frames are called anomalous as anomalous ones normal; nan with one class only.

    Taken where the ROC curve, joined by straight lines, crosses the line from (0, 1) to (1, 0); 0 is best.
    """
    label, score = _joined(labels, scores)
    if not _both_classes(label):
        return math.nan
    false_positive, true_positive, _ = roc_curve(label, score)
    # Both rates only rise along the curve, so that their sum passes 1 exactly once.
    return float(np.interp(1.0, false_positive + true_positive, false_positive))


def roc_points(
    labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], limit: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """(false positive rate, true positive rate) of the ROC curve over all frames, each float64 [<= limit].

    For drawing: points are left out evenly along the length of the curve. Empty with one class only.
    """
    label, score = _joined(labels, scores)
    if not _both_classes(label):
        return np.zeros(0), np.zeros(0)
    false_positive, true_positive, _ = roc_curve(label, score)
    if len(false_positive) <= limit:
        return false_positive, true_positive
    along = false_positive + true_positive
    keep = np.unique(np.searchsorted(along, np.linspace(0, along[-1], limit)))
    return false_positive[keep], true_positive[keep]


def precision_recall_points(
    labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], limit: int = 300
) -> tuple[np.ndarray, np.ndarray]:
    """(recall, precision) over all frames, recall rising, each float64 [<= limit].

    For drawing, as a step curve: a point holds back to the recall before it, as average precision sums it. Points are
    left out evenly along the recall. Empty with one class only.
    """
    label, score = _joined(labels, scores)
    if not _both_classes(label):
        return np.zeros(0), np.zeros(0)
    precision, recall, _ = precision_recall_curve(label, score)
    precision, recall = precision[::-1], recall[::-1]
    if len(recall) > limit:
        keep = np.unique(np.searchsorted(recall, np.linspace(0, recall[-1], limit)))
        precision, recall = precision[keep], recall[keep]
    return recall, precision


def kind_auc(
    labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], events: Sequence[Sequence[Event]], kind: str
) -> float:
    """Micro AUC of one kind of event; nan where there is no such frame or no normal one.

    Positive is a frame that lies in an event of that kind and is anomalous under the ground truth; negative is
    every frame of every video that is normal under it; other anomalous frames are left out.
    """
    check(labels, scores)
    chosen = [within(label, [e for e in own if e.kind == kind]) for label, own in zip(labels, events, strict=True)]
    return Pairs(labels, scores).auc_of(chosen)


def within(label: np.ndarray, events: Sequence[Event]) -> np.ndarray:
    """Which of the anomalous frames of a video lie in one of some events, bool [anomalous frames]."""
    mask = np.zeros(len(label), bool)
    for event in events:
        mask[event.start : event.end] = True
    return mask[np.asarray(label) != 0]


def _both_classes(label: np.ndarray) -> bool:
    positives = int(np.count_nonzero(label))
    return 0 < positives < len(label)


def _joined(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of all videos end to end, checked."""
    check(labels, scores)
    if len(labels) == 0:
        return np.zeros(0, np.uint8), np.zeros(0)
    return np.concatenate([*labels]), np.concatenate([*scores]).astype(np.float64)


def check(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], names: Sequence[str] | None = None) -> None:
    """Raise InputError unless every video has one finite score for every label."""
    if len(labels) != len(scores):
        raise InputError(f"labels of {len(labels)} videos but scores of {len(scores)}, expected as many")
    for number, (label, score) in enumerate(zip(labels, scores)):
        name = f"video {names[number]!r}" if names else f"video {number} of {len(labels)}"
        if len(label) != len(score):
            raise InputError(f"{name}: {len(label)} labels but {len(score)} scores, expected one score for every label")
        finite = np.isfinite(score)
        if not finite.all():
            frame = int(np.argmin(finite))
            raise InputError(f"{name}: the score of frame {frame} is {score[frame]}, expected a finite number")
