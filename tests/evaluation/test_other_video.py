"""Test video that a run was not made for: judged by the run's states, without training again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from launching import run, succeed
from miniature import contents, write_video

CURRICULUM = {
    "perception": {"tasks": {"prediction": 1}, "steps": 4, "global_batch": 8},
    "comprehension": {"tasks": {"semantic_reconstruction": 1, "prediction": 1}, "steps": 4, "global_batch": 8},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the clips `mine`, the clips `other`, and a run that was trained and evaluated on `mine`."""
    home = tmp_path_factory.mktemp("other_video")
    for scene in ("hall", "yard"):
        for number in range(3):
            write_video(home / f"mine/train/{scene}_{number}.avi", 40, tint=10 * number)
    for name in ("hall_8", "yard_8"):
        write_video(home / f"mine/test/{name}.avi", 40, tint=5)
    (home / "mine/labels.json").write_text(json.dumps({"hall_8": [[10, 20]], "yard_8": []}))
    write_video(home / "other/test/yard_9.avi", 50, tint=25)
    (home / "other/test").joinpath("hall_8.avi").write_bytes((home / "mine/test/hall_8.avi").read_bytes())
    (home / "other/labels.json").write_text(json.dumps({"hall_8": [[10, 20]], "yard_9": [[5, 30]]}))
    settings = {
        "run": str(home / "run"),
        "shards": str(home / "shards"),
        "data": {"dataset": "folder", "labels": "{root}/labels.json", "virtual": "none", "train_stride": 2},
        "stream": {"streams": 4},
        "model": {"width": 4, "embedding": 16},
        "score": {"batch": 16, "calibration": 64, "refit": 2},
        "curriculum": CURRICULUM,
    }
    (home / "config.json").write_text(json.dumps(settings))
    given = ["--config", str(home / "config.json"), "--data.root", str(home / "mine")]
    succeed("launch/progressive.py", *given)
    succeed("launch/evaluate.py", *given)
    return home


def evaluate_other(home: Path) -> Path:
    given = ["--config", str(home / "config.json"), "--data.root", str(home / "other")]
    succeed("launch/evaluate.py", *given)
    return home / "run"


def scores(file: Path) -> dict[str, np.ndarray]:
    return dict(np.load(file))


def test_other_clips_are_judged_by_the_same_states_and_the_clip_that_both_have_scores_the_same(home):
    shutil.move(home / "mine", home / "gone")  # the training video itself is not needed again
    before, states = scores(home / "run/frame_scores.npz"), contents(home / "run/states")
    folder = evaluate_other(home)
    assert contents(folder / "states") == states, "nothing is trained, nothing is calibrated anew"
    after = scores(folder / "frame_scores.npz")
    assert {name.removeprefix("test_") for name in after} == {"hall_8", "yard_9"}
    shared = [name for name in before if name in after]
    assert shared and all(np.array_equal(before[name], after[name]) for name in shared)
    (aside,) = folder.glob("results-*")
    assert scores(aside / "frame_scores.npz").keys() == before.keys(), "the results on the run's own clips are kept"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--data.cube_size", "32"], "data.cube_size 48, now 32"),
        (["--data.clip_length", "7"], "data.clip_length 9, now 7"),
        (["--model.width", "8"], "model.width 4, now 8"),
    ],
)
def test_other_clips_that_would_be_cut_otherwise_are_refused(home, given, told):
    arguments = ["--config", str(home / "config.json"), "--data.root", str(home / "other"), *given]
    done = run("launch/evaluate.py", *arguments)
    assert done.returncode != 0 and told in done.stderr


def test_without_the_configuration_no_generated_video_is_judged(home):
    done = run("launch/evaluate.py", "--run", str(home / "run"), "--shards", str(home / "shards"))
    assert (
        done.returncode != 0 and "was trained on folder, and no other video is named; give the --config" in done.stderr
    )


def test_a_folder_without_test_clips_is_refused(home, tmp_path):
    (tmp_path / "empty/test").mkdir(parents=True)
    done = run("launch/evaluate.py", "--config", str(home / "config.json"), "--data.root", str(tmp_path / "empty"))
    assert done.returncode != 0, "accelerate launch makes a 1 of every status"
    assert str(tmp_path / "empty") in done.stderr
