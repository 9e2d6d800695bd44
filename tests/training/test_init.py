"""`init`: a run that begins with the weights of another one's state."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest
from launching import called, succeed
from states import digests

from dist_vad.base.errors import InputError
from dist_vad.cli import phase, progressive
from dist_vad.curriculum.heads import own_tasks
from dist_vad.curriculum.initial import PRIOR, SHIPPED, given_state, initial_state
from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import State, read_state
from dist_vad.inference.detector import Detector
from dist_vad.inference.model_card import model_card
from dist_vad.settings.parsing import CONFIGS, parse
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS

LEARN_NOTHING = ("--stage.steps", "0", "--stage.warmup", "0")


@pytest.fixture
def given(tiny_run) -> State:
    """The last state of a run."""
    return max((read_state(folder) for folder in (tiny_run / "states").iterdir()), key=lambda state: len(state.lineage))


@pytest.fixture
def begun(tiny_settings, given, tmp_path) -> Settings:
    """Settings of a run that begins with it."""
    return dataclasses.replace(tiny_settings, run=str(tmp_path / "run"), init=str(given.folder))


def test_without_steps_the_weights_are_handed_on_as_they_are_and_calibrated(tiny_config, given, tmp_path):
    arguments = ("--config", str(tiny_config), "--run", str(tmp_path / "run"), "--init", str(given.folder))
    printed = succeed("launch/progressive.py", *arguments, *LEARN_NOTHING, ranks=2)
    assert {*digests(tmp_path / "run").values()} == {given.digest}
    assert (Path(printed.split("state: ")[1].strip()) / "calibration.safetensors").is_file()
    table = succeed("launch/evaluate.py", *arguments, *LEARN_NOTHING)
    assert "\ninit " in table and "\nuntrained " in table, "what it began with has rows of its own"


def test_heads_with_which_the_run_does_not_go_on_are_not_asked(tiny_config, given, tmp_path):
    arguments = ("--config", str(tiny_config), "--run", str(tmp_path / "run"), "--init", str(given.folder))
    printed = succeed("launch/progressive.py", *arguments, *LEARN_NOTHING, "--curriculum", "pre")
    state = read_state(Path(printed.split("state: ")[1].strip()))
    assert {"prediction", "virtual"} <= {*state.tasks} and own_tasks(state) == ["prediction"]
    assert [*Detector.load(state, "cpu").calibration.weights] == ["prediction"]
    assert f"| begins from | {given.folder.name} |" in model_card(state)
    table = succeed("launch/evaluate.py", *arguments, *LEARN_NOTHING, "--curriculum", "pre")
    assert "prediction" in table and "virtual" not in table


def test_a_run_has_its_own_copy_of_its_beginning(begun, given, tmp_path):
    size = plan(begun)[0].recipe["model"]["scene_size"]
    copy = initial_state(begun, size)
    assert copy and copy.digest == given.digest and copy.folder.parent == tmp_path / "run/states"
    gone = dataclasses.replace(begun, init=str(tmp_path / "gone"))
    assert [stage.key for stage in plan(gone)] == [stage.key for stage in plan(begun)]


def test_states_are_named_by_the_weights_that_they_began_with_and_not_by_their_place(
    begun, tiny_settings, given, tmp_path
):
    shutil.copytree(given.folder, tmp_path / "elsewhere")
    moved = dataclasses.replace(begun, init=str(tmp_path / "elsewhere"))
    keys = [[stage.key for stage in plan(settings)] for settings in (begun, moved, tiny_settings)]
    assert keys[0] == keys[1] and not {*keys[0]} & {*keys[2]}


@pytest.mark.parametrize(("key", "value"), [("width", 12), ("embedding", 6)])
def test_a_state_of_another_network_is_refused_by_what_differs(begun, key, value):
    begun.model = dataclasses.replace(begun.model, **{key: value})
    with pytest.raises(InputError, match=rf"a state of another network: {key} is {value}, there \d+"):
        plan(begun)


def test_before_anything_is_written_it_says_that_there_is_no_state(tiny_config, tmp_path, monkeypatch, capfd):
    arguments = ("--config", str(tiny_config), "--run", str(tmp_path / "run"), "--init", str(tmp_path / "no"))
    status, _, told = called(phase.main, monkeypatch, capfd, *arguments)
    assert status == 2 and f"no state at {tmp_path}/no" in told and not (tmp_path / "run").exists()


def test_a_stage_without_steps_needs_what_was_learned_before(begun):
    begun.curriculum = "jig"
    begun.stage = dataclasses.replace(begun.stage, steps=0, warmup=0)
    with pytest.raises(InputError, match="stage jigsaw has 0 steps, but nothing before it has learned jigsaw"):
        plan(begun)


@pytest.mark.parametrize("name", ["default.yaml", "scenes11/model_base.yaml", "scenes11/model_sota.yaml"])
def test_the_prior_that_ships_fits_the_network_of(monkeypatch, name):
    monkeypatch.setattr(sys, "argv", ["train", "--config", str(CONFIGS / name), "--init", PRIOR])
    settings = parse(progressive.COMMAND)[0]
    state = given_state(settings, settings.data.scene_size)
    assert state and state.load()


def test_the_prior_that_ships_was_trained_by_the_tasks_of_today_on_generated_video_alone():
    state = read_state(SHIPPED)
    assert state.recipe["task_versions"] == {task: TASKS[task].version for task in state.recipe["task_versions"]}
    assert "mix" not in state.recipe and set(state.recipe["data"]) == {"cube", "virtual"}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 20e6
