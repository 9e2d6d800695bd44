"""From frame scores to events: a level that normal video alone decides, and the stretches above it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.scoring.tail_calibration import Rarity
from dist_vad.settings.video import EventSettings


@dataclass(frozen=True)
class AlarmLevel:
    """How rare a frame score is in normal video, and from which rarity on it is part of an event."""

    frames: Rarity
    """Of the smoothed frame scores of held-out normal video."""
    level: float
    """-log10 of the share of normal frames that may score as high."""
    counted: float
    """The share of those very frames that do reach it: what the extrapolation made of the share asked for."""

    @classmethod
    def of(cls, normal: Sequence[np.ndarray], settings: EventSettings) -> "AlarmLevel":
        """From the smoothed frame scores [T] of held-out normal videos. Raises InputError where there are none."""
        scores = np.concatenate([*normal]) if len(normal) else np.zeros(0)
        if len(scores) == 0:
            raise InputError("held-out normal video has no frame scores, so no level can be set for events")
        rarity = Rarity.of(scores, np.full(len(scores), ""))
        level = -math.log10(settings.false_alarms)
        return cls(rarity, level, float(np.mean(rarity(scores, "") >= level)))

    def rarity(self, scores: np.ndarray) -> np.ndarray:
        """-log10 of the share of normal frames that score as high: float64 [T]; nan where the score is."""
        known = np.isfinite(scores)
        rarity = np.full(len(scores), math.nan)
        rarity[known] = self.frames(np.asarray(scores, np.float64)[known], "")
        return rarity


@dataclass(frozen=True)
class FoundEvent:
    """A stretch [start, end) of frames that score as hardly any normal frame does."""

    start: int
    end: int
    peak: int
    """The frame of the highest score."""
    score: float
    """There, smoothed."""
    rarity: float
    """There: -log10 of the share of normal frames that score as high."""


def find_events(scores: np.ndarray, rarity: np.ndarray, level: float, join: int) -> list[FoundEvent]:
    """The events of one video, in order of time.

    Args:
        scores, rarity: of its frames, smoothed, float64 [T]; nan where a frame has no score, which is no event.
        level: the least rarity of an event's frames.
        join: stretches with fewer frames than this between them are one event.
    """
    above = np.nan_to_num(rarity, nan=-1.0) >= level
    edges = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]]))).reshape(-1, 2)
    stretches: list[list[int]] = []
    for start, end in edges.tolist():
        if stretches and start - stretches[-1][1] < join:
            stretches[-1][1] = end
        else:
            stretches.append([start, end])
    events = []
    for start, end in stretches:
        peak = start + int(np.nanargmax(scores[start:end]))
        events.append(FoundEvent(start, end, peak, float(scores[peak]), float(rarity[peak])))
    return events
