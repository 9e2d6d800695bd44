"""What happened, as lines of JSON in one file a day: written at once, whole after any kill, removed when old."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dist_vad.base.files import write_bytes
from dist_vad.base.sealed import append_line, read_lines
from dist_vad.base.text.redact import redacted
from dist_vad.base.times import from_iso, iso_time
from dist_vad.settings.watch import KeepSettings

Line = dict[str, Any]
EVENTS, MEDIA, ALIVE = "events", "media", "alive"
DAY = 86_400.0
KILLED = "the service was killed"
OLD_KEYS = (
    "type", "id", "camera", "scene", "time", "begin", "peak", "end", "score", "threshold", "size", "boxes", "snapshot",
    "clip", "reason", "status",
)  # fmt: skip
"""Those of lines that were written before lines had digests."""


class Journal:
    """The event lines of a folder, and the snapshots and clips beside them.

    `events/2026-11-26.jsonl` holds the lines of a day, `media/2026-11-26/` its pictures; `alive` is touched every
    second, to know when a service was killed.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._lock = threading.Lock()
        for folder in (EVENTS, MEDIA):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def write(self, line: Line) -> str:
        """Append a line with its digest, on the disk when this returns; returns it as text, without credentials."""
        text = redacted(json.dumps(line, ensure_ascii=False))
        path = self.out / EVENTS / f"{str(line['time'])[:10]}.jsonl"
        with self._lock:
            append_line(path, json.loads(text))
        return text

    def media(self, event: str, begin: float, ending: str) -> Path:
        """Where a picture of an event lies."""
        return self.out / MEDIA / iso_time(begin)[:10] / f"{event}.{ending}"

    def relative(self, path: Path) -> str:
        """A path as lines say it: from the folder of the service."""
        return path.relative_to(self.out).as_posix()

    def lines(self) -> Iterator[Line]:
        """All lines that are kept, in order; what is damaged is left out, and warned of."""
        for path in sorted((self.out / EVENTS).glob("*.jsonl")):
            yield from read_lines(path, OLD_KEYS)

    def recover(self) -> list[Line]:
        """End the events that were going on when the service was killed; the last line of every event."""
        for path in (self.out / EVENTS).glob("*.jsonl"):
            content = path.read_bytes()
            if content and not content.endswith(b"\n"):  # the power went
                write_bytes(path, content[: content.rfind(b"\n") + 1])
        last: dict[str, Line] = {}
        for line in self.lines():
            if "id" in line:
                last[line["id"]] = line
        for name, line in last.items():
            if line["type"] != "end":
                ended = max(from_iso(line["time"]), min(self._alive(), time.time()))
                last[name] = {**line, "type": "end", "time": iso_time(ended), "end": iso_time(ended), "reason": KILLED}
                self.write(last[name])
        return sorted(last.values(), key=lambda line: line["begin"])

    def alive(self) -> None:
        """Note that the service lives."""
        (self.out / ALIVE).touch()

    def _alive(self) -> float:
        path = self.out / ALIVE
        return path.stat().st_mtime if path.exists() else 0.0

    def clean(self, settings: KeepSettings, now: float) -> None:
        """Remove what is too old, and the oldest pictures where all take too much room."""
        oldest = iso_time(now - settings.days * DAY)[:10]
        for path in [*(self.out / EVENTS).glob("*.jsonl"), *(self.out / MEDIA).iterdir()]:
            if path.name[:10] < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        files = [(path, path.stat()) for path in (self.out / MEDIA).glob("*/*") if path.is_file()]
        excess = sum(state.st_size for _, state in files) - settings.gigabytes * 1e9
        for path, state in sorted(files, key=lambda pair: pair[1].st_mtime):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= state.st_size
        for folder in (self.out / MEDIA).iterdir():
            if folder.is_dir() and folder.name != iso_time(now)[:10] and not any(folder.iterdir()):
                folder.rmdir()
