"""What is written never takes the place of what is read, and is under its name only once it is whole."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.cli.score import check_outputs, output_files
from dist_vad.curriculum.state import save_state
from dist_vad.inference.mp4 import DOWN, mp4_writer
from dist_vad.inference.video_scorer import file_name
from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings
from dist_vad.settings.video import VideoSettings
from dist_vad.video.files import FileFrames

pytestmark = pytest.mark.kind(4)

OVERWRITING = {
    "into its own folder": (["clip.mp4"], ".", "clip.mp4 over, or among, the frames of clip.mp4"),
    "by another way": (["clip.mp4"], "sub/..", "over, or among, the frames of clip.mp4"),
    "by a link": (["link.mp4"], ".", "over, or among"),
    "the other of two": (["there/b.mp4", "clip.mp4"], ".", "frames of clip.mp4"),
    "over a table that is scored": (["clip.csv.mp4"], ".", "frames of clip.csv.mp4"),
    "among the pictures": (["pictures"], "pictures", "among, the frames of pictures"),
    "a folder in its place": (["walk.avi"], "taken", "is a folder, where a file is to be written"),
    "into the state": (["clip.mp4"], "state", "lies in the state that scores"),
    "into a folder of the state": (["clip.mp4"], "state/deep", "lies in the state that scores"),
    "elsewhere": (["clip.mp4"], "scored", None),
    "a stream": (["rtsp://host/clip.mp4"], ".", None),
    "another ending": (["walk.avi"], ".", None),
}  # fmt: skip


@pytest.mark.parametrize("case", OVERWRITING)
def test_scores_are_not_written_over_or_among_what_is_read(case, monkeypatch, tmp_path):
    videos, out, message = OVERWRITING[case]
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "clip.csv.mp4", "walk.avi"):
        (tmp_path / name).write_bytes(b"mine")
    for name in ("there", "pictures", "sub", "state", "taken/walk.mp4"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    outputs = [
        path for video in videos for path in output_files(Path(out), file_name(video), VideoSettings(table="csv"))
    ]
    if message is None:
        check_outputs(outputs, videos, Path("state"))
    else:
        with pytest.raises(InputError, match=message):
            check_outputs(outputs, videos, Path("state"))


@pytest.mark.parametrize("place", ["train", "test/shards", "Train/a_0", "../data/train"])
def test_shards_are_not_written_among_the_videos(place, tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=r"among the videos of .*give another folder"):
        write_shards(DataSettings(dataset="folder", root=str(tmp_path / "data")), tmp_path / "data" / place)


def test_an_mp4_is_whole_and_plays(tmp_path):
    with mp4_writer(tmp_path / "clip.mp4", 64, 48, 10) as write:
        for number in range(12):
            write(np.full((48, 64, 3), 20 * number, np.uint8))
    assert len(FileFrames(tmp_path / "clip.mp4")) == 12 and [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


FAILING = {
    "it ends with an error": "cat >/dev/null; echo no space left >&2; exit 1",
    "it ends early": "exit 3",
    "it is killed": "kill -9 $$",
    "it writes nothing": "cat >/dev/null; exit 0",
}


@pytest.fixture
def as_ffmpeg(monkeypatch, tmp_path):
    """Puts a line of shell in ffmpeg's place."""

    def put(line: str) -> None:
        program = tmp_path / "ffmpeg"
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))

    return put


@pytest.mark.parametrize("case", FAILING)
def test_an_ffmpeg_that_fails_leaves_what_was_there(case, as_ffmpeg, tmp_path):
    as_ffmpeg(FAILING[case])
    (tmp_path / "clip.mp4").write_bytes(b"before")
    with (
        pytest.raises(InputError, match=r"clip\.mp4 cannot be written by ffmpeg: it .*--mp4 false"),
        mp4_writer(tmp_path / "clip.mp4", 64, 48, 10) as write,
    ):
        for _ in range(200):
            write(np.zeros((48, 64, 3), np.uint8))
    assert (tmp_path / "clip.mp4").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "ffmpeg"]


@pytest.mark.kind(8)
@pytest.mark.parametrize("number", DOWN)
def test_an_ffmpeg_that_finds_the_disk_full_or_gone_is_to_be_started_again(number, as_ffmpeg, tmp_path):
    as_ffmpeg(f"cat >/dev/null; echo 'write: {os.strerror(number)}' >&2; echo more >&2; exit 1")
    with (
        pytest.raises(Unavailable, match=rf"while writing {tmp_path}/clip\.mp4") as told,
        mp4_writer(tmp_path / "clip.mp4", 64, 48, 10) as write,
    ):
        write(np.zeros((48, 64, 3), np.uint8))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), OSError(5, "no disk", "v.avi"), InputError("odd")])
def test_what_goes_wrong_while_frames_are_made_is_no_fault_of_ffmpeg(error, tmp_path):
    with pytest.raises(type(error)) as told, mp4_writer(tmp_path / "clip.mp4", 64, 48, 10):
        raise error
    assert told.value is error and not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0.001, 0.5, 23.976, 100000])
def test_an_mp4_has_the_rate_of_its_video(fps, tmp_path):
    with mp4_writer(tmp_path / "clip.mp4", 64, 48, fps) as write:
        for number in range(4):
            write(np.full((48, 64, 3), 20 * number, np.uint8))
    assert len(FileFrames(tmp_path / "clip.mp4")) == 4


def test_what_goes_wrong_while_frames_are_drawn_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), mp4_writer(tmp_path / "clip.mp4", 64, 48, 10) as write:
        write(np.zeros((48, 64, 3), np.uint8))
        raise KeyError("fault")
    assert not list(tmp_path.iterdir())


@pytest.mark.kind(11)
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_files_have_the_modes_of_the_umask(mask, tmp_path):
    before = os.umask(mask)
    try:
        facts = {"key": "k", "stage": "s", "lineage": [], "tasks": [], "recipe": {}, "metrics": {}}
        state = save_state(tmp_path / "state", {"w": torch.zeros(3)}, **facts)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.folder.iterdir()} == {0o666 & ~mask}
