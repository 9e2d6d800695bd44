"""One grammar for all commands: names, the rule of `stage`, help."""

import subprocess
import sys
from importlib import import_module

import pytest
from launching import ROOT

from dist_vad.base.errors import InputError
from dist_vad.cli.main import COMMANDS
from dist_vad.curriculum.stages import stages_of
from dist_vad.settings.command_line.help import short_help, whole_help
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

RUN = Command(Settings, "", DEFAULT_CONFIG)


def read(monkeypatch, *arguments: str, command: Command = RUN):
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    return parse(command)


def steps(monkeypatch, *arguments: str) -> dict[str, int]:
    """Stage -> its steps, as a command line gives them."""
    return {name: stage.steps for name, stage in stages_of(read(monkeypatch, *arguments)[0]).items()}


# -- the rule of `stage`


def test_stage_on_the_command_line_counts_for_every_named_stage(monkeypatch):
    assert set(steps(monkeypatch, "--stage.steps", "7").values()) == {7}


def test_a_named_stage_on_the_command_line_counts_more(monkeypatch):
    given = ("--curriculum.inference.steps", "9", "--stage.steps", "7")
    assert steps(monkeypatch, *given) == {"perception": 7, "comprehension": 7, "inference": 9}


def test_a_stage_that_says_nothing_learns_as_stage_says(monkeypatch):
    assert steps(monkeypatch)["inference"] == 200, "of configs/default.yaml's `stage`"


def test_a_line_instead_of_named_stages_learns_as_stage_of_the_file_says(monkeypatch):
    assert steps(monkeypatch, "--curriculum", "pre > sr") == {"prediction": 200, "semantic_reconstruction": 200}


def test_stages_beside_named_stages_are_refused_with_what_to_give_instead(monkeypatch):
    with pytest.raises(InputError, match=r"stages is .*--curriculum\.perception\.KEY"):
        read(monkeypatch, "--stages", "{prediction: {steps: 3}}")


def test_settings_that_do_not_go_together_are_refused_under_the_name_of_their_stage(monkeypatch):
    with pytest.raises(InputError, match=r"curriculum\.inference\.validate_every"):
        read(monkeypatch, "--stage.validate_every", "0", "--curriculum.inference.keep", "best")


# -- names


@pytest.mark.parametrize("name", ["--dry-run", "--dry_run"])
def test_hyphen_and_underscore_are_the_same_in_a_name(monkeypatch, name):
    command = Command(Settings, "", DEFAULT_CONFIG, (Option("dry_run", bool, False, ""),))
    assert read(monkeypatch, name, command=command)[1].dry_run


def test_an_old_name_means_what_its_new_one_does(monkeypatch, tmp_path):
    check = import_module("dist_vad.cli.check").COMMAND
    assert read(monkeypatch, "--data", "avenue", "--root", str(tmp_path), command=check)[0].dataset == "avenue"


@pytest.mark.parametrize(
    ("key", "value"), [("data.dataset", "avenu"), ("data.detector.name", "yolov8"), ("data.virtual", "plazza")]
)
def test_a_name_that_nothing_bears_is_refused_with_those_that_are_known(monkeypatch, key, value):
    with pytest.raises(InputError, match=rf"{key} is '{value}'; allowed: .*(plaza|motion)"):
        read(monkeypatch, f"--{key}", value)


# -- help


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_two_screens_and_the_rest_is_in_help_all(name):
    command: Command = import_module(f"dist_vad.cli.{COMMANDS[name][0]}").COMMAND
    parser, options = command.parser(), [option.name for option in command.options]
    short, whole = short_help(parser, options), whole_help(parser, options)
    assert len(short.splitlines()) <= 100
    for action in parser._actions:
        if action.option_strings and action.dest not in ("help", "print_config"):
            assert f"--{action.dest}" in whole or f"{action.dest}:" in whole, action.dest
    for option in options:
        assert option in short.lower()


def test_help_imports_nothing_heavy():
    program = (
        "import sys; sys.argv = ['dist-vad', 'train', '--help']\n"
        "from dist_vad.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'accelerate', 'sklearn', 'scipy', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
