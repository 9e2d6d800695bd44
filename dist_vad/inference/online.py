"""Scores as the frames come: what looks only back, and how long it takes."""

from collections import deque

import numpy as np

from dist_vad.metrics import MEDIAN_WIDTH


class CausalMedian:
    """The smoothing `median17_causal`, score by score: before there are so many, the first one is repeated."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=MEDIAN_WIDTH)

    def __call__(self, score: float) -> float:
        """The smoothed value of the frame that has just been scored."""
        if not self._last:
            self._last.extend([score] * (MEDIAN_WIDTH - 1))
        self._last.append(score)
        return float(np.median(self._last))


class Latency:
    """How long frames waited for their scores, in seconds: the last hour or so of them."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=100_000)

    def add(self, seconds: float) -> None:
        """One frame's time from the arrival of the last frame that it needs to its score."""
        self._seconds.append(seconds)

    def facts(self) -> dict[str, float]:
        """`p50_ms`, `p95_ms`, `max_ms` and the number of scored `frames`; empty before there is any."""
        if not self._seconds:
            return {}
        half, most = np.percentile(self._seconds, [50, 95]) * 1000
        times = {"p50_ms": half, "p95_ms": most, "max_ms": max(self._seconds) * 1000}
        return {"frames": len(self._seconds), **{name: round(float(value), 2) for name, value in times.items()}}
