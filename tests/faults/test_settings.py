"""Every setting has a check: what it does not allow is refused before anything starts: key, value, what is allowed."""

import dataclasses
import functools
import importlib
import math
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launching import called

from dist_vad import cli
from dist_vad.base.errors import InputError
from dist_vad.cli import check, evaluate, progressive, score, write
from dist_vad.curriculum.stages import stages_of
from dist_vad.settings.ablation import AblationSettings, RowSettings
from dist_vad.settings.command_line.checks import check_values
from dist_vad.settings.curriculum import LearningSettings, StageSettings
from dist_vad.settings.data import DataSettings
from dist_vad.settings.judge import JudgeSettings
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, parse
from dist_vad.settings.run import Settings
from dist_vad.settings.video import VideoSettings
from dist_vad.settings.watch import CameraSettings, MqttSettings, WatchSettings, WebhookSettings

pytestmark = pytest.mark.kind(5)

RUN = Command(Settings, "", DEFAULT_CONFIG)
ROWS = {"rows": [RowSettings(curriculum="pre > sr")]}
CAMERA = {CameraSettings: {"url": "0"}, MqttSettings: {"host": "broker"}, WebhookSettings: {"url": "http://host"}}
ANY_VALUE = {
    "VideoSettings.detector",  # the settings of a detector, which has checks of its own
    "Settings.mix", "Settings.stages", "Settings.curriculum", "AblationSettings.rows",  # see the tests of them
}  # fmt: skip
ANY_SIGN = {"JudgeSettings.threshold", "PageSettings.port"}
"""Scores of others may be negative, so may thresholds of theirs; a port of -1 is no page."""
FREE_TEXT = {"AblationSettings.title", "AblationSettings.scorer"}
"""Of these nothing but text is asked; the scorer is looked up in the table."""


def leaves(kind: type, above: str = "") -> Iterator[tuple[str, type, str, Any]]:
    """(dotted key, dataclass, field, type) of every setting in a dataclass and its groups."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from leaves(hints[field.name], f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}", kind, field.name, hints[field.name]


OF_CAMERAS = (WatchSettings, CameraSettings, MqttSettings, WebhookSettings)
"""Cameras by name, and sinks that need not be there, are no groups of fixed keys."""
KEYS = {
    f"{kind.__name__}.{name}": (kind, name, hint)
    for top in (Settings, VideoSettings, AblationSettings, JudgeSettings, *OF_CAMERAS)
    for _, kind, name, hint in leaves(top)
}


def kinds_of(hint: Any) -> list[Any]:
    """The plain types of which a value may be."""
    return (
        [one for part in get_args(hint) for one in kinds_of(part)] if get_origin(hint) in (Union, UnionType) else [hint]
    )


def wrong_values(hint: Any) -> list[Any]:
    """Values of a setting's own type that no setting of that type allows."""
    values: list[Any] = []
    for kind in kinds_of(hint):
        if kind is int:
            values += [-1, -(10**12), 2**70]
        elif kind is float:
            values += [-1.0, math.nan, math.inf, -math.inf]
        elif kind is str:
            values += ["a\0b"]
        elif get_origin(kind) is list:
            values += [["a\0b"]] if get_args(kind)[0] is str else [[-1]]
    return values


def make(kind: type, name: str, value: Any) -> None:
    """What reading a command line does with a value, once it has the right type."""
    needed = {AblationSettings: ROWS, StageSettings: {"tasks": {"prediction": 1.0}}, **CAMERA}.get(kind, {})
    made = kind(**{**needed, name: value})
    check_values(made)


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ANY_VALUE])
def test_every_setting_refuses_what_none_of_its_type_allows(key):
    """A new setting without a check fails here: give it a `refuse_unless` in its dataclass."""
    kind, name, hint = KEYS[key]
    if key in FREE_TEXT:
        return
    for value in wrong_values(hint):
        if key in ANY_SIGN and value == -1:
            continue
        with pytest.raises(ValueError, match="allowed: ") as refused:
            make(kind, name, value)
        assert name in str(refused.value), refused.value


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(LearningSettings)])
def test_a_named_stage_refuses_what_stage_refuses(name):
    for value in wrong_values(get_type_hints(LearningSettings)[name]):
        with pytest.raises(ValueError, match=rf"{name}.* is .*allowed: "):
            Settings(curriculum={"first": StageSettings(tasks={"prediction": 1.0}, **{name: value})})
            check_values(Settings(curriculum={"first": StageSettings(tasks={"prediction": 1.0}, **{name: value})}))


# -- as a command reads them


@pytest.fixture(scope="module", autouse=True)
def one_parser() -> Iterator[None]:
    """Parsers are made once: that is most of the time that a command line takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Command, "parser", functools.cache(Command.parser))
        patch.setattr(Command, "__hash__", lambda self: hash((self.settings, self.default_config)))
        yield


def read(*arguments: str, command: Command = RUN) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *arguments])
        return parse(command)[0]


def of_another_type(hint: Any) -> str | None:
    """Text that is no value of a type; None for text, of which all is."""
    kinds = kinds_of(hint)
    if str in kinds or any(get_origin(kind) is dict or kind is Any for kind in kinds):
        return None
    return "no-such-value" if any(get_origin(kind) is Literal for kind in kinds) else "[x: y"


OF_COMMANDS: dict[str, Command] = {
    name: module.COMMAND
    for name in [one.name for one in pkgutil.iter_modules(cli.__path__)]
    if hasattr(module := importlib.import_module(f"dist_vad.cli.{name}"), "COMMAND")
}
TYPED = [
    (name, key, text)
    for name, command in OF_COMMANDS.items()
    for key, hint in (
        *((key, hint) for key, _, _, hint in leaves(command.settings)),
        *(
            (option.name, option.type)
            for option in command.options
            if not option.positional and option.type is not bool
        ),
    )
    if (text := of_another_type(hint)) is not None
]


@pytest.mark.kind(13)
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TYPED))
def test_a_value_of_another_type_is_refused_with_key_value_and_what_is_allowed(case):
    name, key, text = case
    with pytest.raises(InputError) as refused:
        read(f"--{key}={text}", command=OF_COMMANDS[name])
    message = str(refused.value)
    assert key in message.split(" is ")[0] and text in message and "allowed: " in message and len(message) < 400


NUMBERS = [
    (name, option.name, value)
    for name, command in OF_COMMANDS.items()
    for option in command.options
    if {int, float} & {*kinds_of(option.type)}
    for value in ["-7", *(["-.inf", ".inf", ".nan"] if float in kinds_of(option.type) else [str(2**70)])]
]


@pytest.mark.kind(13)
@pytest.mark.parametrize(("name", "option", "value"), NUMBERS)
def test_a_number_that_no_option_may_be_is_refused_before_anything_starts(
    name, option, value, monkeypatch, capfd, tmp_path
):
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module(f"dist_vad.cli.{name}").main
    given = ["--cameras", '{"a": {"url": "0"}}'] if name == "watch" else []
    status, _, error = called(main, monkeypatch, capfd, *given, f"--{option}={value}")
    assert status == 2 and option in error and "allowed: " in error and error.count("\n") == 1, error
    assert not list(tmp_path.iterdir())


MESSAGES = {
    "a seed of 2**70": (["--seed", str(2**70)], "seed is 1180591620717411303424; allowed: 0 to"),
    "a negative seed": (["--seed", "-1"], "seed is -1; allowed: 0 to"),
    "an infinite rate": (["--stage.learning_rate", ".inf"], "learning_rate is inf; allowed: a finite number"),
    "a rate that is no number": (["--stage.learning_rate", ".nan"], "learning_rate is nan; allowed: above 0"),
    "an empty folder": (["--run="], "run is ''; allowed: text"),
    "an address of another kind": (["--shards", "gs://bucket/there"], "shards is 'gs://bucket/there'; allowed: a path"),
    "a web address": (["--data.root", "http://host/there"], "root is 'http://host/there'; allowed: a path"),
    "a bucket where a folder must be": (["--run", "s3://bucket/run"], "run is 's3://bucket/run'; allowed: a path"),
    "an unknown key": (["--sede", "1"], "--sede is no setting of this command"),
    "an unknown detector": (["--data.detector.name", "yolov8"], "data.detector.name is 'yolov8'; allowed: boxes"),
    "more ranks than streams": (["--train.ranks", "1000"], "train.ranks is 1000; allowed: 0, or a number of ranks that"),
    "a warm-up longer than the stage": (["--stage.warmup", "900"], "warmup is 900; allowed: at most as many as steps"),
    "a stage's name as a path": (
        ["--curriculum", '{"../../x": {"tasks": {"prediction": 1}}}'], "curriculum.../../x is '../../x'; allowed: letters"
    ),
    "a folder in a stage's name": (
        ["--curriculum", '{"a/b": {"tasks": {"prediction": 1}}}'], "curriculum.a/b is 'a/b'; allowed: letters, digits"
    ),
    "retention without a parent": (
        ["--curriculum.perception.retain", "distill"], "curriculum.perception.retain is 'distill'; allowed: none in the"
    ),
    "a nested value of another type": (["--curriculum.perception.steps", "x"], "curriculum.perception.steps is 'x'; allow"),
    "a share of mix that is none": (["--mix", '{"there": 0}'], "mix.there is 0; allowed: 1 or more"),
    "a task's weight of 0": (["--curriculum", "pre*0 > sr"], "curriculum is 'pre*0 > sr'; allowed: weights above 0"),
    "a file that is not there": (["--config", "/no/such.yaml"], "no file of settings at '/no/such.yaml'"),
}  # fmt: skip


@pytest.mark.kind(13)
@pytest.mark.parametrize("case", MESSAGES)
def test_a_wrong_value_is_one_line_with_key_value_and_what_is_allowed(case):
    arguments, expected = MESSAGES[case]
    with pytest.raises(InputError) as refused:
        read(*arguments)
    message = str(refused.value)
    assert expected in message and "\n" not in message and len(message) < 400, message


FILES = {
    "a key twice": (b"seed: 1\nseed: 2\n", "the key 'seed' stands twice"),
    "a stage twice": (b"curriculum:\n  a: {tasks: {prediction: 1}}\n  a: {tasks: {virtual: 1}}\n", "'a' stands twice"),
    "a null": (b"seed: null\n", "seed is null; allowed: a whole number"),
    "a group that is a number": (b"seed: 1\nmodel: 3\n", "model is 3; allowed: names with values"),
    "a group that is a list": (b"seed: 1\nstream: [4]\n", "stream is [4]; allowed: names with values"),
    "a group that is null": (b"seed: 1\nstream: null\n", "stream is null; allowed: names with values"),
    "a list": (b"- 1\n- 2\n", "do not read"),
    "no text": (b"\x00\xff\xfe", "do not read"),
    "an unknown key": (b"sede: 1\n", "sede is no setting of this command"),
    "an unknown nested key": (b"data: {detector: {nme: motion}}\n", "detector.nme is no setting"),
    "an unclosed bracket": (b"stream: {streams: 8\n", "do not read"),
    "an empty file": (b"", "do not read: they are no names with values"),
    "null alone": (b"null", "do not read: they are no names with values"),
    "brackets in brackets": (b"seed: " + b"[" * 3000, "do not read"),
    "code": (b'seed: !!python/object/apply:os.system ["touch here"]\n', "do not read"),
    "UTF-16": ("seed: 1\n".encode("utf-16"), "do not read"),
    "a tab": (b"stream:\n\tstreams: 8\n", "do not read"),
}


@pytest.mark.kind(13)
@pytest.mark.parametrize("case", FILES)
def test_a_file_of_settings_that_does_not_read_is_named(case, tmp_path):
    content, expected = FILES[case]
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read("--config", str(path))
    message = str(refused.value)
    assert expected in message and "\n" not in message and len(message) < 500, message


def test_the_home_folder_is_written_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    given = read("--run", "~/runs/x", "--mix", '{"~/shards": 1}', "--cache.folder", "~/cache")
    assert (given.run, [*given.mix], given.cache.folder) == (
        f"{tmp_path}/runs/x", [f"{tmp_path}/shards"], f"{tmp_path}/cache",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["$DATA/x", "${DATA}/x", "~/x", "$$DATA/x", "/a/$5/x"])
def test_variables_of_the_environment_are_written_out_in_every_setting_that_names_a_place(text, monkeypatch, tmp_path):
    from dist_vad.settings.command_line.checks import FOLDERS, STORES, place

    monkeypatch.setenv("DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    meant = {"$$DATA/x": "$DATA/x", "/a/$5/x": "/a/$5/x"}.get(text, f"{tmp_path}/x")
    for name in (*FOLDERS, *STORES):
        assert place(name, name, text) == meant
    assert read("--data.root", text).data.root == meant
    assert place("title", "title", text) == text


def test_a_bucket_of_the_environment_and_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.setenv("BUCKET", "shards-of-mine")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert read("--shards", "s3://$BUCKET/a").shards == "s3://shards-of-mine/a"
    with pytest.raises(
        InputError, match=r"data\.root is '\$NOWHERE/x'; allowed: variables that are set; NOWHERE is not"
    ):
        read("--data.root", "$NOWHERE/x")


def test_a_place_within_the_settings_of_a_detector_is_written_out(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    given = VideoSettings(detector={"name": "files", "boxes": "~/boxes.json"})
    check_values(given)
    assert given.detector == {"name": "files", "boxes": f"{tmp_path}/boxes.json"}


CURRICULA = {
    "a task twice, in short and in full": (["--curriculum", "pre + prediction*3"], "names 'pre' and 'prediction', one task"),
    "an unknown task": (["--curriculum", "pre > prophecy"], "names 'prophecy'; allowed: prediction"),
    "settings of a stage that is not there": (
        ["--curriculum", "pre > sr", "--stages", '{"virtual": {"steps": 3}}'], "names 'virtual', a stage that is not there"
    ),
    "a setting of a stage that is none": (
        ["--curriculum", "pre > sr", "--stages", '{"sr": {"stepps": 3}}'], "sets 'stepps'; allowed: steps"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CURRICULA)
def test_a_curriculum_that_asks_for_what_is_not_there_is_refused(case):
    arguments, expected = CURRICULA[case]
    with pytest.raises(InputError, match=expected):
        stages_of(read(*arguments))


COMMANDS: dict[str, tuple[Callable[[], None], list[str], str]] = {
    "train": (progressive.main, ["--train.prefetch", "0", "--run", "{out}"], "train.prefetch is 0; allowed: 1 or more"),
    "evaluate": (
        evaluate.main,
        ["--evaluate.resamples", "-1", "--run", "{out}"],
        "evaluate.resamples is -1; allowed: 0",
    ),
    "score": (
        score.main,
        ["a.mp4", "--state", "s", "--fps", "nan", "--out", "{out}"],
        "fps is 'nan'; allowed: a number",
    ),
    "write": (write.main, ["--cube_size", "17", "--out", "{out}"], "cube_size is 17; allowed: a multiple of 8"),
    "write without a place": (write.main, ["--out="], "--out is ''; allowed: text that is not empty"),
    "write elsewhere": (write.main, ["--out", "gs://bucket/there"], "--out is 'gs://bucket/there'; allowed: a path"),
    "check": (check.main, ["--dataset", "avenu", "--root", "{out}"], "dataset is 'avenu'; allowed: avenue"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_command_ends_with_status_2_and_one_line_and_nothing_is_begun(case, monkeypatch, capfd, tmp_path):
    main, arguments, expected = COMMANDS[case]
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    status, _, error = called(main, monkeypatch, capfd, *(word.replace("{out}", str(out)) for word in arguments))
    assert status == 2 and expected in error and error.count("\n") == 1, error
    assert not out.exists() and not list(Path.cwd().iterdir())


def test_data_settings_name_every_place_that_they_read():
    """A new setting that names a place is to stand in `checks.FOLDERS`, so that `~` and addresses are looked at."""
    from dist_vad.settings.command_line.checks import EITHER, FOLDERS, STORES

    texts = {name for _, _, name, hint in leaves(Settings) if str in kinds_of(hint)}
    known = {"dataset", "virtual", "name", "scene_encoder", "curriculum", "clip_model"}
    assert texts - known <= {*FOLDERS, *STORES, *EITHER}
    assert DataSettings(dataset="folder", root="x").root == "x"
