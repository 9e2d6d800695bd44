"""A task, a data set and a detector of another installed package: shown, learned and scored as our own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT

PACKAGE = {
    "outsiders/__init__.py": "",
    "outsiders/brightness.py": '''
"""A proxy task in one file: the mean brightness of a clip's middle frame, from the other frames."""

from torch import nn

from dist_vad.model.heads import PerceptionTrunk
from dist_vad.tasks import Inputs, Task


class Brightness(Task):
    name, alias, phase, output, kind = "brightness", "bri", "perception", "brightness", "cube"

    def make_output(self, trunk):
        assert isinstance(trunk, PerceptionTrunk)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(trunk.width, 1))

    def loss(self, backbone, head, inputs: Inputs, draws):
        return (self._said(backbone, head, inputs) - self._truth(inputs)).square()

    def measure(self, backbone, head, inputs: Inputs):
        return (self._said(backbone, head, inputs) - self._truth(inputs)).abs()[:, None]

    def _said(self, backbone, head, inputs):
        return head(self.output, backbone(inputs.clip[:, :, :4]))[:, 0]

    def _truth(self, inputs):
        return inputs.clip[:, :, inputs.clip.shape[2] // 2].mean(dim=(1, 2, 3))

''',
    "outsiders/stripes.py": '''
"""A data set in one file: grey frames over which a bright stripe moves; in test video it jumps at the end."""

import numpy as np

from dist_vad.datasets.base import Adapter
from dist_vad.video.source import Video


class Frames:
    fps, width, height = 25.0, 64, 48

    def __init__(self, number, jumps):
        self.number, self.jumps = number, jumps

    def __len__(self):
        return 30

    def __iter__(self):
        for frame in range(30):
            picture = np.full((48, 64, 3), 40 + self.number, np.uint8)
            left = (3 * frame + 20 * (self.jumps and frame > 20)) % 44
            picture[10:34, left : left + 16] = 220
            yield picture


def videos(settings):
    made = []
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            jumps = split == "test"
            made.append(
                Video(
                    name=f"{split}_{number}", split=split, scene="stripes", identity=f"stripes-{split}-{number}",
                    open=lambda number=number, jumps=jumps: Frames(number, jumps),
                    labels={"frames": [[21, 30]]} if jumps else {},
                )
            )
    return made


ADAPTER = Adapter(videos)
''',
    "outsiders/middle.py": '''
"""A detector in one file: the middle of every frame."""

from dist_vad.video.detectors.base import sorted_boxes


def make(settings, video, frames):
    def detect(numbers, pictures):
        return [sorted_boxes([[4.0, 4.0, p.shape[1] - 4.0, p.shape[0] - 4.0, 1.0]], ["object"]) for p in pictures]

    return detect
''',
    "outsiders-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: outsiders\nVersion: 1.5\n",
    "outsiders-1.5.dist-info/entry_points.txt": (
        "[dist_vad.tasks]\nbrightness = outsiders.brightness:Brightness\n"
        "[dist_vad.datasets]\nstripes = outsiders.stripes:ADAPTER\n"
        "[dist_vad.detectors]\nmiddle = outsiders.middle:make\n"
    ),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder of installed packages with that one in it."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


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
    broken = tmp_path / "site"
    for name, text in PACKAGE.items():
        (broken / name).parent.mkdir(parents=True, exist_ok=True)
        (broken / name).write_text(text.replace('"bri", "perception"', '"bri", "perceptive"'))
    done = dist_vad(broken, "train", "--run", str(tmp_path / "run"))
    assert done.returncode == 2 and "the task brightness of the package outsiders 1.5" in done.stderr
    assert "Traceback" not in done.stderr and "perceptive" in done.stderr
