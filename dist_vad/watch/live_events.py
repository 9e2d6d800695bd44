"""Events while they happen: they begin, go on and end, one frame's score after another."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dist_vad.base.times import iso_time
from dist_vad.settings.watch import WatchEventSettings

Kind = Literal["begin", "update", "end"]
SLOW_AFTER, SLOWER = 60.0, 12
"""Seconds after which updates come so many times as seldom: an event may last all day."""


@dataclass(frozen=True)
class SeenObject:
    """An object of a frame, with its calibrated anomaly score."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the camera's picture."""
    score: float


@dataclass
class LiveEvent:
    """An event that has begun. Times are seconds since 1970."""

    id: str
    begin: float
    above: float
    """When a frame last reached the threshold."""
    peak: float
    score: float
    """The highest calibrated anomaly score of its frames, smoothed."""
    objects: list[SeenObject] = field(default_factory=list)
    """Of the frame of the highest score: those that reach the threshold."""
    told: float = 0.0
    reason: str = ""
    """Why it ended, where that is not because the score fell."""


@dataclass(frozen=True)
class Change:
    """What is to be told of an event."""

    kind: Kind
    event: LiveEvent
    time: float


class LiveEvents:
    """The events of one camera, from its calibrated scores in the order of time."""

    def __init__(self, camera: str, threshold: float, settings: WatchEventSettings) -> None:
        self._camera, self._threshold, self._settings = camera, threshold, settings
        self.event: LiveEvent | None = None
        """The one that goes on."""

    def see(self, time: float, score: float, objects: list[SeenObject]) -> Change | None:
        """What changes with the next frame.

        Args:
            time: when it was taken.
            score: its calibrated anomaly score, smoothed; nan where it has none.
            objects: those that make it an event.
        """
        event, high = self.event, bool(np.isfinite(score)) and score >= self._threshold
        if event is None:
            if not high:
                return None
            self.event = event = LiveEvent(self._name(time), time, time, time, score, objects, told=time)
            return Change("begin", event, time)
        if high:
            event.above = time
            if score > event.score:
                event.peak, event.score, event.objects = time, score, objects or event.objects
        elif time - event.above >= self._settings.join:
            self.event = None
            return Change("end", event, event.above)
        pause = self._settings.update * (SLOWER if time - event.begin > SLOW_AFTER else 1)
        if time - event.told >= pause:
            event.told = time
            return Change("update", event, time)
        return None

    def close(self, reason: str) -> Change | None:
        """The end of an event whose camera is gone, if there is one."""
        event, self.event = self.event, None
        if event is None:
            return None
        event.reason = reason
        return Change("end", event, event.above)

    def _name(self, time: float) -> str:
        stamp = iso_time(time)[:23].replace("-", "").replace(":", "").replace(".", "-")
        return f"{self._camera}-{stamp}"
