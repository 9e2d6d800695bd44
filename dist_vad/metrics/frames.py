"""Object scores of a video as one score per frame."""

import numpy as np

from dist_vad.base.errors import InputError


def held_from(length: int, *, stride: int, margin: int) -> np.ndarray:
    """The scored frame from which each frame of a video has its score: int64 [length], or [0] where none is scored.

    The scored frames are those f with margin <= f < length - margin and f % stride == 0. A frame between two of them
    holds what the former has; those before the first repeat the first.
    """
    scored = np.arange(length)[margin : max(length - margin, margin)]
    scored = scored[scored % stride == 0]
    if len(scored) == 0:
        return np.zeros(0, np.int64)
    source = np.searchsorted(scored, np.arange(length), side="right") - 1
    return scored[np.maximum(source, 0)]


class HighestPerFrame:
    """The highest object score of every frame of a video (eq. 9), taken batch by batch: memory is that of the frames.

    Args:
        length: frames of the video.
        stride, margin: which of them are scored, as `held_from` says.
    """

    def __init__(self, length: int, *, stride: int, margin: int) -> None:
        self.source = held_from(length, stride=stride, margin=margin)
        self._rule = f"stride {stride} and margin {margin} in a video of {length} frames"
        self._scored = np.zeros(length, bool)
        self._scored[self.source] = True
        self._highest = np.full(length, -np.inf)
        self._object = np.full(length, -1, np.int64)

    def add(self, frames: np.ndarray, scores: np.ndarray, objects: np.ndarray | None = None) -> None:
        """Some more objects: their frames [N], in any order, their scores [N], and numbers to know them by [N].

        Raises InputError for an object at a frame that is not scored and for a score that is not finite.
        """
        frames, scores = np.asarray(frames, np.int64), np.asarray(scores, np.float64)
        inside = (frames >= 0) & (frames < len(self._scored))
        if not inside.all() or not self._scored[frames].all():
            stray = np.flatnonzero(~inside) if not inside.all() else np.flatnonzero(~self._scored[frames])
            raise InputError(
                f"an object at frame {frames[stray[0]]}, which is not a scored frame under {self._rule}; "
                "the shards and the scores are of different sets: write the shards again, then score them"
            )
        if not np.isfinite(scores).all():
            first = int(np.argmin(np.isfinite(scores)))
            raise InputError(
                f"score of an object at frame {frames[first]} is {scores[first]}, expected a finite number"
            )
        before = None if objects is None else self._highest[frames]
        np.maximum.at(self._highest, frames, scores)
        if objects is not None:
            higher = (scores == self._highest[frames]) & (scores > before)
            # Backwards, so that of several with one score the first is kept.
            self._object[frames[higher][::-1]] = np.asarray(objects)[higher][::-1]

    def scores(self, without_objects: float) -> np.ndarray:
        """One score per frame, float64 [length]: that of the scored frame it is held from; `without_objects` where that
        one has no object, and everywhere in a video without a scored frame."""
        if len(self.source) == 0:
            return np.full(len(self._scored), float(without_objects))
        return np.where(np.isneginf(self._highest), float(without_objects), self._highest)[self.source]

    def objects(self) -> np.ndarray:
        """The number of each frame's highest object, int64 [length]; -1 at frames without one. Nothing is held."""
        return self._object


def frame_scores(
    object_frames: np.ndarray,
    object_scores: np.ndarray,
    *,
    length: int,
    stride: int,
    margin: int,
    without_objects: float,
) -> np.ndarray:
    """Object scores of one video as one score per frame (eq. 9), float64 [length].

    object_frames [N] (any order) and object_scores [N]: the frame of every object and its score. A scored frame (see
    `held_from`) gets the maximum over its objects, or `without_objects` where it has none; the others hold or repeat
    the value of theirs. In a video without any scored frame all have `without_objects`.

    Raises InputError for an object at a frame that is not scored and for a score that is not finite.
    """
    highest = HighestPerFrame(length, stride=stride, margin=margin)
    highest.add(object_frames, object_scores)
    return highest.scores(without_objects)
