"""What scores give away of how they were made: a check of the protocol, from the numbers alone.

Each check looks for the trace of one habit that makes published figures incomparable. It names what it finds and what
follows for the figures; it never changes a score. A trace is no proof: a finding says what was seen, so that a reader
can ask. The thresholds were set on made-up scores and on box sizes, never on those of a method that somebody published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.judge.traces import (
    best_shift,
    held_length,
    repeated_ends,
    shared_ends,
    standardised,
    trace_of_smoothing,
    white_trace,
)
from dist_vad.metrics import Pairs, paired_difference

CAUSAL_LAG = {"median17_causal": 8, "gaussian4_causal": 5}
"""By how many frames a causal smoothing comes late, which is its price and no fault."""
LAG_SLACK = 2
WIDER = 2.0
"""How many times as wide as stated a smoothing must look to be named."""
LEAST_GAIN = 0.005
"""AUC by which another ground truth must fit better to be named."""
TURNED = 0.4


@dataclass(frozen=True)
class Finding:
    """Something that the scores give away."""

    key: str
    """Which check found it."""
    serious: bool
    """Whether figures made of these scores are not what they seem; else it is good to know."""
    says: str


@dataclass(frozen=True)
class Stated:
    """What the authors of the scores say of them."""

    smoothing: str
    ground_truth: str | None
    resamples: int = 1000


def check_protocol(
    names: Sequence[str],
    scores: Sequence[np.ndarray],
    truths: Mapping[str, Sequence[np.ndarray]],
    stated: Stated,
) -> list[Finding]:
    """Everything that is found in the scores of one method; nothing is a clean sheet.

    Args:
        names: of the videos.
        scores: float64 [frames] of each.
        truths: name of ground truth -> the labels of each video, uint8 [frames].
        stated: what is compared with.
    """
    labels = truths[stated.ground_truth] if stated.ground_truth is not None else next(iter(truths.values()))
    found = [
        _constant(names, scores, labels),
        _few_values(scores),
        _normalised(scores),
        _held(scores),
        _smoothing(scores, stated.smoothing),
        _lag(scores, labels, stated.smoothing),
        _padding(scores, stated.smoothing),
        _turned(scores, labels),
        *_ground_truth(scores, truths, stated),
    ]
    return [finding for finding in found if finding is not None]


def _constant(names: Sequence[str], scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Finding | None:
    """Videos with one score throughout."""
    constant = [n for n, (own, label) in enumerate(zip(scores, labels)) if len(own) > 1 and own.min() == own.max()]
    if not constant:
        return None
    anomalous = any(np.any(labels[n]) for n in constant)
    shown = ", ".join(names[n] for n in constant[:5]) + (" and others" if len(constant) > 5 else "")
    return Finding(
        "constant",
        anomalous,
        f"{len(constant)} of {len(names)} videos have one score throughout ({shown})"
        + ("; some of them hold anomalies, which nothing in these scores can find" if anomalous else ""),
    )


def _few_values(scores: Sequence[np.ndarray]) -> Finding | None:
    values = np.unique(np.concatenate([*scores]))
    if len(values) > 10:
        return None
    return Finding(
        "few_values",
        len(values) <= 2,
        f"there are {len(values)} different scores in all: these look like decisions; an AUC of decisions is the "
        "figure of one threshold, not of a ranking",
    )


def _normalised(scores: Sequence[np.ndarray]) -> Finding | None:
    """Each video stretched by its own lowest and highest score, or by its own mean and deviation."""
    ends = shared_ends(scores)
    price = (
        "so a video is judged by knowing all of it, and a normal video is made to alarm: no alarm could be raised this "
        "way, and the micro AUC is not comparable with one of scores as they are"
    )
    if ends is not None:
        low, high = ends
        return Finding(
            "per_video_minmax", True, f"each video reaches exactly {low:g} and {high:g}: scaled one by one, {price}"
        )
    if standardised(scores):
        return Finding("per_video_minmax", True, f"each video has mean 0 and deviation 1: scaled one by one, {price}")
    return None


def _held(scores: Sequence[np.ndarray]) -> Finding | None:
    length = held_length(scores)
    if length == 1:
        return None
    return Finding("held", False, f"scores change only every {length} frames: each is held for so many")


def _smoothing(scores: Sequence[np.ndarray], stated: str) -> Finding | None:
    """Smoother than noise would be under the smoothing that is stated."""
    length = held_length(scores)
    trace, expected = trace_of_smoothing([own[::length] for own in scores]), white_trace(stated)
    if trace is None or not (trace.smooth_beyond(expected, WIDER)):
        return None
    return Finding(
        "smoothing",
        True,
        f"smoothed over about {trace.width * length} frames, but {_stated(stated)}: scores turn every "
        f"{trace.turns * length:.0f} frames, noise under what is stated every {expected.turns:.0f}; a wide smoothing "
        "raises the AUC of long events, and delays alarms",
    )


def _stated(smoothing: str) -> str:
    return "no smoothing is stated" if smoothing == "none" else f"{smoothing} is stated"


def _lag(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray], stated: str) -> Finding | None:
    """All scores late, or early, by the same number of frames."""
    expected = CAUSAL_LAG.get(stated, 0)
    shift = best_shift(scores, labels)
    if shift is None or abs(shift.frames - expected) < LAG_SLACK or 0 <= shift.frames <= expected:
        return None
    side = "late" if shift.frames > 0 else "early"
    return Finding(
        "lag",
        True,
        f"scores come about {abs(shift.frames)} frames {side}: moved by so many, the mean AUC of the videos is "
        f"{shift.moved:.3f} instead of {shift.still:.3f}; a method that needs earlier or later frames must say which "
        "frame its score is of",
    )


def _padding(scores: Sequence[np.ndarray], stated: str) -> Finding | None:
    start, end = repeated_ends(scores, stated)
    if not start and not end:
        return None
    where = " and ".join(f"the {side} {count}" for side, count in (("first", start), ("last", end)) if count)
    return Finding(
        "padding",
        False,
        f"{where} frames of the videos repeat one score: the method has none of its own there; figures of others may "
        "leave such frames out",
    )


def _turned(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Finding | None:
    auc = Pairs(labels, scores).auc()
    if not auc < TURNED:
        return None
    return Finding(
        "turned",
        True,
        f"the micro AUC is {auc:.3f}: normal frames score higher; if a high score means normal (PSNR, regularity), "
        "pass --higher normal",
    )


def _ground_truth(
    scores: Sequence[np.ndarray], truths: Mapping[str, Sequence[np.ndarray]], stated: Stated
) -> list[Finding | None]:
    """Another ground truth of the same data set that the scores fit better."""
    if len(truths) < 2:
        return []
    pairs = {name: Pairs(labels, scores) for name, labels in truths.items()}
    best = max(pairs, key=lambda name: pairs[name].auc())
    against = stated.ground_truth or min(pairs, key=lambda name: pairs[name].auc())
    if best == against:
        return []
    difference = paired_difference(pairs[best], pairs[against], stated.resamples)
    low, _ = difference.micro_auc_interval
    if stated.ground_truth is None or not (low > 0 and difference.micro_auc > LEAST_GAIN):
        return []
    return [
        Finding(
            "ground_truth",
            True,
            f"the scores fit the ground truth {best} ({pairs[best].auc():.3f}) better than {against} "
            f"({pairs[against].auc():.3f}), which is stated: look which of them was used; figures under one must not "
            "stand beside figures under the other",
        )
    ]
