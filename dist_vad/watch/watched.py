"""What becomes of one camera's scores: events with their snapshots and clips, and what the page shows of it."""

import io
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.files import write_bytes
from dist_vad.base.log import log
from dist_vad.base.times import iso_time
from dist_vad.inference.online import HeldScore, Latency
from dist_vad.settings.watch import WatchSettings
from dist_vad.watch.camera import Camera, Seen
from dist_vad.watch.clips import ClipWriter
from dist_vad.watch.journal import Journal
from dist_vad.watch.live_events import Change, LiveEvent, LiveEvents, SeenObject
from dist_vad.watch.pictures import PictureRing, snapshot

CURVE_SECONDS = 600
"""So long a curve of scores is kept for the page."""
MOST_CUBES = 32
"""Cubes of an event that are kept, those of the highest scores; an answer puts them into the validation set."""
Tell = Callable[[dict[str, Any]], None]
"""Takes an event line."""


@dataclass(frozen=True)
class View:
    """What the page shows of a camera: one picture, and what belongs to it."""

    taken: float
    picture: bytes
    """JPEG."""
    size: tuple[int, int]
    objects: list[SeenObject]
    score: float
    """Calibrated anomaly score; nan before there is one."""


@dataclass
class _Record:
    """What is being kept of the event that goes on."""

    event: LiveEvent
    snapshot: Path
    clip: Path | None
    ends: float
    """When the clip ends at the latest."""
    peak: bytes | None
    """The picture of the highest score."""
    cubes: list[tuple[float, np.ndarray]]
    size: tuple[int, int]
    scene: str
    over: float = np.inf
    """When the event ended."""


class Watched:
    """One camera after its frames are scored; called by the scoring thread alone, read by those of the page."""

    def __init__(
        self, camera: Camera, settings: WatchSettings, journal: Journal, clips: ClipWriter, tell: Tell
    ) -> None:
        self.camera, self._settings, self._journal, self._clips, self._tell = camera, settings, journal, clips, tell
        self.threshold = camera.judge.threshold
        self._held = HeldScore()
        self._events = LiveEvents(camera.name, self.threshold.value, settings.events)
        self._ring = PictureRing(settings.clip)
        self._record: _Record | None = None
        self._finishing: list[_Record] = []
        self._objects: list[SeenObject] = []
        self._lock = threading.Lock()
        self._curve: deque[tuple[int, float]] = deque(maxlen=CURVE_SECONDS)
        self.view: View | None = None
        self.latency = Latency(10_000)
        self.scored = self.events = 0
        self.note = ""
        self._last = 0.0

    @property
    def event(self) -> LiveEvent | None:
        """The event that goes on."""
        return self._events.event

    def curve(self) -> list[tuple[int, float]]:
        """(seconds since 1970, highest score of that second) of the last minutes."""
        with self._lock:
            return list(self._curve)

    def take(self, seen: Seen, scores: np.ndarray | None) -> None:
        """A frame with the scores of its objects; None where it was not scored."""
        scorer = seen.camera.judge.scorer
        cubes: list[tuple[float, np.ndarray]] = []
        if scores is not None:
            samples = seen.moment.samples or []
            raw = float(scores.max()) if len(scores) else scorer.score_without_objects
            self._held.next(raw)
            calibrated = self.threshold.calibrated(scores)
            boxes = [tuple(float(value) for value in sample.box) for sample in samples]
            self._objects = [SeenObject(box, float(score)) for box, score in zip(boxes, calibrated)]  # pyright: ignore
            cubes = [(seen_object.score, sample.clip) for seen_object, sample in zip(self._objects, samples)]
            self.scored += 1
        elif seen.moment.ready:
            self._held.next(None)
        score = float(self.threshold.calibrated(np.array([self._held.smoothed]))[0])
        self._follow(seen, score, cubes)
        if scores is not None:
            self.latency.add(time.monotonic() - seen.arrived)
        self._show(seen, score)

    def lost(self, reason: str) -> None:
        """The camera gives no more frames: what goes on with it ends."""
        if change := self._events.close(reason):
            self._end(change)
        for record in self._finishing:
            self._close(record)
        self._finishing.clear()

    def _follow(self, seen: Seen, score: float, cubes: list[tuple[float, np.ndarray]]) -> None:
        """What the frame does to the events, and the pictures that are kept of it."""
        if self._last and not -1 <= seen.taken - self._last <= self._settings.stall:
            self.lost("no frames came" if seen.taken > self._last else "the clock was set back")
        self._last = seen.taken
        high = [one for one in self._objects if one.score >= self.threshold.value]
        change = self._events.see(seen.taken, score, high)
        if seen.picture:
            self._ring.add(seen.taken, seen.picture)
        if change and change.kind == "begin":
            self._begin(change, seen)
        elif self._record:
            self._go_on(self._record, seen)
        if self._record:
            best = [*self._record.cubes, *(pair for pair in cubes if pair[0] >= self.threshold.value)]
            self._record.cubes = sorted(best, key=lambda pair: -pair[0])[:MOST_CUBES]
        if change and change.kind == "update":
            self._tell(self._line(change))
        elif change and change.kind == "end":
            self._end(change)
        for record in [record for record in self._finishing if not self._film(record, seen)]:
            self._finishing.remove(record)
            self._close(record)

    def _begin(self, change: Change, seen: Seen) -> None:
        self.events += 1
        event, pictures = change.event, list(self._ring)
        picture = seen.picture or (pictures[-1][1] if pictures else None)
        clip = self._journal.media(event.id, event.begin, "mp4")
        record = _Record(
            event, self._journal.media(event.id, event.begin, "jpg"), clip,
            event.begin + self._settings.clip.longest, picture, [], seen.size, seen.scene.name if seen.scene else "",
        )  # fmt: skip
        self._record = record
        self._save_snapshot(record)
        for taken, content in pictures:
            self._clips.add(clip, taken, content)
        self._tell(self._line(change))

    def _go_on(self, record: _Record, seen: Seen) -> None:
        if record.event.peak == seen.taken:
            record.peak = seen.picture or next((content for _, content in reversed([*self._ring])), record.peak)
        self._film(record, seen)

    def _film(self, record: _Record, seen: Seen) -> bool:
        """Add the frame to the clip, if it is still to be filmed; whether more may follow."""
        wanted = record.clip is not None and seen.taken <= min(record.ends, record.over + self._settings.clip.after)
        if wanted and seen.picture and record.clip:
            self._clips.add(record.clip, seen.taken, seen.picture)
        if not wanted and record.clip and seen.taken > record.ends:
            self._close(record)
        return wanted

    def _close(self, record: _Record) -> None:
        if record.clip:
            self._clips.close(record.clip)
            record.clip = None

    def _end(self, change: Change) -> None:
        record, self._record = self._record, None
        if record is None:
            return
        line = self._line(change, record)
        self._save_snapshot(record)
        if record.cubes:
            buffer = io.BytesIO()
            clips, scores = np.stack([clip for _, clip in record.cubes]), np.array([pair[0] for pair in record.cubes])
            np.savez_compressed(buffer, clips=clips, scores=scores)
            write_bytes(self._journal.media(record.event.id, record.event.begin, "npz"), buffer.getvalue())
        record.over = change.event.above
        self._tell(line)
        if record.clip:
            self._finishing.append(record)

    def _save_snapshot(self, record: _Record) -> None:
        if record.peak is None:
            return
        try:
            content = snapshot(record.peak, record.event.objects, record.size, self.threshold.value)
            write_bytes(record.snapshot, content)
        except OSError as error:
            log.warning("the snapshot %s cannot be written: %s", record.snapshot.name, error)

    def _line(self, change: Change, record: _Record | None = None) -> dict[str, Any]:
        event, record = change.event, record or self._record
        assert record is not None
        clip = self._journal.media(event.id, event.begin, "mp4")
        line = {
            "type": change.kind,
            "id": event.id,
            "camera": self.camera.name,
            "scene": record.scene,
            "time": iso_time(change.time),
            "begin": iso_time(event.begin),
            "peak": iso_time(event.peak),
            "end": iso_time(event.above) if change.kind == "end" else None,
            "score": round(event.score, 3),
            "threshold": round(self.threshold.value, 3),
            "supported": round(self.threshold.supported, 3),
            "size": [*record.size],
            "boxes": [{"box": [round(v, 1) for v in one.box], "score": round(one.score, 3)} for one in event.objects],
            "snapshot": self._journal.relative(record.snapshot),
            "clip": self._journal.relative(clip),
        }
        return {**line, "reason": event.reason} if event.reason else line

    def _show(self, seen: Seen, score: float) -> None:
        if seen.scene:
            self.note = seen.scene.note
        if seen.picture:
            self.view = View(seen.taken, seen.picture, seen.size, self._objects, score)
        if not np.isfinite(score):
            return
        second = int(seen.taken)
        with self._lock:
            if self._curve and self._curve[-1][0] == second:
                self._curve[-1] = (second, max(self._curve[-1][1], score))
            else:
                self._curve.append((second, score))
