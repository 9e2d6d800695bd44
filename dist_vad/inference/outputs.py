"""What is known of a video once it is scored, and the files that say so: a table of frames, events as JSON."""

from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from dist_vad.base.errors import InputError
from dist_vad.base.files import atomic_file, write_json
from dist_vad.base.text.redact import redacted
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

    def add(self, frames: list[int], boxes: list[np.ndarray]) -> None:
        """Take some more objects, whose scores are yet to be told."""
        self.frames += frames
        self.boxes += boxes

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

    For example:

        result = detector.score("walk.mp4")
        print(result.threshold.value, result.scores.max(), [(event.start, event.end) for event in result.events()])
        result.plot().write_html("walk.html")
        result.save("scored")
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

    def events(self, join: float = 1.0) -> list[FoundEvent]:
        """Its events; stretches less than `join` seconds apart, as the video is shown, are one."""
        least, shown = max(1, round(join * self.fps)), self.seconds * self.fps
        return find_events(self.smoothed, self.calibrated, self.threshold.value, least, shown)

    @property
    def calibrated(self) -> np.ndarray:
        """Calibrated anomaly scores of the frames, float64 [T]; nan where a frame has no score."""
        return self.threshold.calibrated(self.smoothed)

    @property
    def scores(self) -> np.ndarray:
        """The same: 2 means that one normal frame in a hundred scores as high."""
        return self.calibrated

    @property
    def boxes(self) -> np.ndarray:
        """float32 [N, 4]: x1, y1, x2, y2 of every object, in the order of `objects.frames`."""
        return np.array(self.objects.boxes, np.float32).reshape(-1, 4)

    def save(self, folder: Path | str, name: str | None = None, join: float = 1.0) -> list[Path]:
        """Write NAME.parquet and NAME.events.json, as `dist-vad score` does; returns their paths.

        Without a name, that of the video.
        """
        stem, events = Path(folder) / (name or Path(self.place).stem), self.events(join)
        table, listed = stem.with_name(f"{stem.name}.parquet"), stem.with_name(f"{stem.name}.events.json")
        self.write_table(table, events)
        self.write_events(listed, events)
        return [table, listed]

    def to_pandas(self, join: float = 1.0) -> Any:
        """A pandas.DataFrame with a row a frame, and the columns of `write_table`. Needs pandas."""
        try:
            return self.table(self.events(join)).to_pandas()
        except ImportError as error:
            raise InputError(f"to_pandas needs pandas, which is not installed ({error}): pip install pandas") from error

    def plot(self, join: float = 1.0) -> Any:
        """A plotly Figure: the calibrated anomaly score over time, the threshold, and the events shaded."""
        import plotly.graph_objects as go

        seconds = self.seconds
        curve = go.Scatter(x=seconds, y=self.calibrated, mode="lines", name="calibrated anomaly score")
        figure = go.Figure(curve, layout={"template": "simple_white", "title": self.place})
        figure.add_hline(y=self.threshold.value, line_dash="dot", annotation_text="threshold")
        if np.nanmax(self.calibrated, initial=0.0) > (most := self.threshold.supported):
            figure.add_hline(y=most, line_dash="dash", line_color="#999", annotation_text="beyond: extrapolated")
        for event in self.events(join):
            start, end = seconds[event.start], seconds[event.end - 1]
            figure.add_vrect(start, end, fillcolor="#c0392b", opacity=0.2, line_width=0)
        figure.update_xaxes(title="seconds")
        figure.update_yaxes(title="calibrated anomaly score", rangemode="tozero")
        return figure

    def table(self, events: list[FoundEvent]) -> pa.Table:
        """One row a frame: frame, seconds, score (raw), smoothed, rarity (the calibrated anomaly score), event (number
        of its event from 0, or null); of a stream also time."""
        numbers = np.full(len(self.raw), -1)
        for number, event in enumerate(events):
            numbers[event.start : event.end] = number
        frames = np.arange(len(self.raw))
        wall = {} if self.taken is None else {"time": _timestamps(self.taken)}
        return pa.table(
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

    def write_table(self, path: Path, events: list[FoundEvent]) -> None:
        """`table` as Parquet or, where the name ends in .csv, as CSV."""
        table = self.table(events)
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
                "extrapolated": event.calibrated > self.threshold.supported,
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
