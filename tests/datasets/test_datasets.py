"""Data sets as people have them: layouts as published, junk files among them, labels checked before anything starts."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniature import HEIGHT, WIDTH, frame, settings_of, through_the_producer, write_pictures, write_video
from scipy.io import savemat

from dist_vad.base.errors import InputError
from dist_vad.base.labels import interval_labels, intervals_of, union
from dist_vad.datasets import open_dataset
from dist_vad.datasets.files import inclusive
from dist_vad.datasets.folder import read_labels
from dist_vad.datasets.ucsd import read_m_file, read_mat_file
from dist_vad.settings.data import DataSettings


def ucsd_at(root: Path, **changes) -> DataSettings:
    return DataSettings(dataset="ucsd", root=str(root), virtual="none", **changes)


def publish(root: Path, labels: list[str]) -> Path:
    """Ped2's published layout: two training clips, as many test clips as labels, and junk of two file managers."""
    for number in (1, 2):
        write_pictures(root / f"Train/Train{number:03d}", 12, "{:03d}.tif", start=1, tint=number)
    for number in range(1, len(labels) + 1):
        write_pictures(root / f"Test/Test{number:03d}", 12, "{:03d}.tif", start=1, tint=10 + number)
    (root / "Test/Test001_gt").mkdir()
    for junk in ("Train/.DS_Store", "Train/Train001/._001.tif", "Test/Test001/Thumbs.db", "Test/._UCSDped2.m"):
        (root / junk).write_bytes(b"\0junk")
    lines = ["TestVideoFile = {};", *(f"TestVideoFile{{end+1}}.gt_frame = {some};" for some in labels)]
    (root / "Test/UCSDped2.m").write_bytes("\r".join(lines).encode())
    return root


def repack(root: Path, labels: list[list[list[int]]]) -> Path:
    """The common repack: numbered clips, pictures from 000.jpg, labels as arrays of [starts; ends] counted from 1."""
    for number in (1, 2):
        write_pictures(root / f"training/frames/{number:02d}", 12, "{:03d}.jpg", tint=number)
    for number in range(1, len(labels) + 1):
        write_pictures(root / f"testing/frames/{number:02d}", 12, "{:03d}.jpg", tint=10 + number)
    gt = np.empty((1, len(labels)), object)
    gt[0, :] = [np.array(some, np.uint8).T for some in labels]
    savemat(root / "ped2.mat", {"gt": gt})
    return root


def labels_of(settings: DataSettings) -> dict[str, list[list[int]]]:
    return {video.name: video.labels["frames"] for video in open_dataset(settings) if video.split == "test"}


# -- UCSD


def test_the_published_layout_is_read_past_its_junk(tmp_path):
    videos = open_dataset(ucsd_at(publish(tmp_path / "UCSDped2", ["[3:5, 9:12]", "[1:12]"])))
    assert [(v.name, v.split) for v in videos] == [
        *(("train001", "train"), ("train002", "train")),
        *(("test001", "test"), ("test002", "test")),
    ]
    assert [v.labels for v in videos] == [{}, {}, {"frames": [[2, 5], [8, 12]]}, {"frames": [[0, 12]]}]
    assert {v.scene for v in videos} == {"ped2"}
    frames = videos[2].open()
    assert len(frames) == 12 and np.array_equal(next(iter(frames)), frame(0, tint=11))


def test_the_published_layout_is_found_inside_the_folder_it_was_unpacked_to(tmp_path):
    publish(tmp_path / "UCSD_Anomaly_Dataset.v1p2/UCSDped2", ["[3:5]"])
    assert labels_of(ucsd_at(tmp_path)) == {"test001": [[2, 5]]}
    publish(tmp_path / "UCSD_Anomaly_Dataset.v1p2/UCSDped1", ["[3:5]"])
    with pytest.raises(InputError, match=r"holds 2 data sets.*UCSDped1.*UCSDped2"):
        open_dataset(ucsd_at(tmp_path))


def test_the_repack_counts_labels_from_one_and_pictures_from_zero(tmp_path):
    root = repack(tmp_path / "ped2", [[[3, 5], [9, 12]], [[1, 12]]])
    assert labels_of(ucsd_at(root)) == {"test_01": [[2, 5], [8, 12]], "test_02": [[0, 12]]}


def test_unpadded_names_keep_their_order(tmp_path):
    root = publish(tmp_path / "UCSDped2", ["[1:2]"] * 2)
    for path in (root / "Test/Test001").glob("0*.tif"):
        path.rename(path.with_name(f"{int(path.stem)}.tif"))
    video = next(video for video in open_dataset(ucsd_at(root)) if video.name == "test001")
    assert all(np.array_equal(found, frame(t, tint=11)) for t, found in enumerate(video.open()))


def write_masks(folder: Path, count: int) -> None:
    """From frame 2 to 8 a piece that moves down by a pixel a frame, and from frame 4 on another that stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        if 2 <= number < 9:
            mask[10 + number : 20 + number, 5:12] = 255
        if number >= 4:
            mask[50:60, 40:48] = 255
        assert cv2.imwrite(str(folder / f"{number:03d}.png"), mask)


@pytest.mark.parametrize("place", ["UCSDped2/Test/Test002_gt", "repack/testing/pixel_masks/02"])
def test_masks_give_a_clip_the_regions_of_its_anomalies(tmp_path, place):
    publish(tmp_path / "UCSDped2", ["[3:5]", "[3:12]"])
    repack(tmp_path / "repack", [[[3, 5]], [[3, 12]]])
    settings = ucsd_at(tmp_path / place.partition("/")[0])
    before = {video.name: video for video in open_dataset(settings)}
    write_masks(tmp_path / place, 12)
    after = {video.name: video for video in open_dataset(settings)}
    assert {name for name in after if after[name].identity != before[name].identity} == {list(after)[-1]}
    moving, still = list(after.values())[-1].events
    assert (moving.start, moving.end, moving.boxes[0], moving.boxes[-1]) == (2, 9, [5, 12, 12, 22], [5, 18, 12, 28])
    assert (still.start, still.end, still.boxes) == (4, 12, [[40, 50, 48, 60]] * 8)


def test_a_mask_that_is_missing_is_told(tmp_path):
    root = publish(tmp_path / "UCSDped2", ["[3:5]", "[3:12]"])
    write_masks(root / "Test/Test002_gt", 11)
    with pytest.raises(InputError, match="holds 11 masks, expected 12"):
        open_dataset(ucsd_at(root))


def test_fewer_clips_than_labels_are_refused_or_matched_by_number(tmp_path):
    root = publish(tmp_path / "UCSDped2", ["[1:2]", "[3:4]", "[5:6]"])
    (root / "Test/Test002").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"labels 3 clips, but 2 test clips were found.*labels_mismatch clip"):
        open_dataset(ucsd_at(root))
    assert labels_of(ucsd_at(root, labels_mismatch="clip")) == {"test001": [[0, 2]], "test003": [[4, 6]]}


def test_without_ground_truth_the_clips_are_there_unlabelled(tmp_path):
    root = publish(tmp_path / "UCSDped2", ["[1:2]"])
    (root / "Test/UCSDped2.m").unlink()
    assert [v.labels for v in open_dataset(ucsd_at(root))] == [{}] * 3


@pytest.mark.parametrize("wrong", ["[0:5]", "[9:5]", "[five:9]", "[]", "12"])
def test_a_line_of_labels_that_makes_no_sense_is_named(tmp_path, wrong):
    path = tmp_path / "UCSDped2.m"
    path.write_text(f"TestVideoFile = {{}};\nTestVideoFile{{end+1}}.gt_frame = {wrong};\n")
    with pytest.raises(InputError, match=r"UCSDped2\.m, line 2: found .*expected intervals counted from 1"):
        read_m_file(path)


def test_a_file_that_is_no_matlab_file_is_named(tmp_path):
    (tmp_path / "ped2.mat").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"ped2\.mat does not read"):
        read_mat_file(tmp_path / "ped2.mat")


@pytest.mark.parametrize("name", ["root/nowhere", "root"])
def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path, name):
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError, match=r"does not exist|expected Train/Train001/001\.tif"):
        open_dataset(ucsd_at(tmp_path / name))


def frames_in(clips: list[list[list[int]]]) -> int:
    return sum(end - start for clip in clips for start, end in clip)


def test_the_real_labels_of_ped1_have_the_published_counts(shared):
    clips = read_m_file(shared / "data/annotations/ucsd/UCSDped1.m")
    assert (len(clips), frames_in(clips)) == (36, 4045)


def test_the_real_labels_of_ped2_say_the_same_in_both_formats(shared):
    published = read_m_file(shared / "data/annotations/ucsd/UCSDped2.first6.m")
    assert published == read_mat_file(shared / "data/ped2/ped2.mat")[:6]
    assert (published[0], published[2]) == ([[60, 180]], [[0, 146]])


def test_the_real_ped2_has_its_clips_and_frames(shared):
    videos = open_dataset(ucsd_at(shared / "data/ped2", labels_mismatch="clip"))
    lengths = {video.name: len(video.open()) for video in videos}
    assert sum(video.split == "train" for video in videos) == 16
    assert sum(lengths[video.name] for video in videos if video.split == "train") == 2550
    assert [lengths[f"test_{n:02d}"] for n in range(1, 7)] == [180, 180, 150, 180, 150, 180]


def test_the_real_masks_of_ped2_are_anomalous_just_where_its_labels_are(shared):
    videos = [v for v in open_dataset(ucsd_at(shared / "data/ped2", labels_mismatch="clip")) if v.split == "test"]
    assert [len(video.events) for video in videos] == [1, 1, 2, 2, 1, 2]
    for video in videos:
        assert union([[event.start, event.end] for event in video.events]) == video.labels["frames"]
        assert all(len(event.boxes) == event.end - event.start for event in video.events)


@given(first=st.integers(0, 10**6), length=st.integers(1, 10**6), base=st.sampled_from([0, 1]))
def test_an_inclusive_interval_keeps_its_number_of_frames(first, length, base):
    start, end = inclusive(first + base, first + base + length - 1, base)
    assert (start, end - start) == (first, length)


@given(st.lists(st.integers(0, 1), max_size=60))
def test_flags_made_into_intervals_and_back_are_the_same(flags):
    assert interval_labels(intervals_of(np.array(flags, int)), len(flags)).tolist() == flags


# -- anyone's videos


@pytest.fixture
def mine(tmp_path) -> Path:
    """Two training videos as files, two test videos as folders of pictures."""
    for number in (2, 10):
        write_video(tmp_path / f"mine/train/gate_{number}.avi", 12)
        write_pictures(tmp_path / f"mine/test/gate_{number}", 12, "{:d}.png", tint=number)
    (tmp_path / "mine/train/.DS_Store").write_bytes(b"\0")
    (tmp_path / "mine/train/notes.txt").write_text("not a video")
    return tmp_path / "mine"


def label(root: Path, labels: object) -> DataSettings:
    path = root.parent / "labels.json"
    path.write_text(labels if isinstance(labels, str) else json.dumps(labels))
    return settings_of(root, labels=str(path))


def test_files_and_folders_of_pictures_are_videos_in_natural_order(mine):
    videos = open_dataset(settings_of(mine))
    assert [v.name for v in videos] == ["train_gate_2", "train_gate_10", "test_gate_2", "test_gate_10"]
    assert {v.scene for v in videos} == {"gate"} and [len(v.open()) for v in videos] == [12] * 4
    assert np.array_equal(list(videos[3].open())[11], frame(11, tint=10))
    assert [v.labels for v in videos] == [{}] * 4


def test_labels_count_from_zero_and_name_every_test_video(mine):
    assert labels_of(label(mine, {"gate_2": [[3, 5]], "gate_10": []})) == {"test_gate_2": [[3, 6]], "test_gate_10": []}


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"gate_2": []}, "missing: gate_10; not among the videos: none"),
        ({"gate_2": [], "gate_10": [], "gate_3": []}, "missing: none; not among the videos: gate_3"),
        ({"gate_2": [[5, 3]], "gate_10": []}, "frames 5 to 3 are no interval"),
        ({"gate_2": [3, 5], "gate_10": []}, "does not read"),
        ([], "does not read"),
        ("{", "does not read"),
    ],
)
def test_labels_of_other_videos_or_of_no_sense_are_refused(mine, labels, named):
    with pytest.raises(InputError, match=named):
        open_dataset(label(mine, labels))


def test_a_missing_labels_file_is_named(mine):
    with pytest.raises(InputError, match=r"no labels file at .*nowhere\.json; check data\.labels"):
        open_dataset(settings_of(mine, labels=str(mine / "nowhere.json")))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"x": [[1, 2]], "x": [[5, 6]]}', "'x' is there twice"),
        ('{"x": [[1, 5]], "x.mp4": [[7, 9]]}', "'x' is there twice"),
        ('{"x": {}}', "found {} for 'x', expected a list of intervals"),
        ('{"x": ""}', "found '' for 'x', expected a list of intervals"),
        ("[]", "found list where names of videos"),
        ("null", "found NoneType where names of videos"),
        ("[" * 200_000, "recursion"),
    ],
)
def test_labels_of_which_some_would_be_lost_are_refused(tmp_path, written, told):
    (tmp_path / "labels.json").write_text(written)
    with pytest.raises(InputError, match="does not read") as refused:
        read_labels(str(tmp_path / "labels.json"))
    assert told in str(refused.value)


def test_videos_whose_names_differ_in_the_extension_alone_are_refused(mine):
    write_video(mine / "train/gate_2.mp4.avi", 4)
    write_pictures(mine / "train/gate_2.mp4", 4)
    with pytest.raises(InputError, match="several videos named like"):
        open_dataset(settings_of(mine))


def test_videos_or_pictures_at_the_wrong_depth_are_told_so(tmp_path):
    write_video(tmp_path / "loose/a.avi", 4)
    with pytest.raises(InputError, match="holds 1 videos directly, and no train/"):
        open_dataset(settings_of(tmp_path / "loose"))
    write_pictures(tmp_path / "flat/train", 4)
    with pytest.raises(InputError, match="holds pictures, but no folders of them"):
        open_dataset(settings_of(tmp_path / "flat"))


def test_a_file_that_is_no_video_is_refused_when_it_is_opened(mine):
    (mine / "train/gate_3.mp4").write_bytes(b"not a video")
    video = next(video for video in open_dataset(settings_of(mine)) if video.name == "train_gate_3")
    with pytest.raises(InputError, match=r"gate_3\.mp4 does not open"):
        len(video.open())


@pytest.mark.parametrize("scene", ["ped1", "ped2"])
def test_ucsd_goes_through_check_write_and_verify(tmp_path, scene):
    root = publish(tmp_path / f"UCSD{scene}", ["[3:5, 9:12]", "[1:12]"])
    labels = through_the_producer("ucsd", root, tmp_path / "out")
    assert labels == {"test001": {"frames": [[2, 5], [8, 12]]}, "test002": {"frames": [[0, 12]]}}
