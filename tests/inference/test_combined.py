"""`combined` is the score that counts for any video: the same as in an evaluation, by the same threshold's score."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator
from miniature import QUIET, frame

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import read_state
from dist_vad.datasets import open_dataset
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.inference.detector import CALIBRATION, Detector, run_settings
from dist_vad.inference.scoring import event_threshold
from dist_vad.inference.video_scorer import VideoScorer
from dist_vad.producer.job import write_shards
from dist_vad.scoring import kept
from dist_vad.scoring.geometry import features_of, features_of_video
from dist_vad.settings.video import VideoSettings

REACH = 4


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory) -> Path:
    """A copy of a tiny run, whose calibrations may change."""
    folder = tmp_path_factory.mktemp("combined") / "run"
    shutil.copytree(tiny_run, folder, ignore=shutil.ignore_patterns(CALIBRATION))
    return folder


@pytest.fixture(scope="module")
def detector(run) -> Detector:
    return Detector.load(next((run / "states").glob("inference-*")), "cpu")


@pytest.fixture(scope="module")
def without(detector) -> Detector:
    """The same for whole frames, which have no geometry."""
    normal = {name: scores for name, scores in detector.normal.items() if name != "combined"}
    calibration = dataclasses.replace(detector.calibration, combined=None)
    return dataclasses.replace(detector, calibration=calibration, normal=normal)


def test_an_object_has_the_score_and_the_box_features_that_an_evaluation_gives_it(detector, run, tmp_path):
    """With shards that lose nothing; those of the run are JPEG."""
    trained = run_settings(detector.state)
    trained.score.refit = 0  # no command has fitted heads
    data = dataclasses.replace(detector.data, codec="raw")
    write_shards(data, tmp_path / "shards", QUIET)
    settings = dataclasses.replace(trained, shards=str(tmp_path / "shards"), run=str(tmp_path / "run"))
    evaluation = Evaluation(settings, Accelerator(), trained)
    test = evaluation.sets.test
    scores = np.concatenate([*evaluation.object_scores(evaluation.score_alone(detector.state), "combined")])
    boxes, shards = features_of(test), test.manifest.shards
    video = np.repeat([shard.video for shard in shards], [shard.samples for shard in shards])
    for own in [own for own in open_dataset(data) if own.split == "test"]:
        result = detector.score(np.stack([*own.open()]), stride=test.manifest.stride, scene=own.scene)
        rows, found = video == own.name, result.objects
        ours = features_of_video(np.array(found.frames), result.boxes, test.manifest.stride, REACH)
        assert ours.tolist() == boxes[rows].tolist() and len(ours) > 10
        assert found.scores == scores[rows].tolist(), own.name


def test_combined_counts_where_the_state_has_it_and_any_other_score_on_request(detector, without):
    assert VideoScorer(detector, VideoSettings()).counts == "combined"
    assert VideoScorer(without, VideoSettings()).counts == "fused"
    for name in detector.normal:
        assert VideoScorer(detector, VideoSettings(scorer=name)).counts == name
    with pytest.raises(InputError, match="this state has"):
        VideoScorer(without, VideoSettings(scorer="combined"))


@pytest.mark.parametrize("online", [False, True])
def test_scores_threshold_and_score_without_objects_are_of_the_score_that_is_named(detector, online):
    """Nothing of one score is compared with what another one gives normal video."""
    levels = {}
    for name in detector.normal:
        settings = VideoSettings(scorer=name)
        levels[name] = event_threshold(detector, settings, online).frames.levels
        without_objects = VideoScorer(detector, settings).score_without_objects
        assert without_objects == detector.calibration.scores_without_objects[name]
    assert event_threshold(detector, VideoSettings(), online).frames.levels == levels["combined"] != levels["fused"]


def test_the_files_name_the_score(detector, tmp_path):
    frames = np.stack([frame(number) for number in range(40)])
    for name in ("combined", "fused"):
        result = detector.score(frames, stride=2, **({} if name == "combined" else {"scorer": name}))
        _, events = result.save(tmp_path, name)
        assert json.loads(events.read_text())["scorer"] == name


def test_cubes_of_a_place_that_no_training_scene_shows_are_compared_with_those_of_all(detector):
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 255, (6, 9, 48, 48, 3)).astype(np.uint8)
    feature, boxes = next(iter(detector.scenes.values())), draw.uniform(1, 5, (6, 5))
    everywhere = detector.scores(clips, feature, "", boxes)["combined"]
    geometry = detector.calibration.combined.geometry
    standard, known = (boxes - geometry.mean) / geometry.deviation, np.concatenate([*geometry.normal.values()])
    nearest = [np.sort(np.linalg.norm(known - own, axis=1))[: geometry.nearest].mean() for own in standard]
    np.testing.assert_allclose(geometry.scores(boxes, ""), nearest)
    mixed = detector.scores(clips, feature, np.array(["", *detector.scenes, *["nowhere"] * 9])[:6], boxes)["combined"]
    assert mixed[[0, -1]].tolist() == everywhere[[0, -1]].tolist() and np.isfinite(everywhere).all()
    assert mixed[1] != everywhere[1], "a known scene is compared with its own cubes"


def test_without_boxes_and_for_whole_frames_there_is_no_combined(detector, without):
    clips, feature = np.zeros((2, 9, 48, 48, 3), np.uint8), next(iter(detector.scenes.values()))
    assert "combined" not in detector.scores(clips, feature, "")
    whole = without.scores(clips, feature, "", np.ones((2, 5)))
    assert "combined" not in whole and whole["fused"].tolist() == detector.scores(clips, feature, "")["fused"].tolist()


def test_a_calibration_of_an_older_detector_is_made_anew_or_refused_by_name(detector, tmp_path):
    path = Detector.load(detector.state.folder, "cpu").state.folder / CALIBRATION
    old = kept.read(path)
    old.facts["version"] -= 1
    del old.arrays["normal.combined"]
    shutil.copytree(detector.state.folder, tmp_path / "state")
    kept.write(tmp_path / "state" / CALIBRATION, old)
    with pytest.raises(InputError, match="was written by another version"):
        Detector.load(read_state(tmp_path / "state"), "cpu")
    kept.write(path, old)
    again = Detector.load(detector.state.folder, "cpu")
    assert [own.tolist() for own in again.normal["combined"]] == [own.tolist() for own in detector.normal["combined"]]
