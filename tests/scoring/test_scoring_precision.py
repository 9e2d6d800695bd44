"""`score.precision`: what auto stands for, and that bf16 says of objects what fp32 says."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from dist_vad.base.errors import InputError
from dist_vad.curriculum.precision import keep_precision, with_scoring_precision
from dist_vad.inference.detector import Detector
from dist_vad.inference.export import export
from dist_vad.model.backbone import norm
from dist_vad.scoring.calibrating import calibrate_all
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.train import TrainSettings

PRECISIONS = ("no", "tf32", "bf16", "auto")
TASKS = ["prediction", "semantic_reconstruction", "virtual"]


@pytest.mark.parametrize("trained", PRECISIONS)
def test_auto_is_bf16_where_the_run_is_trained_in_bf16(tmp_path, trained):
    train = TrainSettings(precision=trained)
    settings = Settings(run=str(tmp_path), train=train, score=ScoreSettings(precision="auto"))
    expected = "bf16" if keep_precision(settings) == "bf16" else "no"
    assert with_scoring_precision(settings).score.precision == expected


@pytest.mark.parametrize("trained", PRECISIONS)
@pytest.mark.parametrize("asked", ["no", "bf16"])
def test_what_is_asked_for_is_done_however_the_run_is_trained(tmp_path, trained, asked):
    settings = Settings(run=str(tmp_path), train=TrainSettings(precision=trained), score=ScoreSettings(precision=asked))
    assert with_scoring_precision(settings).score.precision == asked


@pytest.fixture(scope="module")
def scores(tiny_shards) -> dict[str, dict[str, np.ndarray]]:
    """What an untrained network says of held-out objects, calibrated and scored in both precisions."""
    scored = {}
    for precision in ("no", "bf16"):
        score = ScoreSettings(batch=16, calibration=64, precision=precision)
        settings = Settings(shards=str(tiny_shards), model=ModelSettings(width=8, embedding=16), score=score)
        normal = NormalVideo(settings)
        size = normal.train.manifest.scene_size
        scorer = Scorer.build(settings, {}, TASKS, scene_size=size, device=torch.device("cpu"))
        (calibration,) = calibrate_all([scorer], normal.train, normal.val)
        scored[precision] = calibration.scores(scorer.measure(normal.val, np.arange(len(normal.val))), "", 3)
    return scored


@pytest.mark.parametrize("score", [*TASKS, "fused"])
def test_bf16_puts_objects_in_the_same_order(scores, score):
    assert len(np.unique(scores["no"][score])) > 20
    assert spearmanr(scores["no"][score], scores["bf16"][score])[0] > 0.98  # pyright: ignore


def test_bf16_is_computed_where_it_is_asked_for(scores):
    assert all((scores["no"][score] != scores["bf16"][score]).any() for score in TASKS)


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.sampled_from([4, 8, 32, 64]), st.integers(1, 9), st.sampled_from([1, 6, 8, 24]), st.integers(0, 99))
def test_a_norm_in_bf16_is_that_of_fp32_rounded(channels, length, side, seed):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(2, channels, length, side, side, generator=draw).bfloat16()
    values = values.contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        rounded, exact = norm(channels)(values), norm(channels)(values.float())
    assert rounded.dtype == torch.bfloat16
    assert torch.allclose(rounded.float(), exact, rtol=1e-2, atol=1e-2)


def test_a_state_that_is_calibrated_in_bf16_is_not_exported(tiny_run, tmp_path):
    detector = Detector.load(next((tiny_run / "states").glob("inference-*")), "cpu")
    settings, ours = detector.scorer.settings, detector.scorer
    fast = dataclasses.replace(settings, precision="bf16")
    scorer = Scorer(ours.network, [*ours.tasks], fast, ours.task_settings, ours.device)
    with pytest.raises(InputError, match="is calibrated in bf16"):
        export(dataclasses.replace(detector, scorer=scorer), "onnx", tmp_path / "exported")
