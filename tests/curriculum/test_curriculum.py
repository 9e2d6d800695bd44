"""A curriculum means the same however it is written, and a common beginning is the same stages."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.curriculum.recipes import last_state, plan
from dist_vad.curriculum.stages import remarks, stages_of
from dist_vad.curriculum.state import save_state
from dist_vad.settings.curriculum import LearningSettings, StageSettings
from dist_vad.settings.curriculum_line import split_line, write_line
from dist_vad.settings.run import Settings
from dist_vad.settings.stream import StreamSettings

STAGE = st.dictionaries(
    st.sampled_from(["pre", "rec", "sr", "jig", "virtual"]), st.sampled_from([0.5, 1, 3]), min_size=1
)


def tasks(**given) -> dict[str, dict[str, float]]:
    """Stage -> its tasks."""
    return {name: stage.tasks for name, stage in stages_of(Settings(**given)).items()}


@given(st.lists(STAGE, min_size=1))
def test_a_line_is_read_as_it_was_written(stages):
    assert split_line(write_line(stages)) == stages


def test_stages_are_sequential_simultaneous_or_mixed():
    one, two = {"prediction": 1}, {"semantic_reconstruction": 1}
    assert tasks(curriculum="pre > sr") == {"prediction": one, "semantic_reconstruction": two}
    assert tasks(curriculum="virtual*2+pre") == {"pre+virtual": {"prediction": 1, "virtual": 2}}
    assert list(tasks(curriculum="pre + sr > virtual > prediction > pre")) == [
        "pre+sr",
        "virtual",
        "prediction",
        "prediction_again",
    ]


def test_a_line_and_its_stages_in_full_are_the_same():
    learning = LearningSettings(steps=7, learning_rate=1e-3)
    line = Settings(curriculum="pre > virtual", stage=learning, stages={"virtual": {"steps": 9}})
    full = {
        "prediction": StageSettings(tasks={"prediction": 1}, steps=7, learning_rate=1e-3),
        "virtual": StageSettings(tasks={"virtual": 1}, steps=9, learning_rate=1e-3),
    }
    completed = {name: stage.completed(LearningSettings()) for name, stage in full.items()}
    assert stages_of(line) == stages_of(Settings(curriculum=full)) == completed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"curriculum": "pre > perfection"}, r"'perfection'; allowed: prediction \(pre\)"),
        ({"curriculum": "pre > > sr"}, "'' is no task"),
        ({"curriculum": "pre, sr"}, "'pre, sr' is no task"),
        ({"curriculum": "pre + pre"}, "a task once in a stage"),
        ({"curriculum": "pre*0"}, "weights above 0, not '0'"),
        ({"curriculum": "pre*many"}, "weights above 0, not 'many'"),
        ({"stages": {"virtual": {"stepz": 3}}}, "stages.virtual sets 'stepz'; allowed: steps"),
        ({"stages": {"virtual": {"steps": "ten"}}}, "stages.virtual.steps is 'ten'; allowed: int"),
        ({"stages": {"virtual": {"steps": 0}}}, "stages.virtual.steps is 0; allowed: 1 or more"),
        ({"stages": {"perfection": {"steps": 3}}}, "stages names 'perfection'"),
        ({"stream": StreamSettings(streams=48)}, r"stage.global_batch is 64; allowed: a multiple of stream.streams"),
    ],
)
def test_a_wrong_line_is_refused_with_what_is_allowed(given, message):
    with pytest.raises(ValueError, match=message):
        stages_of(Settings(**given))


def test_an_unusual_order_is_a_remark_and_no_error():
    assert remarks(stages_of(Settings(curriculum="pre > sr > virtual"))) == []
    assert remarks(stages_of(Settings(curriculum="pre > sr + pre > virtual + pre"))) == [], (
        "what is retained is not new"
    )
    (remark,) = remarks(stages_of(Settings(curriculum="pre > virtual > sr")))
    assert "semantic_reconstruction (comprehension) comes after inference" in remark


def test_a_common_beginning_has_the_same_keys_and_nothing_else_has(tiny_settings):
    def keys(line: str, **changes) -> list[str]:
        stage = LearningSettings(steps=4, global_batch=8)
        return [
            stage.key for stage in plan(dataclasses.replace(tiny_settings, curriculum=line, stage=stage, **changes))
        ]

    whole = keys("pre > sr > virtual")
    assert keys("pre > sr") == whole[:2] and keys("prediction > sr > pre")[:2] == whole[:2]
    assert keys("sr + pre") == keys("pre + sr")
    assert not set(keys("sr > virtual")) & set(whole)
    assert not set(keys("pre > sr > virtual", seed=1)) & set(whole)
    assert keys("pre > sr > virtual", stages={"sr": {"steps": 5}})[0] == whole[0]
    assert keys("pre > sr > virtual", stages={"sr": {"steps": 5}})[1] != whole[1]


def test_a_stage_has_the_same_key_whatever_it_is_called(tiny_settings):
    first = StageSettings(tasks={"prediction": 1}, steps=4, global_batch=8)
    one, other = (plan(dataclasses.replace(tiny_settings, curriculum={name: first})) for name in ("per", "warm_up"))
    assert one[0].key == other[0].key


OTHERS = {
    "seed is 7, there 0": {"seed": 7},
    "augment is mirror, there none": {"augment": "mirror"},
    "stream.block is 5, there 128": {"stream": StreamSettings(block=5)},
    "stage.learning_rate is 0.5, there 0.0003": {
        "curriculum": {"first": StageSettings(tasks={"prediction": 1}, learning_rate=0.5)}
    },
}


@pytest.mark.parametrize("said", OTHERS)
def test_who_asks_for_a_stage_of_other_settings_is_told_what_differs(said, tiny_settings, tmp_path):
    curriculum = {"first": StageSettings(tasks={"prediction": 1})}
    settings = dataclasses.replace(tiny_settings, run=str(tmp_path), curriculum=curriculum, stream=StreamSettings())
    (stage,) = plan(settings)
    recipe = {**stage.recipe, "parent": "0123456789abcdef"}
    facts = {"key": stage.key, "stage": stage.name, "lineage": [], "tasks": ["prediction"], "metrics": {}}
    save_state(tmp_path / "states" / stage.folder_name, {"w": torch.ones(1)}, recipe=recipe, **facts)
    with pytest.raises(InputError, match="no finished stage of these settings") as error:
        last_state(dataclasses.replace(settings, **OTHERS[said]))
    for what in (stage.folder_name, said, "the state of --init is none, there 0123456789ab"):
        assert what in str(error.value)
