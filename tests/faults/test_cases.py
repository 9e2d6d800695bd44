"""Small inputs that once failed, each with the right value or message. They lie beside the repository."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from launching import called
from miniature import QUIET, settings_of

from dist_vad.base.errors import InputError
from dist_vad.cli import check
from dist_vad.cli.score import check_outputs, output_files
from dist_vad.data.manifest import Manifest
from dist_vad.datasets import open_dataset
from dist_vad.inference.video_scorer import file_name
from dist_vad.producer.job import write_shards
from dist_vad.producer.verify import verify_set
from dist_vad.settings.video import VideoSettings
from dist_vad.video.files import FileFrames

pytestmark = pytest.mark.kind(2)


@pytest.fixture(scope="module")
def cases(shared) -> Path:
    folder = shared / "data/cases"
    if not folder.is_dir():
        pytest.skip(f"NO CASES ARE TESTED: {folder} does not exist")
    return folder


DAMAGED = {
    "train/a_1": (60, []),
    "train/a_2": (60, []),
    "train/a_3": (60, ["1 of its 60 frames do not decode, the first is frame 23"]),
    "train/a_4": (
        37,
        ["1 of its 37 frames do not decode, the first is frame 34", "37 of the 60 frames that it states"],
    ),
    "test/b_1": (60, ["11 of its 60 frames do not decode, the first is frame 47"]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_video_is_read_to_its_end_and_what_is_lost_is_said(cases, name):
    length, remarks = DAMAGED[name]
    frames = FileFrames(cases / f"damaged/{name}.mp4")
    assert len(frames) == len([*frames]) == length
    assert [line[: len(part)] for line, part in zip(frames.remarks, remarks, strict=True)] == remarks


def test_the_check_of_damaged_videos_names_each_and_ends_with_status_2(cases, monkeypatch, capfd):
    status, out, _ = called(check.main, monkeypatch, capfd, "--dataset", "folder", "--root", str(cases / "damaged"))
    wrong = [line for line in out.splitlines() if line.startswith("wrong: ")]
    assert status == 2 and len(wrong) == 4
    assert [sum(f"video {name}:" in line for line in wrong) for name in ("a_1", "a_2", "a_3", "a_4", "b_1")] == [
        0,
        0,
        1,
        2,
        1,
    ]


@pytest.mark.kind(13)
def test_what_file_managers_leave_behind_is_no_video(cases):
    videos = open_dataset(settings_of(cases / "junk"))
    assert [video.name for video in videos] == ["train_a", "train_b"]


@pytest.mark.kind(1)
def test_a_chinese_name_goes_through_the_producer(cases, tmp_path):
    sets = write_shards(settings_of(cases / "nonascii_name", train_stride=1), tmp_path, QUIET)
    assert not [line for folder in sets.values() for line in verify_set(folder)]
    names = {video.name for folder in sets.values() for video in Manifest.load(folder).videos}
    assert len(names) == 2 and all(name.isascii() for name in names)


LABELS = {
    "labels.json": [[2, 5]],
    "labels_bom.json": [[2, 5]],
    "labels_crlf.json": [[2, 5]],
    "labels_ext.json": [[2, 5]],
    "labels_utf16.json": [[2, 5]],
    "labels_flat.json": r"found 2 where an interval \[first, last\] is expected",
    "labels_float.json": r"found \[0\.2, 0\.45\], expected whole numbers of frames: multiply seconds",
    "labels_frame.json": r"found 0 where an interval \[first, last\] is expected",
    "labels_swapped.json": "frames 4 to 2 are no interval",
}


@pytest.mark.kind(13)
@pytest.mark.parametrize("name", LABELS)
def test_labels_as_people_write_them(cases, name):
    given = settings_of(cases / "labels", labels=str(cases / "labels" / name))
    if isinstance(expected := LABELS[name], str):
        with pytest.raises(InputError, match=rf"labels file \S+{name} does not read \({expected}"):
            open_dataset(given)
        return
    labels = [video.labels["frames"] for video in open_dataset(given) if video.split == "test"]
    assert labels == [expected, []]


@pytest.mark.kind(4)
def test_a_video_is_not_written_over_by_its_own_scores(cases, tmp_path, monkeypatch):
    clip = Path(shutil.copy(cases / "overwrite/clip.mp4", tmp_path))
    monkeypatch.chdir(tmp_path)
    for place, out in (("clip.mp4", "."), (str(clip), str(tmp_path)), ("clip.mp4", "../" + tmp_path.name)):
        outputs = output_files(Path(out), file_name(place), VideoSettings())
        with pytest.raises(InputError, match=r"would put clip\.mp4 over, or among, the frames of .*clip\.mp4"):
            check_outputs(outputs, [place], tmp_path / "state")
    check_outputs(output_files(Path("scored"), "clip", VideoSettings()), ["clip.mp4"], tmp_path / "state")


@pytest.mark.kind(3)
def test_the_frames_of_a_phone_are_shown_when_it_says(cases):
    frames = FileFrames(cases / "vfr/vfr.mp4")
    np.testing.assert_allclose(frames.times[[0, 1, 3, -2, -1]], [0, 1 / 30, 0.1, 6.6, 6.8], atol=0.002)
    assert abs(frames.times - np.arange(60) / frames.fps).max() > 1, "even distances would be seconds off"


@pytest.mark.kind(3)
def test_a_rate_that_no_camera_has_is_told_and_replaced(cases):
    frames = FileFrames(cases / "vfr/hifps.mp4")
    assert (frames.fps, len(frames)) == (25, 60)
    assert frames.remarks == ["it states 596.092 frames a second, which no camera has; 25 are taken"]
    assert FileFrames(cases / "vfr/hifps.mp4", fps=10).times[-1] == pytest.approx(5.9)
