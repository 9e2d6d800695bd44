"""shards/check.py says before any long job what of a data set is there, what is missing and what does not match."""

from pathlib import Path

import pytest
from launching import called
from miniature import write_pictures, write_video

from dist_vad.cli import check


@pytest.fixture
def mine(tmp_path) -> Path:
    for number in range(2):
        write_video(tmp_path / f"mine/train/gate_{number}.avi", 12)
        write_pictures(tmp_path / f"mine/test/gate_{number}", 12, tint=number)
    (tmp_path / "labels.json").write_text('{"gate_0": [[3, 5]], "gate_1": [[8, 9]]}')
    return tmp_path / "mine"


def arguments_for(root: Path, *more: str) -> list[str]:
    return ["--data", "folder", "--root", str(root), "--labels", str(root.parent / "labels.json"), *more]


@pytest.mark.parametrize("more", [[], ["--decode"]])
def test_what_is_there_is_counted(monkeypatch, capfd, mine, more):
    status, out, _ = called(check.main, monkeypatch, capfd, *arguments_for(mine, *more))
    counts = dict(line.rsplit(maxsplit=1) for line in out.splitlines() if line and line[-1].isdigit())
    assert status == 0
    assert counts == {
        **{"train videos": "2", "train frames": "24", "test videos": "2", "test frames": "24"},
        **{"scenes": "1", "anomalous frames, frames": "5"},
    }


def test_all_that_is_wrong_is_listed_at_once(monkeypatch, capfd, mine):
    (mine / "train/gate_0.avi").write_bytes(b"no video")
    (mine / "test/gate_1/000.png").write_bytes(b"no picture")
    (mine.parent / "labels.json").write_text('{"gate_0": [[3, 12]], "gate_1": []}')
    status, out, error = called(check.main, monkeypatch, capfd, *arguments_for(mine))
    wrong = [line for line in out.splitlines() if line.startswith("wrong: ")]
    assert status == 2 and "not as published" in error
    assert [name for name in ("gate_0.avi", "000.png", "labels run to frame 13") if any(name in w for w in wrong)] == [
        *("gate_0.avi", "000.png", "labels run to frame 13")
    ]
    assert len(wrong) == 3


def test_a_video_cut_off_in_the_middle_is_found_by_decoding_alone(monkeypatch, capfd, mine):
    broken = mine / "test/gate_1/007.png"
    broken.write_bytes(broken.read_bytes()[:-100])
    assert called(check.main, monkeypatch, capfd, *arguments_for(mine))[0] == 0
    status, out, _ = called(check.main, monkeypatch, capfd, *arguments_for(mine, "--decode"))
    assert status == 2 and "007.png" in out


def test_a_data_set_that_is_not_whole_differs_from_what_was_published(monkeypatch, capfd, shared):
    status, out, _ = called(check.main, monkeypatch, capfd, "--data", "ucsd", "--root", str(shared / "data/ped2"))
    rows = {line[:36].strip(): line[36:].split() for line in out.splitlines()}
    assert status == 2
    assert rows["train videos"] == ["16", "16"] and rows["train frames"] == ["2,550", "2,550"]
    assert rows["test videos"] == ["6", "12", "differs"]
    assert rows["anomalous frames, frames"][1:] == ["1,648", "differs"]


def test_a_folder_that_is_not_there_is_named(monkeypatch, capfd, tmp_path):
    status, _, error = called(check.main, monkeypatch, capfd, "--data", "avenue", "--root", str(tmp_path / "nowhere"))
    assert status == 2 and "nowhere does not exist" in error
