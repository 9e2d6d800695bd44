"""What a user of alarms asks: which events raise one, how late, and how often it is for nothing.

An *event* is a run of anomalous frames. An *alarm* is a run of frames whose score reaches the threshold; runs with
fewer than `join` other frames between them are one alarm. An event is found if an alarm covers at least one of its
frames. An alarm is right if it covers at least one frame of an event, else false.

    event recall     found events / events
    event precision  right alarms / alarms
    false alarms     false alarms an hour of normal video: of the normal frames alone, anomalous ones count for no time
    normal share     normal frames under an alarm / normal frames: an alarm that never ends is right wherever there is
                     an event, and only this share shows what it is worth
    delay            from an event's first frame to the first frame of it that an alarm covers; found events alone. An
                     alarm that stands when the event begins has delay 0
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.base.labels import intervals_of
from dist_vad.metrics.ranking import check

CANDIDATES = 160
"""Thresholds among which operating points are looked for."""


@dataclass(frozen=True)
class Alarms:
    """Alarms and events of some videos at one threshold."""

    threshold: float
    events: int
    found: int
    alarms: int
    right: int
    hours: float
    """Of normal video."""
    normal: int
    """Normal frames."""
    normal_alarmed: int
    """Those of them that an alarm covers."""
    delays: np.ndarray
    """Seconds, float64 [found], in the order of the events."""

    @property
    def event_recall(self) -> float:
        """Share of the events that raise an alarm; nan without events."""
        return self.found / self.events if self.events else math.nan

    @property
    def event_precision(self) -> float:
        """Share of the alarms that are right; nan without alarms."""
        return self.right / self.alarms if self.alarms else math.nan

    @property
    def false_alarms_per_hour(self) -> float:
        """Of normal video; nan where there is none."""
        return (self.alarms - self.right) / self.hours if self.hours else math.nan

    @property
    def normal_share(self) -> float:
        """Share of the normal frames that an alarm covers; nan without normal frames."""
        return self.normal_alarmed / self.normal if self.normal else math.nan

    @property
    def mean_delay(self) -> float:
        """Seconds; nan where no event is found."""
        return float(np.mean(self.delays)) if len(self.delays) else math.nan

    @property
    def median_delay(self) -> float:
        """Seconds; nan where no event is found."""
        return float(np.median(self.delays)) if len(self.delays) else math.nan


def count_alarms(
    labels: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    threshold: float,
    *,
    fps: float | Sequence[float],
    join: float = 0.0,
) -> Alarms:
    """Alarms at a threshold.

    Args:
        labels, scores: one array [T] for each video, 0 = normal; scores are finite.
        threshold: the score from which on a frame raises an alarm.
        fps: frames a second, of all videos or of each.
        join: runs less than so many seconds apart are one alarm.
    """
    check(labels, scores)
    return _Track(labels, scores, fps, join).count(threshold)


def operating_points(
    labels: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    budgets: Sequence[float],
    *,
    fps: float | Sequence[float],
    join: float = 0.0,
) -> list[Alarms]:
    """For each budget of false alarms an hour, the alarms at the lowest threshold that keeps it, as all higher ones do.

    Thresholds are looked for among CANDIDATES scores of normal frames, close together where they are highest. They are
    read off the labels that they are judged by: this is what the curve offers, not what a threshold that was set
    beforehand reaches. Without normal frames every score keeps every budget.
    """
    check(labels, scores)
    track = _Track(labels, scores, fps, join)
    kept: dict[float, Alarms] = {}
    over: set[float] = set()
    for threshold in track.candidates():
        alarms = track.count(threshold)
        rate = 0.0 if math.isnan(alarms.false_alarms_per_hour) else alarms.false_alarms_per_hour
        for budget in budgets:
            if rate > budget:
                over.add(budget)
            elif budget not in over:
                kept[budget] = alarms
        if over >= set(budgets):
            break
    return [kept[budget] for budget in budgets]


class _Track:
    """All videos on one line, so that a threshold costs a few passes over arrays."""

    def __init__(
        self,
        labels: Sequence[np.ndarray],
        scores: Sequence[np.ndarray],
        fps: float | Sequence[float],
        join: float,
    ) -> None:
        rates = np.broadcast_to(np.asarray(fps, np.float64), (len(labels),))
        lengths = [len(label) for label in labels]
        starts = np.cumsum([0, *lengths])[:-1]
        # One frame that never alarms stands after each video, so that no run crosses into the next.
        self._scores = np.concatenate([np.zeros(0), *(np.append(score, -np.inf) for score in scores)])
        starts = starts + np.arange(len(starts))
        events = [start + np.array(intervals_of(label)).reshape(-1, 2) for start, label in zip(starts, labels)]
        self._events = np.concatenate([np.zeros((0, 2), np.int64), *events]).astype(np.int64)
        self._event_fps = np.repeat(rates, [len(own) for own in events])
        self._ends = starts + lengths
        self._join = np.round(join * rates)
        anomalous = [np.append(np.asarray(label) != 0, False) for label in labels]
        self._anomalous = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, bool), *anomalous]))])
        normal = np.array([np.count_nonzero(np.asarray(label) == 0) for label in labels])
        self.hours = float(np.sum(normal / rates) / 3600) if len(labels) else 0.0
        self._normal = np.concatenate(
            [np.zeros(0), *(np.asarray(s)[np.asarray(y) == 0] for s, y in zip(scores, labels))]
        )

    def candidates(self) -> np.ndarray:
        """Thresholds from above all normal frames down to the lowest score, descending."""
        ranked = np.sort(self._normal)[::-1]
        lowest = float(self._scores[np.isfinite(self._scores)].min(initial=0.0))
        if not len(ranked):
            return np.array([lowest])
        ranks = np.unique(np.geomspace(1, len(ranked), CANDIDATES).astype(np.int64)) - 1
        above = np.nextafter(ranked[0], np.inf)
        return np.unique(np.concatenate([[above], ranked[ranks], [lowest]]))[::-1]

    def runs(self, threshold: float) -> np.ndarray:
        """The alarms, int64 [A, 2]: first frame and one past the last."""
        over = np.concatenate([[False], self._scores >= threshold])
        edges = np.flatnonzero(over[1:] != over[:-1])
        runs = edges.reshape(-1, 2)
        if len(runs) < 2:
            return runs
        video = np.searchsorted(self._ends, runs[:, 0], side="right")
        gap = runs[1:, 0] - runs[:-1, 1]
        apart = (video[1:] != video[:-1]) | (gap >= self._join[video[1:]])
        first, last = np.concatenate([[True], apart]), np.concatenate([apart, [True]])
        return np.stack([runs[first, 0], runs[last, 1]], axis=1)

    def count(self, threshold: float) -> Alarms:
        """All that is counted at a threshold."""
        runs, events = self.runs(threshold), self._events
        # The first alarm that ends after an event begins, and the first event that ends after an alarm begins.
        alarm = np.searchsorted(runs[:, 1], events[:, 0], side="right")
        begins = np.append(runs[:, 0], len(self._scores) + 1)[alarm]
        found = begins < events[:, 1]
        event = np.searchsorted(events[:, 1], runs[:, 0], side="right")
        right = np.append(events[:, 0], len(self._scores) + 1)[event] < runs[:, 1]
        delays = np.maximum(begins - events[:, 0], 0)[found] / self._event_fps[found]
        return Alarms(
            float(threshold),
            len(events),
            int(np.count_nonzero(found)),
            len(runs),
            int(np.count_nonzero(right)),
            self.hours,
            len(self._normal),
            int((runs[:, 1] - runs[:, 0] - self._anomalous[runs[:, 1]] + self._anomalous[runs[:, 0]]).sum()),
            delays,
        )
