"""The examples in the docstrings of the classes that a program of one's own begins with run as they stand."""

import doctest
import textwrap
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from miniature import write_video

import dist_vad.scoring.tail_calibration as tail_calibration
from dist_vad.curriculum.state import read_state
from dist_vad.data.shardset import ShardSet
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.inference.detector import Detector, run_settings
from dist_vad.inference.outputs import VideoResult
from dist_vad.inference.scoring import event_threshold, score_offline
from dist_vad.inference.video_scorer import VideoScorer
from dist_vad.scoring.calibrating import calibrate
from dist_vad.scoring.calibration import Calibration
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.video import VideoSettings


def example(of: type) -> str:
    """The indented lines of a docstring."""
    lines = (of.__doc__ or "").splitlines()
    return textwrap.dedent("\n".join(line for line in lines if line.startswith(" " * 8)))


def test_tail_calibration():
    assert doctest.testmod(tail_calibration).attempted >= 2 and doctest.testmod(tail_calibration).failed == 0


def test_the_examples_run(tiny_run, tmp_path, monkeypatch):
    """One after another: what the first makes, the next ones use."""
    state = next((tiny_run / "states").glob("inference-*"))
    settings = run_settings(read_state(state))
    settings.score.refit = 0  # no command has fitted heads
    train, val, test = (ShardSet(Path(settings.shards) / f"cube-{split}") for split in ("train", "val", "test"))
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "walk.avi", 30)
    classes = (Accelerator, Detector, Evaluation, Path, Scorer, VideoScorer, VideoSettings)
    names = {
        **{each.__name__: each for each in classes},
        "np": np, "torch": torch, "read_state": lambda path: read_state(state), "calibrate": calibrate,
        "score_offline": score_offline, "settings": settings, "train": train, "val": val, "test": test,
        "state": read_state(state), "device": torch.device("cpu"),
    }  # fmt: skip
    for of in (Calibration, Detector, VideoScorer):
        code = example(of).replace("walk.mp4", "walk.avi")
        exec(code.replace("runs/demo/states/inference-2f436122f911", str(state)), names)
    names["threshold"] = event_threshold(names["detector"], VideoSettings(), online=False)
    exec(example(VideoResult).replace('"walk.mp4"', '"walk.avi"'), names)
    assert (tmp_path / "scored" / "walk.parquet").is_file()
    exec(example(Evaluation), names)
