"""The journal: whole lines after any kill, events that were going on are ended, what is old is removed."""

import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base.times import from_iso, iso_time
from dist_vad.settings.watch import KeepSettings
from dist_vad.watch.journal import KILLED, Journal

NOW = 1.7e9


def line(kind: str, name: str, time: float) -> dict:
    return {"type": kind, "id": name, "camera": "door", "time": iso_time(time), "begin": iso_time(time), "score": 3.0}


@given(cut=st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_wherever_the_power_goes_what_reads_is_whole_and_the_next_start_ends_what_was_open(tmp_path_factory, cut):
    journal = Journal(tmp_path_factory.mktemp("journal"))
    for number in range(3):
        journal.write(line("begin", f"door-{number}", NOW + 10 * number))
    path = next((journal.out / "events").iterdir())
    path.write_bytes(path.read_bytes()[:cut])
    begun = path.read_bytes().count(b"\n")
    ends = Journal(journal.out).recover()
    assert [(end["id"], end["type"], end["reason"]) for end in ends] == [
        (f"door-{number}", "end", KILLED) for number in range(begun)
    ]
    lines = list(Journal(journal.out).lines())
    assert len(lines) == 2 * begun and Journal(journal.out).recover() == ends
    assert all(
        json.loads(text) for file in (journal.out / "events").iterdir() for text in file.read_text().splitlines()
    )


def test_an_event_of_a_killed_service_ends_when_the_service_last_lived(tmp_path):
    journal = Journal(tmp_path)
    journal.write(line("begin", "door-1", NOW))
    journal.alive()
    os.utime(tmp_path / "alive", (NOW + 42, NOW + 42))
    (end,) = journal.recover()
    assert from_iso(end["end"]) == pytest.approx(NOW + 42, abs=0.01)


def test_what_is_older_than_it_may_be_is_removed(tmp_path):
    journal, now = Journal(tmp_path), time.time()
    for days in (0, 2, 9):
        journal.write(line("begin", f"door-{days}", now - days * 86400))
        path = journal.media(f"door-{days}", now - days * 86400, "jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    journal.clean(KeepSettings(days=5), now)
    assert [row["id"] for row in journal.lines()] == ["door-2", "door-0"]
    assert sorted(path.stem for path in (tmp_path / "media").glob("*/*")) == ["door-0", "door-2"]


def test_the_oldest_pictures_make_room_for_the_newest(tmp_path):
    journal, now = Journal(tmp_path), time.time()
    for age in range(10):
        path = journal.media(f"door-{age}", now, "mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (now - age, now - age))
    journal.clean(KeepSettings(gigabytes=4.5e-6), now)
    assert sorted(path.stem for path in (tmp_path / "media").glob("*/*")) == [f"door-{age}" for age in range(4)]


def test_a_planted_password_is_not_written(tmp_path):
    Journal(tmp_path).write({**line("begin", "door-1", NOW), "reason": "rtsp://me:hunter22@door/1 broke off"})
    assert "hunter22" not in next((tmp_path / "events").iterdir()).read_text()
