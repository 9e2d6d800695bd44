"""Damaged, cut and odd videos: what can be read is read, what is odd is said, nothing is shortened without a word."""

import json
import logging
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import called
from miniature import QUIET, frame, settings_of, write_pictures, write_video

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.cli import check
from dist_vad.datasets import open_dataset
from dist_vad.producer.job import write_shards
from dist_vad.settings.video import VideoSettings
from dist_vad.settings.watch import CameraSettings
from dist_vad.video import files
from dist_vad.video.files import FileFrames, PictureFrames, VideoError, open_frames, remarks_of
from dist_vad.video.live import is_stream

pytestmark = pytest.mark.kind(2)


class Capture:
    """Stands for OpenCV's: frames that decode (their numbers) or do not (None), what it states, when each is shown."""

    def __init__(self, frames: list[int | None], stated: int, fps: float = 25.0, times: list[float] | None = None):
        self.frames, self.at = frames, -1
        self.facts = {
            cv2.CAP_PROP_FRAME_COUNT: stated,
            cv2.CAP_PROP_FPS: fps,
            cv2.CAP_PROP_FRAME_WIDTH: 96,
            cv2.CAP_PROP_FRAME_HEIGHT: 72,
        }
        self.times = times

    def isOpened(self) -> bool:
        return True

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_POS_MSEC:
            number = self.frames[self.at] or 0
            return 1000 * (self.times[number] if self.times else number / self.facts[cv2.CAP_PROP_FPS])
        return self.facts[key]

    def grab(self) -> bool:
        self.at += 1
        return self.at < len(self.frames) and self.frames[self.at] is not None

    def read(self):
        done = self.grab()
        return done, cv2.cvtColor(frame(self.frames[self.at] or 0), cv2.COLOR_RGB2BGR) if done else None

    def release(self) -> None:
        pass


def opened(monkeypatch, frames: list[int | None], stated: int, fps: float = 25.0, times=None, given=None) -> FileFrames:
    monkeypatch.setattr(files, "_open", lambda path: Capture(frames, stated, fps, times))
    return FileFrames(Path("clip.mp4"), given)


def numbers(frames: FileFrames) -> list[int]:
    """Which frames came."""
    made = {frame(number).tobytes(): number for number in range(80)}
    return [made[picture.tobytes()] for picture in frames]


WHOLE = list(range(20))
DAMAGED = {
    "whole": (WHOLE, 20, WHOLE, []),
    "one in the middle": ([*range(8), None, *range(9, 20)], 20, [*range(8), 7, *range(9, 20)], ["1 of its 20 frames"]),
    "several in a row": ([*range(5), None, None, None, *range(8, 20)], 20, [*range(5), 4, 4, 4, *range(8, 20)], ["3 of its 20"]),
    "two places": ([0, 1, None, 3, 4, None, *range(6, 20)], 20, [0, 1, 1, 3, 4, 4, *range(6, 20)], ["2 of its 20"]),
    "the first": ([None, *range(1, 20)], 20, [1, *range(1, 20)], ["1 of its 20 frames do not decode, the first is frame 0"]),
    "cut": ([*range(12), None], 20, list(range(12)), ["12 of the 20 frames that it states are there"]),
    "cut and damaged": ([0, 1, None, *range(3, 12)], 20, [0, 1, 1, *range(3, 12)], ["1 of its 12", "12 of the 20"]),
    "more than it states": (WHOLE, 15, WHOLE, []),
    "one fewer than it states": (WHOLE, 21, WHOLE, []),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_frames_after_a_bad_one_are_read_and_keep_their_numbers(case, monkeypatch):
    given, stated, expected, remarks = DAMAGED[case]
    frames = opened(monkeypatch, given, stated)
    assert len(frames) == len(expected) and numbers(frames) == expected
    assert len(frames.remarks) == len(remarks)
    assert all(part in line for part, line in zip(remarks, frames.remarks))


@pytest.mark.parametrize("given", [[None] * 9, [0, *[None] * 12, 13], []])
def test_a_video_of_which_most_is_lost_is_refused(given, monkeypatch):
    with pytest.raises(VideoError, match=r"clip\.mp4 does not decode"):
        len(opened(monkeypatch, given, 20))


PRESENTED = [0.0, 0.03, 0.06, 0.09, 1.5, 1.53, 4.0]
TIMES = {
    "as the file says": ({"fps": 5.0, "times": PRESENTED}, PRESENTED),
    "as is asked": ({"fps": 5.0, "times": PRESENTED, "given": 10.0}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "even ones stay as they are": ({"fps": 10.0, "times": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "none are told": ({"fps": 10.0, "times": [0.0] * 7}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "they jump back": ({"fps": 10.0, "times": [0, 0.1, 9.0, 0.3, 0.4, 0.5, 0.6]}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "no camera is so quick": ({"fps": 596.0, "times": [0.0] * 7}, [number / 25 for number in range(7)]),
    "it says 90000": ({"fps": 90000.0}, [number / 25 for number in range(7)]),
    "no camera is so quick, and the user knows": ({"fps": 596.0, "given": 10.0}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
}  # fmt: skip


@pytest.mark.kind(3)
@pytest.mark.parametrize("case", TIMES)
def test_frames_are_shown_when_the_file_says_or_as_is_asked(case, monkeypatch):
    facts, expected = TIMES[case]
    frames = opened(monkeypatch, list(range(7)), 7, **facts)
    np.testing.assert_allclose(frames.times, expected, atol=1e-9)
    told = any("frames a second, which no camera has" in line for line in frames.remarks)
    assert told == (facts["fps"] > 480 and "given" not in facts)


RATES = {
    "0": (0.0, False), "negative": (-25.0, False), "no number": (float("nan"), False), "infinite": (float("inf"), False),
    "seconds would be infinite": (1e-300, False), "seconds would all be 0": (1e300, False), "one a day": (1 / 86400, True),
    "one in two seconds": (0.5, True), "a camera for crashes": (1e5, True),
}  # fmt: skip


@pytest.mark.kind(3)
@pytest.mark.parametrize("case", RATES)
@pytest.mark.parametrize("make", [VideoSettings, lambda fps: CameraSettings(url="0", fps=fps)], ids=["score", "watch"])
def test_a_rate_that_is_asked_for_must_be_one(make, case):
    rate, allowed = RATES[case]
    if allowed:
        assert make(fps=rate).fps == rate
    else:
        with pytest.raises(ValueError, match=r"fps is .*; allowed: 0\.000001 to 100000 frames a second"):
            make(fps=rate)


PICTURES = {
    "16 bits with few levels": (lambda f: cv2.imwrite(f"{f}/001.png", np.linspace(7000, 8000, 96 * 72).reshape(72, 96).astype(np.uint16)), "levels of uint16"),
    "16 bits of the whole range": (lambda f: cv2.imwrite(f"{f}/001.png", np.linspace(0, 65535, 96 * 72).reshape(72, 96).astype(np.uint16)), None),
    "16-bit TIFF": (lambda f: cv2.imwrite(f"{f}/001.tif", np.linspace(100, 900, 96 * 72).reshape(72, 96).astype(np.uint16)), "levels of uint16"),
    "a dark 8-bit picture": (lambda f: cv2.imwrite(f"{f}/001.png", np.zeros((72, 96), np.uint8)), None),
    "a dark 16-bit picture": (lambda f: cv2.imwrite(f"{f}/001.png", np.zeros((72, 96), np.uint16)), None),
    "several pages": (lambda f: cv2.imwritemulti(f"{f}/001.tif", [np.zeros((72, 96), np.uint8)] * 3), "holds 3 pages"),
    "an empty file": (lambda f: (f / "001.png").write_bytes(b""), "does not decode"),
    "text": (lambda f: (f / "001.jpg").write_text("no picture"), "does not decode"),
}  # fmt: skip


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_that_would_show_next_to_nothing_are_refused(case, tmp_path):
    write, message = PICTURES[case]
    write(tmp_path)
    if message is None:
        assert len([*PictureFrames(tmp_path)]) == 1
    else:
        with pytest.raises(VideoError, match=message):
            PictureFrames(tmp_path)


DEEP = np.linspace(7000, 8000, 96 * 72).reshape(72, 96).astype(np.uint16)
AMONG = {
    "16-bit PNG": ("png", lambda path: cv2.imwrite(path, DEEP), r"003\.png has .* levels of uint16"),
    "16-bit TIFF": ("tif", lambda path: cv2.imwrite(path, DEEP), r"003\.tif has .* levels of uint16"),
    "16-bit TIFF of three channels": ("tif", lambda path: cv2.imwrite(path, np.dstack([DEEP] * 3)), r"003\.tif has .* levels"),
    "TIFF of two pages": ("tif", lambda path: cv2.imwritemulti(path, [np.zeros((72, 96), np.uint8)] * 2), "holds 2 pages"),
    "a cut PNG": ("png", lambda path: Path(path).write_bytes(Path(path).read_bytes()[:-90]), "does not decode"),
    "a cut JPEG": ("jpg", lambda path: Path(path).write_bytes(Path(path).read_bytes()[:-90]), "is cut off"),
    "a cut TIFF": ("tif", lambda path: Path(path).write_bytes(Path(path).read_bytes()[:-90]), "does not decode"),
    "8-bit TIFFs": ("tif", lambda path: None, None),
    "8-bit PNGs": ("png", lambda path: None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", AMONG)
def test_a_picture_among_others_that_would_show_next_to_nothing_is_refused(case, tmp_path):
    suffix, change, message = AMONG[case]
    write_pictures(tmp_path / "a", 5, f"{{:03d}}.{suffix}")
    change(str(tmp_path / f"a/003.{suffix}"))
    if message is None:
        assert len(list(PictureFrames(tmp_path / "a"))) == 5
    else:
        with pytest.raises(VideoError, match=message):
            list(PictureFrames(tmp_path / "a"))


NUMBERS = {
    "without a gap": ([0, 1, 2, 3, 4], 0),
    "from another number": ([17, 18, 19], 0),
    "every fifth": ([0, 5, 10, 15], 0),
    "one missing": ([0, 1, 2, 4, 5, 6], 1),
    "a stretch missing": ([0, 1, 2, 90, 91, 92, 93], 1),
    "two gaps": ([1, 2, 4, 5, 6, 7, 9, 10], 2),
    "one picture": ([3], 0),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_gaps_in_the_numbers_of_pictures_are_said(case, tmp_path):
    given, gaps = NUMBERS[case]
    for number in given:
        cv2.imwrite(f"{tmp_path}/{number:03d}.png", frame(number))
    frames = PictureFrames(tmp_path)
    assert len(frames) == len(given)
    assert [f"have {gaps} gaps" in line for line in frames.remarks] == [True] * bool(gaps)


@pytest.mark.parametrize("suffix", [".ts", ".flv", ".wmv", ".3gp", ".mts", ".avi", ".MP4"])
def test_every_usual_kind_of_file_is_taken(suffix, tmp_path):
    write_video(tmp_path / "train/a.avi", 12)
    (tmp_path / "train/a.avi").rename(tmp_path / f"train/a{suffix}")
    (video,) = open_dataset(settings_of(tmp_path))
    assert len(video.open()) == 12


@pytest.fixture
def said(monkeypatch) -> list[str]:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    monkeypatch.setattr(log, "handlers", [handler])
    log.setLevel(logging.INFO)
    return lines


def test_files_of_unknown_kinds_are_said(tmp_path, said):
    write_video(tmp_path / "train/a.avi", 12)
    (tmp_path / "train/b.h266").write_bytes(b"x")
    (tmp_path / "train/@eaDir").mkdir()
    (tmp_path / "train/__MACOSX").mkdir()
    assert len(open_dataset(settings_of(tmp_path))) == 1
    assert len(said) == 1 and "holds 1 files that are not read, such as b.h266" in said[0]


def test_a_clip_shorter_than_a_cube_is_said(tmp_path, said):
    for number in range(2):
        write_pictures(tmp_path / f"data/train/a_{number}", 24, tint=number)
    for name, count in (("b_1", 24), ("b_2", 6)):
        write_pictures(tmp_path / f"data/test/{name}", count)
    write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    assert any("video 'b_2' has 6 frames, fewer than the 9 of a cube" in line for line in said)


CHECKS = {
    "a gap": (lambda root: (root / "train/a_0/005.png").unlink(), "wrong: video a_0: the numbers of its pictures have 1 gaps"),
    "a short clip": (lambda root: write_pictures(root / "train/short", 4), "wrong: video short: 4 frames, fewer than the 9"),
    "no training video": (lambda root: [(root / f"train/a_{n}").rename(root / f"gone{n}") for n in (0, 1)], "wrong: there is no training video"),
    "a pipe": (lambda root: os.mkfifo(root / "train/x.mp4"), "wrong: video .*x.mp4 is no file"),
    "a video among pictures": (lambda root: write_video(root / "train/a_0/v.avi", 12), "wrong: video a_0: beside its pictures lie 1 videos .*v.avi"),
    "pictures of another kind": (lambda root: (root / "train/a_0/000.webp").write_bytes(b"x"), "wrong: video a_0: beside its pictures lie 1 .*000.webp"),
    "a folder among pictures": (lambda root: write_pictures(root / "train/a_0/more", 12), "wrong: video a_0: beside its pictures lie 1 .*more"),
    "a file that is no video": (lambda root: (root / "train/x.mp4").write_bytes(b"x" * 99), "wrong: video .*x.mp4 does not open"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKS)
def test_the_check_of_a_data_set_names_what_is_odd_and_ends_with_status_2(case, monkeypatch, capfd, tmp_path):
    change, expected = CHECKS[case]
    for number in range(2):
        write_pictures(tmp_path / f"train/a_{number}", 14, tint=number)
    change(tmp_path)
    status, out, error = called(check.main, monkeypatch, capfd, "--dataset", "folder", "--root", str(tmp_path))
    assert status == 2 and re.search(expected, out + error), out + error


LINKS = {
    "a link to nothing": (lambda root: (root / "train/x.mp4").symlink_to("/no/such"), "x.mp4 is a link to nothing"),
    "a link to a folder of pictures": (lambda root: (root / "train/x").symlink_to(root / "train/a_0"), None),
    "a picture that is a link to nothing": (lambda root: (root / "train/a_0/999.png").symlink_to("/no/such"), "is a link to nothing"),
}  # fmt: skip


@pytest.mark.kind(12)
@pytest.mark.parametrize("case", LINKS)
def test_links_are_followed_or_named(case, tmp_path):
    change, message = LINKS[case]
    write_pictures(tmp_path / "train/a_0", 12)
    change(tmp_path)
    if message is None:
        assert len(open_dataset(settings_of(tmp_path))) == 2
    else:
        with pytest.raises(InputError, match=message):
            open_dataset(settings_of(tmp_path))


@pytest.mark.kind(13)
@pytest.mark.parametrize(
    ("place", "stream"),
    [("0", True), ("7", True), ("01", False), ("rtsp://host/a", True), ("a.mp4", False), ("٣", False)],
)
def test_a_folder_that_is_called_by_a_number_is_no_camera(place, stream, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "01").mkdir()
    assert is_stream(place) == stream


@pytest.mark.kind(3)
def test_pictures_are_taken_25_times_a_second_unless_said(tmp_path):
    write_pictures(tmp_path / "a", 3)
    assert (open_frames(tmp_path / "a").fps, open_frames(tmp_path / "a", 10).fps) == (25, 10)
    assert remarks_of(open_frames(tmp_path / "a")) == []


BOXES = {
    "no list of frames": ('{"a": null}', "video 'a' has None, expected a list of its frames"),
    "a frame that is null": ('{"a": [null, [], []]}', "video 'a', frame 0: found boxes None"),
    "too few numbers": ('{"a": [[], [[1, 2, 3, 4]], []]}', "video 'a', frame 1: found boxes"),
    "a word": ('{"a": [[], [], [[1, 2, 3, 4, "high"]]]}', "video 'a', frame 2: found boxes"),
    "no number": ('{"a": [[], [], [[1, 2, 3, 4, NaN]]]}', "video 'a', frame 2: found boxes"),
    "a row that is no list": ('{"a": [[7], [], []]}', "video 'a', frame 0: found boxes"),
    "fewer frames": ('{"a": [[], []]}', "2 frames of boxes for video 'a', which has 3 frames"),
    "another video": ('{"b": [[], [], []]}', "lists no boxes for video 'a'; it has b"),
    "a list": ("[1, 2]", "holds a list, expected"),
    "x, y, width, height": ('{"a": [[], [[120, 160, 40, 60, 0.9]], []]}', "frame 1: found boxes .*x1 no more than x2"),
    "a confidence of 1.5": ('{"a": [[], [[1, 2, 3, 4, 1.5]], []]}', "frame 1: found boxes .*and 0 to 1"),
    "more pixels than there are": ('{"a": [[], [[1, 2, 1%s, 4, 0.5]], []]}' % ("0" * 400), "frame 1: found boxes"),
    "no JSON": ("{", "is not valid JSON"),
    "no text": ("\udcff", "is not valid JSON"),
    "a mark of its encoding": ('\ufeff{"a": [[], [], []]}', None),
}  # fmt: skip


@pytest.mark.kind(13)
@pytest.mark.parametrize("case", BOXES)
def test_a_file_of_boxes_that_is_wrong_is_named(case, tmp_path):
    from dist_vad.video.detectors.boxes import BoxesDetector

    text, message = BOXES[case]
    path = tmp_path / "boxes.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    if message is None:
        BoxesDetector(path, "a", 3)
    else:
        with pytest.raises(InputError, match=message):
            BoxesDetector(path, "a", 3)


@pytest.mark.kind(13)
@given(
    box=st.tuples(*[st.floats(-300, 300, width=16)] * 2, *[st.floats(0, 200, width=16)] * 2),
    size=st.tuples(st.integers(8, 200), st.integers(8, 200)),
)
def test_a_box_outside_of_the_picture_is_named_and_one_that_reaches_into_it_is_taken(box, size, tmp_path_factory):
    from dist_vad.video.detectors.boxes import BoxesDetector

    x, y, wide, high = box
    width, height = size
    path = tmp_path_factory.mktemp("boxes") / "boxes.json"
    path.write_text(json.dumps({"a": [[[x, y, x + wide, y + high, 0.5]]]}))
    detector, picture = BoxesDetector(path, "a", 1), np.zeros((height, width, 3), np.uint8)
    if -wide <= x <= width and -high <= y <= height:
        assert len(detector([0], [picture])[0].values) == 1
    else:
        with pytest.raises(InputError, match=f"frame 0: the box .* outside of the picture of {width} x {height}"):
            detector([0], [picture])
