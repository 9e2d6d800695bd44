"""Traces that a treatment leaves in scores, as numbers."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.fft import next_fast_len
from scipy.stats import norm, rankdata

from dist_vad.base import counters
from dist_vad.base.labels import intervals_of
from dist_vad.metrics import Pairs, smooth

EXACT = 1e-6
"""How near to each other ends of videos are the same, as a share of the range of all scores."""
MOST_VIDEOS = 0.9
"""Share of the videos that must show a trace."""
LONGEST = 120
"""Frames over which a smoothing is looked for."""
DISTINCT = 0.05
"""Share of different values among scores from which on how they turn says something."""
LONGEST_HOLD = 64
FARTHEST = 30
"""Frames by which scores may be late or early."""
SURE = 6.0
"""Gain of log-likelihood from which on a shift is sure."""
BOTH = 0.15
"""Share of that gain that onsets and offsets must each have."""
LEAST_GAIN = 0.002
"""Mean AUC that a shift must gain."""
SMOOTHER = (3.0, 4.0)
"""How many times as far apart as those of noise turning points must be, for scores that are stated to be raw, and for
smoothed ones: where slow scores are smoothed they turn less often than noise does."""


def shared_ends(scores: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """The lowest and the highest score, if those of nearly every video are the same; else None."""
    moving = [own for own in scores if len(own) > 1 and own.min() < own.max()]
    if len(moving) < 3:
        return None
    lows, highs = np.array([own.min() for own in moving]), np.array([own.max() for own in moving])
    near = EXACT * (highs.max() - lows.min())
    low, high = np.median(lows), np.median(highs)
    same = (np.abs(lows - low) <= near) & (np.abs(highs - high) <= near)
    return (float(low), float(high)) if np.mean(same) >= MOST_VIDEOS else None


def standardised(scores: Sequence[np.ndarray]) -> bool:
    """Whether nearly every video has mean 0 and deviation 1."""
    moving = [own for own in scores if len(own) > 2 and own.min() < own.max()]
    near = [abs(own.mean()) < 1e-3 and min(abs(own.std() - 1), abs(own.std(ddof=1) - 1)) < 1e-3 for own in moving]
    return len(moving) >= 3 and float(np.mean(near)) >= MOST_VIDEOS


def held_length(scores: Sequence[np.ndarray]) -> int:
    """The number of frames for which each score is held: 1 where scores change anywhere."""
    changes = np.concatenate([np.flatnonzero(np.diff(own)) + 1 for own in scores if len(own)] or [np.zeros(0, int)])
    if len(changes) < 10:
        return 1
    for length in range(LONGEST_HOLD, 1, -1):
        if np.mean(changes % length == 0) >= 0.98:
            return length
    return 1


class Trace(NamedTuple):
    """How smooth scores are."""

    turns: float
    """Frames from one turning point to the next."""
    width: int
    """Frames after which a change is taken back: the lag at which differences of successive scores are most opposed."""
    depth: float
    """How much they are: -0.5 for noise under a moving average of that width."""
    sharp: bool
    """Whether that lag stands alone, as under a moving average."""

    def smooth_beyond(self, expected: "Trace", factor: float) -> bool:
        """Whether this is smoother than expected by so many times."""
        farther = SMOOTHER[expected.width > 1] * expected.turns
        rounded = self.turns > farther and self.width > factor * max(expected.width, 2)
        averaged = self.sharp and self.width > factor * max(expected.width, 2)
        return rounded or averaged


def trace_of_smoothing(scores: Sequence[np.ndarray]) -> Trace | None:
    """The trace of a smoothing in scores; None where they are too short or constant, or counts of something, which stay
    as they are for long without any treatment."""
    long = [own for own in scores if len(own) >= 40 and own.min() < own.max()]
    if not long or len(np.unique(np.concatenate(long))) < DISTINCT * sum(map(len, long)):
        return None
    steps = np.concatenate([np.abs(np.diff(own)) for own in long])
    least = 1e-3 * float(np.median(steps[steps > 0]))  # below it lies the noise of rounding
    turns = [_turning_distance(own, least) for own in long]
    correlation = _correlation_of_steps(long)
    width = int(np.argmin(correlation[1:]) + 1)
    depth = float(correlation[width])
    beside = max(2, width // 8)
    neighbours = [correlation[at] for at in (width - beside, width + beside) if 0 < at < len(correlation)]
    sharp = width >= 4 and depth < -0.2 and all(value > depth / 2 for value in neighbours)
    return Trace(float(np.median(turns)), width, depth, sharp)


@functools.cache
def white_trace(smoothing: str) -> Trace:
    """The trace of noise under one of our smoothings: what is to be expected of scores that have it."""
    trace = trace_of_smoothing(_white(smoothing))
    assert trace is not None
    return trace


@functools.cache
def white_ends(smoothing: str) -> tuple[int, int]:
    """How many first and last frames of noise repeat one value under one of our smoothings, at most."""
    runs = [_runs(own) for own in _white(smoothing)]
    return max(int(own[0]) for own in runs), max(int(own[-1]) for own in runs)


def _white(smoothing: str) -> list[np.ndarray]:
    uniform = counters.uniform("trace", np.arange(8)[:, None], np.arange(2000)[None])
    return [smooth(norm.ppf(np.clip(row, 1e-12, None)), smoothing) for row in uniform]


def _runs(own: np.ndarray) -> np.ndarray:
    """The lengths of the runs of equal scores, in their order."""
    return np.diff(np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1, [len(own)]]))


def _turning_distance(own: np.ndarray, least: float) -> float:
    """Frames between turning points; steps of no more than `least` are no steps."""
    steps = np.diff(own)
    signs = np.sign(steps[np.abs(steps) > least])
    return len(own) / max(1, np.count_nonzero(signs[1:] != signs[:-1]))


def _correlation_of_steps(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Autocorrelation of the differences of successive scores at lags 0 to LONGEST, over all videos together.

    Lags for which the videos are too short are left out. Steps are clipped, so that no jump outweighs all others.
    """
    shortest = int(np.median([len(own) for own in scores]))
    lags = min(LONGEST, shortest // 2)
    total = np.zeros(lags + 1)
    deviation = float(np.median(np.abs(np.concatenate([np.diff(own) for own in scores])))) or math.inf
    for own in scores:
        steps = np.clip(np.diff(own), -6 * deviation, 6 * deviation)
        size = next_fast_len(len(steps) + lags + 1)
        spectrum = np.fft.rfft(steps - steps.mean(), size)
        sums = np.fft.irfft(spectrum * np.conj(spectrum), size)[: lags + 1]
        total[: len(sums)] += sums
    return total / total[0] if total[0] else total


class Shift(NamedTuple):
    """A shift of scores against labels that fits better than none."""

    frames: int
    """More than 0: scores come so many frames late."""
    still: float
    """Mean AUC of the videos as they are."""
    moved: float
    """The same with the labels moved by `frames`."""


def best_shift(scores: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Shift | None:
    """The shift of all labels that the scores make most likely, if it is sure and raises the mean AUC; else None.

    Scores are ranked and made normal; in each video the anomalous and the normal frames have a mean of their own. A
    shift calls a few frames at every onset and offset otherwise, and gains or loses likelihood by each. A lag shows at
    both: scores that rise late and fall early, as where an object walks into the picture, are no lag. Neighbouring
    frames say the same thing again, so the gain is divided by the time over which scores are correlated.
    """
    ranks = rankdata(np.concatenate([*scores]))
    normal = np.split(norm.ppf((ranks - 0.5) / len(ranks)), np.cumsum([len(own) for own in scores])[:-1])
    both = [(own, label != 0) for own, label in zip(normal, labels) if 0 < np.count_nonzero(label) < len(label)]
    if len(both) < 2:
        return None
    means = [(float(own[truth].mean()), float(own[~truth].mean())) for own, truth in both]
    rest = [own - np.where(truth, *mean) for (own, truth), mean in zip(both, means)]
    variance = float(np.mean(np.concatenate(rest) ** 2)) or math.inf
    gains = np.zeros((2, 2 * FARTHEST + 1))
    for (own, truth), (high, low) in zip(both, means):
        evidence = np.cumsum(np.append(0.0, (own - (high + low) / 2) * max(high - low, 0.0) / variance))
        gains += np.stack([_gains(evidence, truth, place - FARTHEST) for place in range(2 * FARTHEST + 1)], axis=1)
    total = gains.sum(axis=0)
    best = int(np.argmax(total)) - FARTHEST
    gain = total[best + FARTHEST]
    if best == 0 or gain < SURE * _correlation_time(rest) or gains[:, best + FARTHEST].min() < BOTH * gain:
        return None
    moved = [_moved(np.asarray(label), best) for label in labels]
    still, after = Pairs(labels, scores).macro_auc(), Pairs(moved, scores).macro_auc()
    return Shift(best, still, after) if after > still + LEAST_GAIN else None


def _gains(evidence: np.ndarray, truth: np.ndarray, shift: int) -> tuple[float, float]:
    """Evidence that is gained at onsets and at offsets where labels [T] move by `shift`.

    evidence [T + 1]: sum of that for `anomalous` of all frames before. The ends of the video are neither.
    """
    onsets = offsets = 0.0
    for start, end in intervals_of(truth):
        if start > 0:
            onsets += evidence[start] - evidence[np.clip(start + shift, 0, len(truth))]
        if end < len(truth):
            offsets += evidence[np.clip(end + shift, 0, len(truth))] - evidence[end]
    return onsets, offsets


def _moved(label: np.ndarray, shift: int) -> np.ndarray:
    """Labels [T] later by `shift` frames; what is anomalous at an end of the video stays so."""
    if abs(shift) >= len(label):
        return label
    if shift >= 0:
        return np.concatenate([np.repeat(label[:1], shift), label[: len(label) - shift]])
    return np.concatenate([label[-shift:], np.repeat(label[-1:], -shift)])


def _correlation_time(rest: Sequence[np.ndarray]) -> float:
    """Frames over which what the labels do not explain is correlated: 1 for noise, more for slow scores."""
    lags = 60
    sums, total = np.zeros(lags + 1), 0.0
    for own in rest:
        total += float(np.sum(own**2))
        sums += [float(np.sum(own[lag:] * own[: max(len(own) - lag, 0)])) for lag in range(lags + 1)]
    correlation = sums / total if total else sums
    below = np.flatnonzero(correlation <= 0)
    return float(1 + 2 * correlation[1 : (below[0] if len(below) else lags + 1)].sum())


def repeated_ends(scores: Sequence[np.ndarray], smoothing: str) -> tuple[int, int]:
    """How many first and last frames repeat one score in nearly every video, where these scores do not do so anywhere,
    and noise does not under the smoothing that is stated; 0, 0 where none do."""
    long = [own for own in scores if len(own) >= 20 and own.min() < own.max()]
    if not long:
        return 0, 0
    runs = [_runs(own) for own in long]
    inner = np.concatenate([own[1:-1] for own in runs])
    usual = float(np.quantile(np.repeat(inner, inner), 0.95)) if len(inner) else math.inf
    starts, ends = (np.sort([own[place] for own in runs]) for place in (0, -1))
    some = int((1 - MOST_VIDEOS) * len(runs))
    least = [max(3, 1.5 * usual, expected + 1) for expected in white_ends(smoothing)]
    start, end = (count if count >= low else 0 for count, low in zip((int(starts[some]), int(ends[some])), least))
    return start, end
