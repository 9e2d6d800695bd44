"""Average precision that counts how early an event is found, after the idea of Liu et al., "Rethinking Metrics and
Benchmarks of Video Anomaly Detection" (arXiv 2505.19022, 2025): a metric should reward early detection.

Read in our own way. Average precision is the mean, over the anomalous frames, of the precision at the score of each
frame: the share of anomalous frames among all that score as high. Here each frame of an event counts with the
precision at the *highest score since the event began*, since the alarm is already given, and events count alike,
however long they are:

    LaAP = mean over events e of the mean over frames t of e of  P(max of the scores of e from its first frame to t)

So an event that scores high from its first frame on counts fully; one that is found after a share d of it counts that
share at the precision of a later, lower threshold. Figures of other code by the same name may differ.
"""

import math
from collections.abc import Sequence

import numpy as np

from dist_vad.base.labels import intervals_of
from dist_vad.metrics.ranking import check


def latency_aware_average_precision(labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> float:
    """LaAP over all events of all videos, in [0, 1]; nan where all frames are of one class.

    Args:
        labels, scores: one array [T] for each video, 0 = normal; scores are finite. An event is a run of anomalous
            frames.

    By hand: labels 0 1 1 0, scores 0.2 0.1 0.9 0.5. Precision at 0.1 is 2/4, at 0.9 it is 1. The event's highest scores
    so far are 0.1 and 0.9, so LaAP = (0.5 + 1) / 2 = 0.75. With the scores of its frames exchanged it is 1.
    """
    check(labels, scores)
    if not len(labels):
        return math.nan
    label = np.concatenate([*labels]) != 0
    score = np.concatenate([*scores]).astype(np.float64)
    if label.all() or not label.any():
        return math.nan
    anomalous, every = np.sort(score[label]), np.sort(score)
    values = []
    for own, value in zip(labels, scores):
        for start, end in intervals_of(own):
            highest = np.maximum.accumulate(np.asarray(value, np.float64)[start:end])
            right = len(anomalous) - np.searchsorted(anomalous, highest, side="left")
            values.append(np.mean(right / (len(every) - np.searchsorted(every, highest, side="left"))))
    return float(np.mean(values))
