"""Calibrations are made once, kept beside the weights that they belong to, and never taken for those of others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.scoring import calibrating, kept
from dist_vad.scoring.geometry import features_of
from dist_vad.scoring.kept import UnfitError, basis_of, calibrations, read, read_fitting, write
from dist_vad.scoring.measuring import measure
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_auc import held_out
from dist_vad.scoring.velocity import OpticalFlow, WithVelocity
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.task import TaskSettings

TASKS = ["prediction", "semantic_reconstruction", "virtual"]


@pytest.fixture(scope="module")
def settings(tiny_shards) -> Settings:
    score = ScoreSettings(batch=16, calibration=64)
    return Settings(shards=str(tiny_shards), model=ModelSettings(width=4, embedding=16), score=score)


@pytest.fixture(scope="module")
def made(settings, tmp_path_factory) -> Path:
    """The calibration of an untrained network."""
    path = tmp_path_factory.mktemp("kept") / "calibration.safetensors"
    calibrations([scorer(settings)], [path], NormalVideo(settings))
    return path


def scorer(settings: Settings, tasks: list[str] = TASKS) -> Scorer:
    size = NormalVideo(settings).train.manifest.scene_size
    return Scorer.build(settings, {}, tasks, scene_size=size, device=torch.device("cpu"))


def test_what_is_read_scores_to_the_bits_of_what_was_made(settings, made, tmp_path):
    normal, own = NormalVideo(settings), scorer(settings)
    (fresh,) = calibrations([own], [tmp_path / "new.safetensors"], normal)
    again = read(made).calibration
    (measured,) = measure([WithVelocity(own, OpticalFlow())], normal.val, np.arange(24), 16)
    outputs, boxes = measured[""], features_of(normal.val)[:24]
    for scene in ("", "no such scene", *normal.train.scenes(np.arange(3))):
        ours, theirs = (each.scores(outputs, scene, 3, boxes) for each in (fresh.calibration, again))
        assert "combined" in ours
        assert {name: values.tolist() for name, values in ours.items()} == {
            name: values.tolist() for name, values in theirs.items()
        }
    assert again.synthetic_auc == fresh.calibration.synthetic_auc
    assert again.scores_without_objects == fresh.calibration.scores_without_objects


def test_what_is_kept_is_not_made_again_and_several_are_made_in_one_go(settings, made, tmp_path, monkeypatch):
    two, paths = [scorer(settings), scorer(settings, TASKS[:1])], [made, tmp_path / "other.safetensors"]
    asked: list[int] = []
    real = kept.calibrate_all
    monkeypatch.setattr(
        kept, "calibrate_all", lambda scorers, *rest: asked.append(len(scorers)) or real(scorers, *rest)
    )
    for _ in range(2):
        calibrations(two, paths, NormalVideo(settings))
    assert asked == [1], "only the one that was missing, and only once"


@pytest.mark.parametrize(
    "change",
    [
        {"score": ScoreSettings(batch=16, calibration=65)},
        {"score": ScoreSettings(batch=16, calibration=64, neighbours=2)},
        {"score": ScoreSettings(batch=16, calibration=64, synthetic=50)},
        {"score": ScoreSettings(batch=16, calibration=64, precision="bf16")},
        {"seed": 7},
    ],
)
def test_a_calibration_of_other_settings_or_weights_is_not_taken(settings, made, change):
    other = dataclasses.replace(settings, **change)
    with pytest.raises(UnfitError, match="is of"):
        read_fitting(made, basis_of(scorer(other), NormalVideo(other)))


@pytest.mark.parametrize("count", [1, 20, 500])
def test_synthetic_anomalies_are_made_of_as_many_held_out_objects_as_asked(settings, tmp_path, monkeypatch, count):
    asked = dataclasses.replace(settings, score=ScoreSettings(batch=16, calibration=64, synthetic=count))
    changed = []

    def noted(measures, shards, ids, batch, *changes):
        changed.extend([ids.tolist()] if changes else [])
        return measure(measures, shards, ids, batch, *changes)

    monkeypatch.setattr(calibrating, "measure", noted)
    video = NormalVideo(asked)
    calibrations([scorer(asked)], [tmp_path / "made.safetensors"], video)
    assert changed == [held_out(video.val, count).ids.tolist()]


LATER = [("task", field.name) for field in dataclasses.fields(TaskSettings)]
LATER += [
    ("score", field.name) for field in dataclasses.fields(ScoreSettings) if field.name not in ("batch", "calibration")
]


@pytest.mark.parametrize(("part", "key"), LATER)
def test_a_setting_that_came_later_does_not_make_a_calibration_anew(settings, made, tmp_path, part, key):
    kept = read(made)
    del kept.basis[part][key]
    write(tmp_path / "older.safetensors", kept)
    basis = basis_of(scorer(settings), NormalVideo(settings))
    assert read_fitting(tmp_path / "older.safetensors", basis).calibration.weights == kept.calibration.weights


def test_a_calibration_of_older_scores_is_refused_by_name(made, tmp_path):
    kept = read(made)
    kept.basis["version"][1] -= 1
    write(tmp_path / "older.safetensors", kept)
    with pytest.raises(UnfitError, match="another version of dist_vad"):
        read(tmp_path / "older.safetensors")


def test_where_normal_video_is_not_at_hand_the_kept_one_is_enough_and_a_missing_one_is_named(settings, made, tmp_path):
    own, away = scorer(settings), NormalVideo(dataclasses.replace(settings, shards=str(tmp_path / "nowhere")))
    assert calibrations([own], [made], away)[0].basis["normal video"] == NormalVideo(settings).digests
    with pytest.raises(InputError, match=r"does not exist.*nowhere.*copy the state's folder"):
        calibrations([own], [tmp_path / "missing.safetensors"], away)


@given(st.data())
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_noticed_wherever_it_was_changed(made, tmp_path, data):
    whole = bytearray(made.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(bytes(whole))
    with pytest.raises(UnfitError):
        read(path)


def test_a_folder_that_cannot_be_written_to_costs_the_keeping_alone(settings, made, tmp_path, monkeypatch):
    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(f"{path} is read-only")

    monkeypatch.setattr(kept, "write_bytes", refuse)
    write(tmp_path / "calibration.safetensors", read(made))
    assert not (tmp_path / "calibration.safetensors").exists()
