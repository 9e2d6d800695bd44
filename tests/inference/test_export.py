"""An exported state scores without torch: the same scores to 1e-5, the same events."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import ROOT
from miniature import frame, write_pictures

from dist_vad.base.errors import InputError
from dist_vad.base.head_scores import HEAD_SCORES
from dist_vad.inference.detector import Detector
from dist_vad.inference.export import Heads, _check_equal, _kind, export
from dist_vad.inference.exported import EXPORTED, ExportedDetector
from dist_vad.inference.outputs import VideoResult
from dist_vad.tasks import TASKS, make_tasks
from dist_vad.tasks.network import build_network

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
SETTINGS = {"stride": 2, "events": {"false_alarms": 0.5}}
WITHOUT_TORCH = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "accelerate"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from dist_vad.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def detector(tiny_run) -> Detector:
    return Detector.load(next((tiny_run / "states").glob("inference-*")), "cpu")


@pytest.fixture(scope="module")
def exported(detector, tmp_path_factory) -> Path:
    """A folder with the graphs of both engines."""
    folder = tmp_path_factory.mktemp("exported") / "state"
    pytest.importorskip("openvino")
    for form in ("openvino", "onnx"):
        export(detector, form, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_scores_are_equal_to_1e_5_and_events_the_same(detector, exported, engine):
    frames = np.stack([frame(number) for number in range(40)])
    ours, theirs = detector.score(frames, **SETTINGS), ExportedDetector.load(exported, engine).score(frames, **SETTINGS)
    assert np.abs(theirs.raw - ours.raw).max() <= 1e-5 * max(1.0, np.abs(ours.raw).max())
    assert [(event.start, event.end) for event in theirs.events()] == [(e.start, e.end) for e in ours.events()]
    assert theirs.threshold.value == ours.threshold.value and theirs.boxes.tolist() == ours.boxes.tolist()


@pytest.fixture(scope="module", params=[("vtest/vtest.avi", "combined"), ("ped2/testing/frames/02", "fused")])
def real(request, detector, shared) -> tuple[Path, dict, VideoResult]:
    """Real video, settings, and how it scores with torch. Half of all normal frames may reach the threshold: there are
    events."""
    place, settings = shared / "data" / request.param[0], {**SETTINGS, "stride": 4, "scorer": request.param[1]}
    return place, settings, detector.score(place, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_real_video_has_the_same_scores_and_events(real, exported, engine):
    place, settings, ours = real
    theirs = ExportedDetector.load(exported, engine).score(place, **settings)
    assert np.abs(theirs.raw - ours.raw).max() <= 1e-5 * max(1.0, np.abs(ours.raw).max())
    spans = [[(event.start, event.end, event.peak) for event in result.events()] for result in (ours, theirs)]
    assert spans[0] == spans[1] and spans[0], "the same events, and some"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_the_command_scores_where_there_is_no_torch(exported, tmp_path, engine):
    write_pictures(tmp_path / "walk", 24)
    words = ["score", str(tmp_path / "walk"), "--state", str(exported), "--engine", engine, "--stride", "2"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words, "--out", str(tmp_path / "out")],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out/walk.events.json").read_text())
    assert facts["frames"] == 24 and (tmp_path / "out/walk.mp4").is_file()


@pytest.mark.slow
def test_the_outputs_of_every_task_are_exported_as_they_are(task_settings, tmp_path):
    from dist_vad.inference.engines import open_engine
    from dist_vad.inference.export import _onnx_graph, _write_graph

    tasks = make_tasks([name for name in TASKS if name != "vision_language"], task_settings)
    network = build_network(tasks.values(), width=4, embedding=16, scene_size=24, seed=0)
    heads = Heads(network, tasks).eval()
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 256, (8, 9, 48, 48, 3), np.uint8)
    scenes = draw.standard_normal((8, 24)).astype(np.float32)
    _write_graph("onnx", _onnx_graph(heads, clips, scenes), tmp_path)
    with torch.no_grad():
        expected = heads(torch.from_numpy(clips), torch.from_numpy(scenes))
    for name, own, graph in zip(tasks, expected, open_engine("onnx", tmp_path)(clips, scenes)):
        _check_equal(name, own.numpy(), graph)


def test_every_task_of_ours_makes_its_score_in_a_way_that_can_be_exported():
    assert {name: _kind(name) for name in TASKS}.keys() == TASKS.keys()


def test_a_task_with_a_score_of_its_own_is_refused_by_name(monkeypatch):
    class Own(TASKS["prediction"]):
        @staticmethod
        def score(outputs, bank, neighbours):
            return outputs.values[:, 0] * 2

    monkeypatch.setitem(TASKS, "own", Own)
    with pytest.raises(InputError, match=rf"the task own makes its scores by code of its own.*{[*HEAD_SCORES][1]}"):
        _kind("own")


@pytest.mark.parametrize("shift", [0.0, 1e-6, 1e-3, np.nan])
def test_a_graph_that_is_apart_from_the_network_is_refused(shift):
    outputs = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    if shift <= 1e-6:
        _check_equal("prediction", outputs, outputs + np.float32(shift))
    else:
        with pytest.raises(InputError, match=r"graph of prediction is .* apart"):
            _check_equal("prediction", outputs, outputs + np.float32(shift))


def test_what_was_not_exported_says_how_to(tmp_path):
    with pytest.raises(InputError, match=rf"holds no {EXPORTED}; `dist-vad export STATE --format onnx` makes it"):
        ExportedDetector.load(tmp_path, "onnx")
