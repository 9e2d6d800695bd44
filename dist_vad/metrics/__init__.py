"""Frame scores from object scores, and the metrics of the field on them.

Conventions, the same everywhere in this package: labels are 0 (normal) or 1 (anomalous) per frame, a higher score means
more anomalous, and a metric that is undefined because only one class is present is `nan`. A score that is not finite
is refused with an InputError that names the video and the frame: it would otherwise sort somewhere and look like a
result.

Functions take one array [frames] of labels and one of scores for each video; nothing here needs settings or torch:

    from dist_vad import metrics

    metrics.micro_auc([labels], [scores])  # scikit-learn's roc_auc_score
    metrics.paired_difference(metrics.Pairs(labels, mine), metrics.Pairs(labels, theirs), resamples=1000)
"""

from dist_vad.metrics.alarms import Alarms, count_alarms, operating_points
from dist_vad.metrics.frames import HighestPerFrame, frame_scores, held_from
from dist_vad.metrics.latency import latency_aware_average_precision
from dist_vad.metrics.paired import Difference, paired_difference
from dist_vad.metrics.pairs import Interval, Pairs
from dist_vad.metrics.ranking import (
    average_precision,
    equal_error_rate,
    kind_auc,
    macro_auc,
    macro_auc_padded,
    micro_auc,
    precision_recall_points,
    roc_points,
)
from dist_vad.metrics.regions import RegionRates, Regions, RegionScores, annotated_regions
from dist_vad.metrics.smoothing import MEDIAN_WIDTH, SMOOTHINGS, WHOLE_TEST_VIDEO_MINMAX, smooth
from dist_vad.metrics.summary import LabelledVideo, event_kinds, event_names, summarise

__all__ = [
    "MEDIAN_WIDTH",
    "SMOOTHINGS",
    "WHOLE_TEST_VIDEO_MINMAX",
    "Alarms",
    "Difference",
    "HighestPerFrame",
    "Interval",
    "LabelledVideo",
    "Pairs",
    "RegionRates",
    "RegionScores",
    "Regions",
    "annotated_regions",
    "average_precision",
    "count_alarms",
    "equal_error_rate",
    "event_kinds",
    "event_names",
    "frame_scores",
    "held_from",
    "kind_auc",
    "latency_aware_average_precision",
    "macro_auc",
    "macro_auc_padded",
    "micro_auc",
    "operating_points",
    "paired_difference",
    "precision_recall_points",
    "roc_points",
    "smooth",
    "summarise",
]
