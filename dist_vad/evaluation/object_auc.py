"""The AUC of single objects, where the regions of anomalies are annotated."""

import math

import numpy as np
from sklearn.metrics import roc_auc_score

from dist_vad.base.boxes import covered
from dist_vad.evaluation.evaluator import Evaluation, ScoredModel
from dist_vad.evaluation.frame_scores import video_regions

COVERED = 0.5
"""An object is anomalous where an annotated region covers so much of its box."""


def object_auc(evaluation: Evaluation, model: ScoredModel, score: str) -> float:
    """AUC of a score over all objects of the videos whose regions are annotated; nan where there are none.

    It judges a score before the maximum over a frame's objects and before smoothing, so that it depends neither on how
    many objects a frame has nor on how long an anomaly stays.
    """
    objects = labelled_objects(evaluation, model, score).values()
    if not objects:
        return math.nan
    truth, scores = (np.concatenate(parts) for parts in zip(*objects))
    return float(roc_auc_score(truth, scores)) if 0 < truth.sum() < len(truth) else math.nan


def labelled_objects(
    evaluation: Evaluation, model: ScoredModel, score: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Video whose regions are annotated -> of all its objects, whether they are anomalous, bool [N], and a score,
    float64 [N]."""
    manifest = evaluation.sets.test.manifest
    regions = video_regions(manifest)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for number, (shard, values) in enumerate(zip(manifest.shards, evaluation.object_scores(model, score))):
        if shard.video not in regions:
            continue
        index, of_video = evaluation.sets.test.index(number), regions[shard.video]
        anomalous = np.zeros(len(index), bool)
        for frame in np.unique(index["frame"]):
            rows, boxes = index["frame"] == frame, of_video.boxes[of_video.frames == frame]
            if len(boxes):
                anomalous[rows] = covered(index["box"][rows].astype(np.float64), boxes).max(axis=1) >= COVERED
        found.setdefault(shard.video, []).append((anomalous, values))
    return {video: tuple(np.concatenate(some) for some in zip(*parts)) for video, parts in found.items()}  # pyright: ignore
