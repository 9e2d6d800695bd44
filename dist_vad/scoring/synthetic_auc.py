"""The validation AUC of a scorer: synthetic anomalies against the held-out normal frames of which they were made."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import auc, roc_curve

from dist_vad.base.groups import rows_by
from dist_vad.base.spacing import balanced
from dist_vad.data.shardset import ShardSet

NORMAL = "normal"
"""What stands beside the kinds of synthetic anomalies: the objects as they are."""
Aucs = dict[str, dict[str, float]]
"""Score -> kind of synthetic anomaly -> its frame-level AUC."""


@dataclass(frozen=True)
class HeldOut:
    """Objects of held-out normal video, all of every frame that was chosen."""

    ids: np.ndarray
    """int64 [N], sample ids in ascending order."""
    frames: np.ndarray
    """int64 [N]: the number of the frame in which each object lies, from 0."""


def held_out(val: ShardSet, most: int) -> HeldOut:
    """Evenly spaced frames of every scene of a set with about `most` objects in them, or all of its frames."""
    shards = val.manifest.shards
    frame = np.concatenate([index["frame"] for index in val.indexes(range(len(shards)))]).astype(np.int64)
    videos = {name: i for i, name in enumerate(dict.fromkeys(shard.video for shard in shards))}
    # One number for video and frame: a sort of pairs takes ten times as long.
    start = np.array([videos[shard.video] for shard in shards]) * (int(frame.max()) + 1)
    frame += np.repeat(start, [shard.samples for shard in shards])
    _, first, of_object = np.unique(frame, return_index=True, return_inverse=True)
    del frame
    scene = val.scene_numbers(first)
    chosen = balanced(scene, max(len(np.unique(scene)), round(len(first) * min(1.0, most / len(val)))))
    ids = np.flatnonzero(np.isin(of_object, chosen))
    return HeldOut(ids, np.searchsorted(chosen, of_object[ids]))


@dataclass(frozen=True)
class HeldOutScenes:
    """Held-out objects scene by scene, each scene in two halves of its frames."""

    scenes: np.ndarray
    """Names of their scenes [N]."""
    frames: np.ndarray
    """int64 [N]: the number of the frame in which each object lies."""
    halves: np.ndarray
    """int64 [N]: 0 for the objects of a scene's earlier frames, 1 for those of its later ones."""

    @classmethod
    def of(cls, scenes: np.ndarray, frames: np.ndarray) -> "HeldOutScenes":
        """The halves follow from the frames' numbers."""
        halves = np.zeros(len(frames), np.int64)
        for rows in rows_by(scenes).values():
            own = np.unique(frames[rows])
            halves[rows] = frames[rows] >= own[len(own) // 2]
        return cls(scenes, frames, halves)

    @property
    def first(self) -> np.ndarray:
        """bool [N]: the objects of the earlier half, by which scores are checked and weighed."""
        return self.halves == 0

    def aucs(self, by_kind: dict[str, dict[str, np.ndarray]], scores: Iterable[str], half: int) -> Aucs:
        """AUCs of some scores by kind of synthetic anomaly, the mean over scenes, on one half of each.

        Args:
            by_kind: NORMAL and every kind of synthetic anomaly -> score -> values for all objects [N].
        """
        return {score: self._auc(by_kind, score, half) for score in scores}

    def _auc(self, by_kind: dict[str, dict[str, np.ndarray]], score: str, half: int) -> dict[str, float]:
        kinds = [kind for kind in by_kind if kind != NORMAL]
        values: dict[str, list[float]] = {kind: [] for kind in kinds}
        for rows in rows_by(self.scenes).values():
            own = rows[self.halves[rows] == half]
            if not len(own):
                own = rows  # a scene with a single frame
            _, frames = np.unique(self.frames[own], return_inverse=True)
            for kind in kinds:
                values[kind].append(frame_auc(by_kind[NORMAL][score][own], by_kind[kind][score][own], frames))
        return {kind: float(np.mean(own)) for kind, own in values.items()}


def frame_auc(normal: np.ndarray, synthetic: np.ndarray, frames: np.ndarray) -> float:
    """Frame-level AUC of synthetic anomalies, one in a frame at a time.

    Negatives are the frames as they are, scored by their highest object (eq. 9); positives the same frames with a
    synthetic anomaly in place of one object, once for each. So a score is judged as it is used: what it says of the
    most unusual normal object of a frame counts, and what it says of the others does not.

    Args:
        normal, synthetic: scores of the objects [N], as they are and changed.
        frames: the frame of each object, numbered from 0 [N].
    """
    order = np.lexsort((normal, frames))
    last = np.searchsorted(frames[order], np.arange(frames.max() + 1), side="right") - 1
    top, second = normal[order[last]], np.full(len(last), -np.inf)
    several = (last > 0) & (frames[order[last - 1]] == np.arange(len(last)))
    second[several] = normal[order[last[several] - 1]]
    others = np.where(np.arange(len(normal)) == order[last][frames], second[frames], top[frames])
    truth = np.repeat([0, 1], [len(top), len(synthetic)])
    # As roc_auc_score has it, which takes twice the time to find out what kind of labels these are.
    wrong, right, _ = roc_curve(truth, np.concatenate([top, np.maximum(synthetic, others)]))
    return float(auc(wrong, right))
