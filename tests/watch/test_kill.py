"""Killed at any moment: what was written is whole, and the next start goes on; a planted password is nowhere."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from fake_cameras import FakeCamera, Fault
from watching import events, lines, red_by_times, until

HELPERS, ROOT = Path(__file__).resolve().parents[1] / "helpers", Path(__file__).resolve().parents[2]
PASSWORD = "hunter2-planted"
SERVICE = """
import os, sys
from pathlib import Path
from dist_vad.base import log
from dist_vad.settings.watch import PageSettings, SinkSettings
from dist_vad.watch.service import Service
from dist_vad.watch.web import Page
from watching import red_judge, watch_settings
log.set_up()
out, url = sys.argv[1:]
settings = watch_settings(Path(out), {"door": url}, page=PageSettings(port=0), sinks=SinkSettings(stdout=True))
service = Service(settings, {"door": red_judge()})
page = Page(service)
page.start()
print(page.url, file=sys.stderr, flush=True)
service.run()
"""


def start(out: Path, url: str, log: Path) -> subprocess.Popen:
    """A service of its own; the password is in its environment alone."""
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HELPERS}", "CAMERA_PASSWORD": PASSWORD}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(out), url], stdout=file, stderr=file, env=surroundings
        )


def is_whole(out: Path) -> None:
    """All lines are JSON, all snapshots are pictures, all clips play, all cubes are arrays."""
    assert lines(out) is not None
    for path in (out / "media").glob("*/*"):
        if path.name.startswith("."):  # what a kill left half-written has no name of its own
            continue
        if path.suffix == ".jpg":
            assert cv2.imread(str(path)) is not None, path
        elif path.suffix == ".npz":
            assert len(np.load(path)["clips"]) > 0
        elif path.stat().st_size > 0:
            with av.open(str(path)) as clip:
                times = [frame.time for frame in clip.decode(video=0)]
            assert all(earlier < later for earlier, later in pairwise(times))


def go_through(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a service so many times at random moments, by SIGKILL and by SIGTERM in turn."""
    draw = np.random.default_rng(seed)
    out, log = tmp_path / "out", tmp_path / "log"
    faults = [Fault(int(frame), "drop") for frame in draw.integers(0, 40 * kills, kills)]
    with FakeCamera(red_by_times, user=f"admin:{PASSWORD}", faults=faults) as camera:
        url = camera.url.replace(PASSWORD, "${CAMERA_PASSWORD}")
        for number in range(kills):
            before = len(lines(out)) if out.exists() else 0
            process = start(out, url, log)
            until(lambda before=before, process=process: _count(out) > before or process.poll() is not None, 120)
            time.sleep(draw.uniform(0, 6))
            assert process.poll() is None, log.read_text()
            kind = signal.SIGKILL if number % 2 == 0 else signal.SIGTERM
            process.send_signal(kind)
            # Before it has begun to listen for SIGTERM, that ends it like any other process.
            allowed = (-signal.SIGKILL,) if kind == signal.SIGKILL else (0, -signal.SIGTERM)
            assert process.wait(60) in allowed, log.read_text()
            is_whole(out)
        before = log.read_bytes().count(b"connected")
        process = start(out, url, log)
        until(lambda: log.read_bytes().count(b"connected") > before, 120)
        until(lambda: bool(events(out, "door", "begin")), 120)  # however slow the machine, one has begun
        process.terminate()
        assert process.wait(60) == 0
    begun, ended = ([line["id"] for line in events(out, "door", kind)] for kind in ("begin", "end"))
    assert begun and sorted(begun) == sorted(set(begun)) and sorted(ended) == sorted(begun)
    for path in [log, *(path for path in out.rglob("*") if path.is_file())]:
        assert PASSWORD.encode() not in path.read_bytes(), path


def _count(out: Path) -> int:
    """Whole lines so far; one may be in the middle of being written."""
    texts = [path.read_text() for path in (out / "events").glob("*.jsonl")] if out.exists() else []
    return sum(text.count("\n") for text in texts)


def test_after_two_kills_all_is_whole_and_every_event_has_its_end(tmp_path):
    go_through(tmp_path, 2, seed=0)


@pytest.mark.slow
def test_after_twenty_kills_all_is_whole_and_every_event_has_its_end(tmp_path):
    go_through(tmp_path, 20, seed=1)


def test_a_killed_service_loses_no_line_that_it_had_told(tmp_path):
    """What stood on standard output stands in the journal."""
    out, log = tmp_path / "out", tmp_path / "log"
    with FakeCamera(red_by_times) as camera:
        process = start(out, camera.url, log)
        until(lambda: b'"begin"' in log.read_bytes(), 120)
        process.kill()
        process.wait()
    told = [json.loads(text) for text in log.read_text().splitlines() if text.startswith("{")]
    written = lines(out)
    assert told and all(line in written for line in told)
