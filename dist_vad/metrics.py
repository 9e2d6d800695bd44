"""Frame scores from object scores, and the metrics of the field on them.

Conventions, the same everywhere in this file: labels are 0 (normal) or 1 (anomalous) per frame, a higher score means
more anomalous, and a metric that is undefined because only one class is present is `nan`. A score that is not finite
is refused with an InputError that names the video and the frame: it would otherwise sort somewhere and look like a
result.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from scipy.ndimage import median_filter
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from dist_vad.errors import InputError
from dist_vad.manifest import Event

SMOOTHINGS = ("none", "median17")
MEDIAN_WIDTH = 17
KIND_ORDER = ("scene_independent", "scene_dependent", "unseen")


class LabelledVideo(Protocol):
    """What `summarise` needs to know of a video."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> np.ndarray | None:
        """uint8 [T], or None for a video that nobody labelled."""
        ...

    @property
    def events(self) -> Sequence[Event]: ...


def smooth(scores: np.ndarray, method: str) -> np.ndarray:
    """Frame scores [T] of one video, smoothed over time, float64 [T].

    `none` leaves them as they are; `median17` is the paper's centred median filter of width 17, with the first and
    last value repeated beyond the ends (also where the video is shorter than the filter). Raises InputError for any
    other name.
    """
    values = np.asarray(scores, np.float64)
    if method not in SMOOTHINGS:
        raise InputError(f"unknown smoothing {method!r}; known are {', '.join(SMOOTHINGS)}")
    if method == "none" or len(values) == 0:
        return values.copy()
    return median_filter(values, size=MEDIAN_WIDTH, mode="nearest")


def frame_scores(
    object_frames: np.ndarray, object_scores: np.ndarray, *, length: int, stride: int, margin: int, floor: float
) -> np.ndarray:
    """Object scores of one video as one score per frame (eq. 9), float64 [length].

    object_frames [N] (any order) and object_scores [N]: the frame of every object and its score.
    The scored frames are those f with margin <= f < length - margin and f % stride == 0. Such a frame gets the maximum
    over its objects, or `floor` where it has none; a frame between two scored ones holds the value of the former; the
    frames before the first and after the last scored one repeat it. A video without any scored frame is all floor.

    Raises InputError for an object at a frame that is not scored and for a score that is not finite.
    """
    frames, values = np.asarray(object_frames, np.int64), np.asarray(object_scores, np.float64)
    scored = np.arange(length)[margin : max(length - margin, margin)]
    scored = scored[scored % stride == 0]
    _refuse_unscored(frames, scored, f"stride {stride} and margin {margin} in a video of {length} frames")
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        raise InputError(f"score of an object at frame {frames[first]} is {values[first]}, expected a finite number")
    if len(scored) == 0:
        return np.full(length, float(floor))
    highest = np.full(length, -np.inf)
    np.maximum.at(highest, frames, values)
    highest[np.isneginf(highest)] = floor
    source = np.searchsorted(scored, np.arange(length), side="right") - 1
    return highest[scored[np.maximum(source, 0)]]


def micro_auc(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """ROC AUC over all frames of all videos laid end to end; nan where they are all of one class."""
    return _auc(*_joined(labels, scores))


def macro_auc(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """Mean of the videos' own ROC AUCs over the videos that have both classes; nan where no video has."""
    _check(labels, scores)
    defined = [auc for auc in map(_auc, labels, scores) if not math.isnan(auc)]
    return float(np.mean(defined)) if defined else math.nan


def macro_auc_padded(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """Mean of the videos' own ROC AUCs over *all* videos, each padded so that it has both classes.

    Every video gets one more normal frame, scored as its own lowest frame, and one more anomalous frame, scored as its
    own highest: the same as scaling its scores to [0, 1] and padding labels and scores with 0 and 1, as is done since
    Georgescu et al., TPAMI 2022. Padding only ever flatters, most of all a video of one class, so a number of
    this kind must not be compared with `macro_auc`. nan where there is no video.
    """
    _check(labels, scores)
    padded = [
        _auc(np.concatenate([[0], label, [1]]), np.concatenate([[score.min()], score, [score.max()]]))
        for label, score in zip(labels, map(np.asarray, scores))
        if len(label)
    ]
    return float(np.mean(padded)) if padded else math.nan


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


def kind_auc(
    labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], events: Sequence[Sequence[Event]], kind: str
) -> float:
    """Micro AUC of one kind of event; nan where there is no such frame or no normal one.

    Positive is a frame that lies in an event of that kind and is anomalous under the ground truth; negative is
    every frame of every video that is normal under it; other anomalous frames are left out.
    """
    _check(labels, scores)
    chosen = [_kind_mask(label, some, kind) for label, some in zip(labels, events, strict=True)]
    keep = [mask | (np.asarray(label) == 0) for mask, label in zip(chosen, labels)]
    return micro_auc(
        [mask[kept].astype(np.uint8) for mask, kept in zip(chosen, keep)],
        [np.asarray(score)[kept] for score, kept in zip(scores, keep)],
    )


def event_kinds(events: Sequence[Sequence[Event]]) -> list[str]:
    """The kinds that occur: the field's three in their usual order, then any others by name."""
    present = {event.kind for some in events for event in some if event.kind}
    return [kind for kind in KIND_ORDER if kind in present] + sorted(present.difference(KIND_ORDER))


def summarise(videos: Sequence[LabelledVideo], scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One row of the table of results: every metric of one scorer's frame scores (video name -> [T]).

    Keys: micro_auc, macro_auc, macro_auc_padded, average_precision, equal_error_rate and kinds (kind -> kind_auc).
    Videos without labels are left out; if none has any, every number is nan and `kinds` is empty.
    """
    labelled = [(video, video.labels) for video in videos if video.labels is not None]
    names = [video.name for video, _ in labelled]
    labels = [label for _, label in labelled]
    missing = [name for name in names if name not in scores]
    if missing:
        raise InputError(f"no scores for video {missing[0]!r} ({len(missing)} videos lack them), expected every video")
    values = [np.asarray(scores[name]) for name in names]
    events = [video.events for video, _ in labelled]
    _check(labels, values, names)
    return {
        "micro_auc": micro_auc(labels, values),
        "macro_auc": macro_auc(labels, values),
        "macro_auc_padded": macro_auc_padded(labels, values),
        "average_precision": average_precision(labels, values),
        "equal_error_rate": equal_error_rate(labels, values),
        "kinds": {kind: kind_auc(labels, values, events, kind) for kind in event_kinds(events)},
    }


def _auc(label: np.ndarray, score: np.ndarray) -> float:
    return float(roc_auc_score(label, score)) if _both_classes(label) else math.nan


def _both_classes(label: np.ndarray) -> bool:
    positives = int(np.count_nonzero(label))
    return 0 < positives < len(label)


def _kind_mask(label: np.ndarray, events: Sequence[Event], kind: str) -> np.ndarray:
    """Which frames are anomalous because of an event of that kind, bool [T]."""
    mask = np.zeros(len(label), bool)
    for event in events:
        if event.kind == kind:
            mask[event.start : event.end] = True
    return mask & (np.asarray(label) != 0)


def _joined(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of all videos end to end, checked."""
    _check(labels, scores)
    if len(labels) == 0:
        return np.zeros(0, np.uint8), np.zeros(0)
    return np.concatenate([*labels]), np.concatenate([*scores]).astype(np.float64)


def _check(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray], names: Sequence[str] | None = None) -> None:
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


def _refuse_unscored(frames: np.ndarray, scored: np.ndarray, rule: str) -> None:
    """Raise InputError if an object lies at a frame that is not scored."""
    stray = frames[~np.isin(frames, scored)]
    if len(stray):
        raise InputError(
            f"an object at frame {stray[0]}, which is not a scored frame under {rule}; "
            "the shards and the scores are of different sets: write the shards again, then score them"
        )
