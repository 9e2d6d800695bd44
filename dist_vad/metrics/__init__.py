"""Frame scores from object scores, and the metrics of the field on them.

Conventions, the same everywhere in this package: labels are 0 (normal) or 1 (anomalous) per frame, a higher score means
more anomalous, and a metric that is undefined because only one class is present is `nan`. A score that is not finite
is refused with an InputError that names the video and the frame: it would otherwise sort somewhere and look like a
result.
"""

from dist_vad.metrics.frames import HighestPerFrame, frame_scores, held_from
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
    "HighestPerFrame",
    "Interval",
    "LabelledVideo",
    "Pairs",
    "RegionRates",
    "RegionScores",
    "Regions",
    "annotated_regions",
    "average_precision",
    "equal_error_rate",
    "event_kinds",
    "event_names",
    "frame_scores",
    "held_from",
    "kind_auc",
    "macro_auc",
    "macro_auc_padded",
    "micro_auc",
    "precision_recall_points",
    "roc_points",
    "smooth",
    "summarise",
]
