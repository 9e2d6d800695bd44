"""All pairs of an anomalous and a normal frame, counted once: every AUC, and its bootstrap, is a sum over them.

The ROC AUC is the share of pairs in which the anomalous frame has the higher score, a tie counting half (the
Mann-Whitney statistic). Counted by the videos of its two frames, wins[i, j], the pairs give the AUC over any choice of
videos, each taken any number of times w, without looking at a frame again:

    AUC = sum_ij w_i w_j wins[i, j] / (sum_i w_i anomalous[i] * sum_j w_j normal[j])
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from dist_vad.base import counters

CONFIDENCE = 0.95
Interval = tuple[float, float]
"""Lower and upper end; both nan where undefined."""
UNDEFINED: Interval = (math.nan, math.nan)


class Pairs:
    """Counts over the frames of some videos.

    Args:
        labels, scores: one array [T] for each video; scores are finite.
    """

    def __init__(self, labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> None:
        truth = [np.asarray(label) != 0 for label in labels]
        self.anomalous = np.array([np.count_nonzero(anomalous) for anomalous in truth], np.int64)
        """Anomalous frames of each video, [V]."""
        self.normal = np.array([len(anomalous) for anomalous in truth], np.int64) - self.anomalous
        """Normal frames of each video, [V]."""
        values = [np.asarray(score, np.float64) for score in scores]
        high = np.concatenate([v[t] for v, t in zip(values, truth)]) if values else np.zeros(0)
        low = np.concatenate([v[~t] for v, t in zip(values, truth)]) if values else np.zeros(0)
        levels, level_of = np.unique(high, return_inverse=True)
        member = csr_array(
            (np.ones(len(high)), level_of, np.concatenate([[0], np.cumsum(self.anomalous)])),
            shape=(len(values), len(levels)),
        )
        # Level k is above a normal score from index `above` on, and level with it or above from `level` on.
        above = np.searchsorted(levels, low, side="right")
        level = np.searchsorted(levels, low, side="left")
        ends = np.concatenate([[0], np.cumsum(self.normal)])
        self.wins = np.zeros((len(values), len(values)))
        """Pairs won by the anomalous frames of video i over the normal ones of video j, [V, V]; multiples of 1/2."""
        total, bins = np.zeros(len(levels)), len(levels) + 1
        for number in range(len(values)):
            own = slice(ends[number], ends[number + 1])
            beaten = np.bincount(above[own], minlength=bins) + np.bincount(level[own], minlength=bins)
            share = 0.5 * np.cumsum(beaten)[: len(levels)]
            self.wins[:, number] = member @ share
            total += share
        self._frame_wins = np.split(total[level_of], np.cumsum(self.anomalous)[:-1]) if len(values) else []
        self._padding = np.array([_padding(value, anomalous) for value, anomalous in zip(values, truth)])

    def auc(self, chosen: np.ndarray | None = None) -> float:
        """ROC AUC over all frames of the chosen videos (bool [V], or None for all), laid end to end (micro)."""
        chosen = np.ones(len(self.wins), bool) if chosen is None else chosen
        pairs = int(self.anomalous[chosen].sum()) * int(self.normal[chosen].sum())
        return float(self.wins[np.ix_(chosen, chosen)].sum() / pairs) if pairs else math.nan

    def video_aucs(self) -> np.ndarray:
        """ROC AUC of each video by itself, [V]; nan where it has one class only."""
        pairs = self.anomalous * self.normal
        return np.divide(np.diag(self.wins), pairs, out=np.full(len(pairs), math.nan), where=pairs > 0)

    def macro_auc(self) -> float:
        """Mean of the AUCs of the videos that have both classes; nan where none has."""
        aucs = self.video_aucs()
        defined = aucs[~np.isnan(aucs)]
        return float(np.mean(defined)) if len(defined) else math.nan

    def macro_auc_padded(self) -> float:
        """Mean of the AUCs of all videos, each with two frames more: a normal one that scores as its lowest frame, an
        anomalous one that scores as its highest. Videos without a frame are left out; nan where there is none."""
        pairs = (self.anomalous + 1) * (self.normal + 1)
        filled = self.anomalous + self.normal > 0
        return (
            float(np.mean((np.diag(self.wins) + self._padding)[filled] / pairs[filled])) if filled.any() else math.nan
        )

    def auc_of(self, chosen: Sequence[np.ndarray]) -> float:
        """ROC AUC of some of the anomalous frames against all normal frames of all videos.

        chosen: for each video bool [anomalous frames of it], in their order.
        """
        won = sum(float(wins[flags].sum()) for wins, flags in zip(self._frame_wins, chosen))
        pairs = sum(int(np.count_nonzero(flags)) for flags in chosen) * int(self.normal.sum())
        return won / pairs if pairs else math.nan

    def intervals(self, resamples: int) -> tuple[Interval, Interval]:
        """Percentile bootstrap intervals of the micro and of the macro AUC, at CONFIDENCE, over *videos* (`resampled`).

        Draws without both classes have no AUC and are left out. Sums of halves are exact in float64: no order of
        additions, hence no number of threads, changes an end of the micro interval.
        """
        micro, macro = self.resampled(resamples)
        return _interval(micro), _interval(macro)

    def resampled(self, resamples: int) -> tuple[np.ndarray, np.ndarray]:
        """The micro and the macro AUC of so many bootstrap samples of the videos, each [resamples]; nan if undefined.

        Frames of one video are far from independent, so whole videos are drawn, with replacement and as many as there
        are; every such draw gives its AUC exactly, from `wins`. The draws are the same for every scorer of a data set,
        so that differences of two scorers are paired.
        """
        videos = len(self.wins)
        if resamples == 0 or videos == 0:
            return np.zeros(0), np.zeros(0)
        drawn = counters.integers(0, videos, "bootstrap", np.arange(resamples)[:, None], np.arange(videos)[None])
        rows = np.arange(resamples)[:, None] * videos
        weights = np.bincount((rows + drawn).ravel(), minlength=resamples * videos).reshape(resamples, videos)
        times = weights.astype(np.float64)
        won = ((times @ self.wins) * times).sum(axis=1)
        micro = _ratio(won, (times @ self.anomalous) * (times @ self.normal))
        aucs = self.video_aucs()
        defined = ~np.isnan(aucs)
        return micro, _ratio((times[:, defined] * aucs[defined]).sum(axis=1), times[:, defined].sum(axis=1))


def _padding(values: np.ndarray, truth: np.ndarray) -> float:
    """Pairs won in a video [T] by or against the two frames that padding adds."""
    if len(values) == 0:
        return 0.0
    low, high = values.min(), values.max()
    over_low = values[truth] > low
    under_high = values[~truth] < high
    tied = np.count_nonzero(~over_low) + np.count_nonzero(~under_high) + (high == low)
    return float(np.count_nonzero(over_low) + np.count_nonzero(under_high) + (high > low) + 0.5 * tied)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, nan where that is undefined."""
    return np.divide(above, below, out=np.full(len(above), math.nan), where=below > 0)


def _interval(values: np.ndarray) -> Interval:
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return UNDEFINED
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
