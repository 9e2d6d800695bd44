"""Settings of `dist-vad watch`: the file that ships is read, and what cannot be is refused by name."""

import json
import sys
from pathlib import Path

import pytest

from dist_vad.base.errors import InputError
from dist_vad.base.sealed import write_sealed
from dist_vad.cli.watch import COMMAND, main
from dist_vad.settings.parsing import parse
from dist_vad.watch.learning import learned_states

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def parsed(monkeypatch, *arguments: str):
    monkeypatch.setattr(sys, "argv", ["watch", *arguments])
    return parse(COMMAND)


def test_the_file_that_ships_is_read_and_overridden(monkeypatch):
    settings, options = parsed(
        monkeypatch, "--config", str(DEPLOY / "cameras.yaml"), "--learn", "2", "--clip.before", "7"
    )
    assert list(settings.cameras) == ["door", "yard"] and settings.cameras["yard"].false_alarms == 0.001
    assert settings.clip.before == 7 and options.learn == 2 and "${DOOR_PASSWORD}" in settings.cameras["door"].url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cameras": {"front door": {"url": "0"}}}, "names of letters"),
        ({"cameras": {"../x": {"url": "0"}}}, "names of letters"),
        ({"cameras": {"door": {"url": ""}}}, "url"),
        ({"cameras": {"door": {"url": "0", "fps": 0}}}, "fps"),
        ({"page": {"host": "0.0.0.0"}}, "page.token"),
        ({"stall": 0}, "stall is 0"),
        ({"clip": {"before": 600}}, "clip.before"),
        ({"keep": {"days": 0}}, "keep.days"),
        ({"nose": 1}, "nose"),
    ],
)
def test_what_cannot_be_is_refused_by_name(monkeypatch, tmp_path, changes, message):
    path = tmp_path / "cameras.yaml"
    path.write_text(json.dumps({"cameras": {"door": {"url": "0"}}, **changes}))
    with pytest.raises(InputError, match=message):
        parsed(monkeypatch, "--config", str(path))


@pytest.mark.parametrize("arguments", [[], ["--out", "there"], ["a.yaml", "b.yaml"]])
def test_without_a_file_the_command_says_what_it_expects(monkeypatch, capsys, tmp_path, arguments):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(json.dumps({"cameras": {"door": {"url": "0"}}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dist-vad watch", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert "expected one file with cameras" in capsys.readouterr().err


def test_a_camera_without_a_state_is_refused_where_nothing_is_to_be_learned(monkeypatch, tmp_path):
    path = tmp_path / "cameras.yaml"
    path.write_text(json.dumps({"cameras": {"door": {"url": "0"}}, "out": str(tmp_path)}))
    settings, _ = parsed(monkeypatch, "--config", str(path))
    with pytest.raises(InputError, match=r"no state for door.*--learn HOURS"):
        learned_states(settings, 0.0)
    write_sealed(tmp_path / "learned/state.json", {"state": "there", "cameras": ["door"], "hours": 1.0})
    assert learned_states(settings, 0.0) == {"door": "there"}
