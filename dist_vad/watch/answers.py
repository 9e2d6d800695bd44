"""What people say of events: a validation set that never trains and never calibrates."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any, Literal, get_args

from dist_vad.base.errors import InputError
from dist_vad.base.files import write_json
from dist_vad.base.log import log
from dist_vad.base.sealed import append_line, read_lines
from dist_vad.base.times import iso_time

Answer = Literal["seen", "anomaly", "false_alarm"]
ANSWERS: tuple[str, ...] = get_args(Answer)
"""seen: acknowledged, and no more. anomaly: it was one. false_alarm: it was normal."""
OLD_KEYS = ("time", "id", "answer", "score", "camera", "threshold")
"""Those of lines that were written before lines had digests."""
LABELS = {"anomaly": 1, "false_alarm": 0}


class Answers:
    """The answers of a folder: `answers.jsonl`, and in `validation/` the cubes of what was judged.

    `validation/anomaly/ID.npz` and `validation/false_alarm/ID.npz` hold `clips`, uint8 [n, T, S, S, 3], and `scores`,
    float64 [n], beside ID.json with the event. A set of what alarmed is no fair sample of normal video: it measures
    thresholds and models, and neither training nor calibration reads it.
    """

    def __init__(self, out: Path) -> None:
        self._out, self._path, self._lock = out, out / "answers.jsonl", threading.Lock()
        self.of: dict[str, str] = {}
        """Event -> the last answer."""
        self._judged: dict[str, tuple[float, int]] = {}
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):  # the power went while it was written
            with self._path.open("ab") as file:
                file.write(b"\n")
        for line in read_lines(self._path, OLD_KEYS):
            try:
                self._note(line["id"], line["answer"], line["score"])
            except (KeyError, TypeError) as error:
                log.warning("warning: a line of %s has no answer (%s); it is left out", self._path, error)

    def give(self, event: dict[str, Any], answer: str) -> None:
        """Note what somebody says of an event, given by its last line. Raises InputError for an unknown answer."""
        if answer not in ANSWERS:
            raise InputError(f"the answer is {answer!r}; allowed: {', '.join(ANSWERS)}")
        line = {"time": iso_time(time.time()), "id": event["id"], "answer": answer, "score": event["score"]}
        line |= {"camera": event["camera"], "threshold": event["threshold"]}
        with self._lock:
            append_line(self._path, line)
            self._note(event["id"], answer, event["score"])
            self._file(event, answer)

    def summary(self) -> dict[str, Any]:
        """How many were judged, and what a higher threshold would have made of them."""
        with self._lock:
            judged = list(self._judged.values())
        false_alarms = sorted(score for score, label in judged if label == 0)
        anomalies = sorted(score for score, label in judged if label == 1)
        spared = sum(score < anomalies[0] for score in false_alarms) if anomalies else None
        return {
            "false_alarms": len(false_alarms),
            "anomalies": len(anomalies),
            "lowest_anomaly": anomalies[0] if anomalies else None,
            "false_alarms_below_it": spared,
        }

    def _note(self, event: str, answer: str, score: float) -> None:
        self.of[event] = answer
        self._judged.pop(event, None)
        if answer in LABELS:
            self._judged[event] = (score, LABELS[answer])

    def _file(self, event: dict[str, Any], answer: str) -> None:
        """Put the cubes of an event where its answer says."""
        name = event["id"]
        for other in LABELS:
            for path in (self._out / "validation" / other).glob(f"{name}.*"):
                path.unlink()
        if answer not in LABELS:
            return
        folder = self._out / "validation" / answer
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{name}.json", {**event, "label": LABELS[answer]})
        cubes = (self._out / event["snapshot"]).with_suffix(".npz")
        if cubes.exists():
            shutil.copyfile(cubes, folder / cubes.name)
