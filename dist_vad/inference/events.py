"""From frame scores to events: a threshold that normal video alone decides, and the stretches above it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.settings.video import EventSettings


@dataclass(frozen=True)
class Threshold:
    """Calibrates frame scores on normal video; frames whose calibrated scores reach the threshold make events."""

    frames: TailCalibration
    """Of the smoothed frame scores of held-out normal video."""
    value: float
    """-log10 of the share of normal frames that may score as high."""
    share_reached: float
    """The share of those very frames that do reach it: what the extrapolation made of the share that was asked for."""

    @classmethod
    def of(cls, normal: Sequence[np.ndarray], settings: EventSettings) -> "Threshold":
        """From the smoothed frame scores [T] of held-out normal videos. Raises InputError where there are none."""
        scores = np.concatenate([*normal]) if len(normal) else np.zeros(0)
        if len(scores) == 0:
            raise InputError("held-out normal video has no frame scores, so no threshold can be set for events")
        frames = TailCalibration.of(scores, np.full(len(scores), ""))
        value = -math.log10(settings.false_alarms)
        return cls(frames, value, float(np.mean(frames(scores, "") >= value)))

    def calibrated(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated anomaly scores of frames or objects, float64 [T]: -log10 of the share of normal frames that score
        as high; nan where the score is."""
        finite = np.isfinite(scores)
        calibrated = np.full(len(scores), math.nan)
        calibrated[finite] = self.frames(np.asarray(scores, np.float64)[finite], "")
        return calibrated

    @property
    def supported(self) -> float:
        """The highest calibrated anomaly score that the held-out normal video can show; beyond, it is extrapolated."""
        return self.frames.supported

    def shown(self, calibrated: float) -> str:
        """A calibrated anomaly score as people are told it: `> N (extrapolated)` beyond what is supported."""
        return self.frames.shown(calibrated)

    def reached(self, scores: Sequence[float]) -> np.ndarray:
        """Which objects or frames score as high as the threshold: bool [n]."""
        return self.calibrated(np.array(scores, np.float64)) >= self.value


@dataclass(frozen=True)
class FoundEvent:
    """A stretch [start, end) of frames that score as hardly any normal frame does."""

    start: int
    end: int
    peak: int
    """The frame of the highest score."""
    score: float
    """The smoothed score of that frame."""
    calibrated: float
    """The calibrated anomaly score of that frame."""


def find_events(
    scores: np.ndarray, calibrated: np.ndarray, threshold: float, join: int, shown: np.ndarray | None = None
) -> list[FoundEvent]:
    """The events of one video, in order of time.

    Args:
        scores: of its frames, smoothed, float64 [T]; nan where a frame has no score, which is no event.
        calibrated: the calibrated anomaly scores of the same frames, float64 [T].
        threshold: the least calibrated score of an event's frames.
        join: stretches with fewer frames than this between them are one event.
        shown: when each frame is shown, in usual distances of two frames: float64 [T]; None = at even distances.
    """
    shown = np.arange(len(scores)) if shown is None else shown
    stretches: list[list[int]] = []
    for start, end in intervals_of(np.nan_to_num(calibrated, nan=-1.0) >= threshold):
        if stretches and shown[start] - shown[stretches[-1][1]] < join - 0.5:
            stretches[-1][1] = end
        else:
            stretches.append([start, end])
    events = []
    for start, end in stretches:
        peak = start + int(np.nanargmax(scores[start:end]))
        events.append(FoundEvent(start, end, peak, float(scores[peak]), float(calibrated[peak])))
    return events
