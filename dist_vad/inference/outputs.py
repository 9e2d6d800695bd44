"""What is known of a video once it is scored, and the files that say so: a table of frames, events as JSON."""

from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from dist_vad.base.files import atomic_file, write_json
from dist_vad.base.redact import redacted
from dist_vad.base.times import iso_time
from dist_vad.inference.events import FoundEvent, Threshold, find_events


@dataclass
class Objects:
    """Objects of one video, in the order of its frames."""

    frames: list[int] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    """float32 [4] each: x1, y1, x2, y2 in pixels."""
    scores: list[float] = field(default_factory=list)
    """One for each object, by the scorer that counts."""

    def add(self, frames: list[int], boxes: list[np.ndarray], scores: np.ndarray) -> None:
        """Take some more objects with their scores [n]."""
        self.frames += frames
        self.boxes += boxes
        self.scores += scores.tolist()

    def between(self, start: int, end: int) -> slice:
        """The rows of the objects in frames [start, end)."""
        return slice(bisect_left(self.frames, start), bisect_left(self.frames, end))

    def extend(self, others: "Objects") -> None:
        """Take the objects of later frames."""
        self.frames += others.frames
        self.boxes += others.boxes
        self.scores += others.scores

    def part(self, rows: slice) -> "Objects":
        """Those of some rows alone."""
        return Objects(self.frames[rows], self.boxes[rows], self.scores[rows])

    def chosen(self, wanted: np.ndarray) -> "Objects":
        """Those of them alone for which `wanted`, bool [n], holds."""
        rows = np.flatnonzero(wanted).tolist()
        return Objects(
            [self.frames[row] for row in rows], [self.boxes[row] for row in rows], [self.scores[row] for row in rows]
        )


@dataclass(frozen=True)
class VideoResult:
    """The frame scores of a video and the objects that they come from.

    For example, with a VideoScorer and a Threshold (dist_vad/inference/scoring.py):

        result = score_offline(scorer, "walk.mp4", scorer.open("walk.mp4"), threshold, Path("scored/walk.mp4"))
        events = result.events(join=1.0)
        result.write_table(Path("scored/walk.parquet"), events)
    """

    place: str
    fps: float
    objects: Objects
    raw: np.ndarray
    """Frame scores, float64 [T]; nan where a frame has none: online, before the first scored one."""
    smoothed: np.ndarray
    threshold: Threshold
    times: np.ndarray | None = None
    """When each frame is shown, seconds: float64 [T]; None = at even distances."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else `events.json` says: state, scene, smoothing, latency."""
    taken: np.ndarray | None = None
    """Of a stream: when its frames were taken, in seconds since 1970, float64 [T]."""

    @property
    def seconds(self) -> np.ndarray:
        """When each frame is shown, from the first: float64 [T]."""
        if self.taken is not None:
            return self.taken - self.taken[:1]
        return np.arange(len(self.raw)) / self.fps if self.times is None else self.times

    def events(self, join: float) -> list[FoundEvent]:
        """Its events; stretches less than `join` seconds apart are one."""
        return find_events(self.smoothed, self.calibrated, self.threshold.value, max(1, round(join * self.fps)))

    @property
    def calibrated(self) -> np.ndarray:
        """Calibrated anomaly scores of the frames, float64 [T]; nan where a frame has no score."""
        return self.threshold.calibrated(self.smoothed)

    def write_table(self, path: Path, events: list[FoundEvent]) -> None:
        """One row a frame, as Parquet or, where the name ends in .csv, as CSV: frame, seconds, score (raw), smoothed,
        rarity (the calibrated anomaly score), event (number of its event from 0, or null); of a stream also time."""
        numbers = np.full(len(self.raw), -1)
        for number, event in enumerate(events):
            numbers[event.start : event.end] = number
        frames = np.arange(len(self.raw))
        wall = {} if self.taken is None else {"time": _timestamps(self.taken)}
        table = pa.table(
            {
                "frame": frames,
                "seconds": self.seconds,
                **wall,
                **{
                    name: pa.array(values, mask=np.isnan(values))
                    for name, values in (("score", self.raw), ("smoothed", self.smoothed), ("rarity", self.calibrated))
                },
                "event": pa.array(numbers, mask=numbers < 0),
            }
        )
        with atomic_file(path) as file:
            if path.suffix == ".csv":
                pyarrow.csv.write_csv(table, file)
            else:
                pq.write_table(table, file)

    def write_events(self, path: Path, events: list[FoundEvent]) -> None:
        """Events with their boxes as JSON. Frames count from 0, `end` is the last frame of the event; boxes are those
        of objects whose own score reaches the threshold."""
        listed = [
            {
                "start": event.start,
                "end": event.end - 1,
                "peak": event.peak,
                **self._times(event),
                "score": event.score,
                "rarity": event.calibrated,
                "boxes": self._boxes(event),
            }
            for event in events
        ]
        head = {"video": redacted(self.place), "frames": len(self.raw), "fps": self.fps}
        write_json(path, {**head, **self.facts, "events": listed})

    def _times(self, event: FoundEvent) -> dict[str, Any]:
        frames, seconds = {"start": event.start, "end": event.end - 1, "peak": event.peak}, self.seconds
        told: dict[str, Any] = {f"{name}_seconds": round(float(seconds[n]), 3) for name, n in frames.items()}
        if self.taken is not None:
            told |= {f"{name}_time": iso_time(float(self.taken[n])) for name, n in frames.items()}
        return told

    def _boxes(self, event: FoundEvent) -> list[dict[str, Any]]:
        rows = self.objects.between(event.start, event.end)
        calibrated = self.threshold.calibrated(np.array(self.objects.scores[rows]))
        return [
            {"frame": frame, "box": [round(float(value), 1) for value in box], "rarity": round(float(score), 3)}
            for frame, box, score in zip(self.objects.frames[rows], self.objects.boxes[rows], calibrated)
            if score >= self.threshold.value
        ]


def _timestamps(times: np.ndarray) -> pa.Array:
    return pa.array(np.round(times * 1000).astype(np.int64)).cast(pa.timestamp("ms", tz="UTC"))
