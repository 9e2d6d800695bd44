"""The difference of two scorers on the same videos, with an interval: paired, since some videos are hard for both."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from dist_vad.base.errors import InputError
from dist_vad.metrics.pairs import CONFIDENCE, UNDEFINED, Interval, Pairs


class Difference(NamedTuple):
    """How much more the first scorer has than the second; nan where undefined."""

    micro_auc: float
    micro_auc_interval: Interval
    macro_auc: float
    macro_auc_interval: Interval


def paired_difference(first: Pairs, second: Pairs, resamples: int) -> Difference:
    """The AUCs of `first` less those of `second`, with bootstrap intervals over videos at CONFIDENCE.

    Both are of the same videos in the same order: every draw of videos gives both AUCs, and their difference. Plain
    percentiles are too narrow for few videos, so the ends lie a little farther out, as those of Student's t lie beyond
    the normal ones: the expanded percentile interval (Hesterberg, "What Teachers Should Know About the Bootstrap", The
    American Statistician 2015).

    Raises InputError where the two are not of as many videos.
    """
    if len(first.wins) != len(second.wins):
        raise InputError(f"{len(first.wins)} videos against {len(second.wins)}, expected the same videos")
    micro, macro = (a - b for a, b in zip(first.resampled(resamples), second.resampled(resamples)))
    videos = len(first.wins)
    return Difference(
        first.auc() - second.auc(),
        expanded_interval(micro, videos),
        first.macro_auc() - second.macro_auc(),
        expanded_interval(macro, videos),
    )


def expanded_interval(values: np.ndarray, videos: int) -> Interval:
    """The expanded percentile interval of a statistic's bootstrap values [resamples] over so many videos."""
    values = values[~np.isnan(values)]
    if len(values) == 0 or videos < 2:
        return UNDEFINED
    reach = t.ppf((1 + CONFIDENCE) / 2, videos - 1) * math.sqrt(videos / (videos - 1))
    low, high = np.quantile(values, [norm.cdf(-reach), norm.cdf(reach)])
    return float(low), float(high)
