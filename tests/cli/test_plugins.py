"""A task, a data set and a detector of another installed package: shown, learned and scored as our own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT
from outsiders import install


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder of installed packages with that one in it."""
    return install(tmp_path_factory.mktemp("site"))


def dist_vad(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dist-vad ARGUMENTS` where that package is installed."""
    path = os.pathsep.join([str(installed), str(ROOT)])
    command = [sys.executable, "-c", "from dist_vad.cli.main import main; main()", *arguments]
    surroundings = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=installed, env=surroundings)


def test_what_other_packages_bring_stands_in_the_help(installed):
    text = dist_vad(installed, "train", "--help").stdout
    assert all(name in text for name in ("brightness", "stripes", "middle"))


def test_they_are_cut_trained_and_scored(installed, tmp_path):
    run = tmp_path / "run"
    settings = {
        "run": str(run), "shards": str(tmp_path / "shards"), "stream": {"streams": 8},
        "model": {"width": 4, "embedding": 16}, "score": {"batch": 16, "calibration": 32},
        "data": {"dataset": "stripes", "virtual": "none", "detector": {"name": "middle"}},
        "curriculum": "pre > bri", "train": {"tracker": "none", "cpu_threads": 1},
        "stage": {"steps": 3, "global_batch": 8, "validate_every": 0},
    }  # fmt: skip
    config = tmp_path / "mine.yaml"
    config.write_text(json.dumps(settings))
    for command in ("train", "evaluate"):
        done = dist_vad(installed, command, "--config", str(config))
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    metrics = json.loads((run / "metrics.json").read_text())
    assert {row["scorer"] for row in metrics["rows"]} >= {"prediction", "brightness"}
    manifest = json.loads((tmp_path / "shards/cube-test/manifest.json").read_text())
    assert manifest["dataset"] == "stripes" and len(manifest["videos"]) == 2


def test_a_task_that_does_not_fit_is_refused_by_name(installed, tmp_path):
    broken = install(tmp_path / "site", ('"bri", "perception"', '"bri", "perceptive"'))
    done = dist_vad(broken, "train", "--run", str(tmp_path / "run"))
    assert done.returncode == 2 and "the task brightness of the package outsiders 1.5" in done.stderr
    assert "Traceback" not in done.stderr and "perceptive" in done.stderr
