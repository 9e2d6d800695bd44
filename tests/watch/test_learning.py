"""Cameras that were never trained, end to end by the command: recorded, trained, calibrated, and watched."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from fake_cameras import FakeCamera, walker
from launching import ROOT
from watching import lines, red_by_times, until

from dist_vad.inference.detector import CALIBRATION

COMMAND = [sys.executable, "-c", "from dist_vad.cli.main import main; main()", "watch"]
TINY = ["--model.width", "4", "--model.embedding", "16", "--stream.streams", "4", "--stage.global_batch", "8"]
TINY += ["--stage.validate_every", "0", "--score.calibration", "64", "--score.refit", "2", "--train.tracker", "none"]
PASSWORD = "hunter2-learned"


def start(config: Path, log: Path, *words: str) -> subprocess.Popen:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CAMERA_PASSWORD": PASSWORD}
    with log.open("ab") as file:
        return subprocess.Popen([*COMMAND, str(config), *words], stdout=file, stderr=file, env=surroundings)


def scored(port: int) -> dict[str, float]:
    """Camera -> its score now, as /metrics tells it; empty while there is no page."""
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return {}
    found = [line for line in text.splitlines() if line.startswith("dist_vad_camera_score{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in found if "nan" not in line.lower()}


@pytest.mark.slow
def test_a_camera_that_was_never_trained_is_learned_and_watched_by_a_true_state(tmp_path):
    out, log, config, port = tmp_path / "out", tmp_path / "log", tmp_path / "cameras.yaml", 8790 + os.getpid() % 1000
    with FakeCamera(walker, user=f"admin:{PASSWORD}") as door, FakeCamera(red_by_times) as yard:
        settings = {
            "cameras": {
                "door": {"url": door.url.replace(PASSWORD, "${CAMERA_PASSWORD}")},
                "yard": {"url": yard.url},
            },
            "out": str(out), "page": {"port": port}, "warmup": 0.5, "events": {"false_alarms": 0.3},
            "learning": {"every": 2, "most_cubes": 2000, "curriculum": "pre", "steps": 4, "options": TINY},
        }  # fmt: skip
        config.write_text(json.dumps(settings))
        process = start(config, log, "--learn", str(30 / 3600))
        until(lambda: len(scored(port)) == 2 or process.poll() is not None, 300)
        assert process.poll() is None, log.read_text()
        until(lambda: any(line["type"] == "begin" for line in lines(out)), 120)
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
        learned = json.loads((out / "learned/state.json").read_text())
        assert learned["cameras"] == ["door", "yard"] and (Path(learned["state"]) / CALIBRATION).is_file()
        trained = (Path(learned["state"]) / "state.json").stat().st_mtime_ns

        process = start(config, log)  # without --learn: the state is there
        until(lambda: len(scored(port)) == 2 or process.poll() is not None, 120)
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    assert (Path(learned["state"]) / "state.json").stat().st_mtime_ns == trained
    begun, ended = ([line["id"] for line in lines(out) if line["type"] == kind] for kind in ("begin", "end"))
    assert begun and sorted(begun) == sorted(ended)
    for path in [log, *(path for path in out.rglob("*") if path.is_file())]:
        assert PASSWORD.encode() not in path.read_bytes(), path
