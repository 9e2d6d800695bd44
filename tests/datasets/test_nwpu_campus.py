"""NWPU Campus: video files in two folders, one archive of flags for the test split."""

from pathlib import Path

import numpy as np
import pytest
from miniature import through_the_producer, write_video

from dist_vad.base.errors import InputError
from dist_vad.datasets.nwpu_campus import nwpu_campus, read_truth
from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video

FLAGS = {
    "D001_04": np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0], np.uint8),
    "D002_10": np.zeros(12, np.float64),
    "D002_9": np.ones(13, bool),
}


@pytest.fixture
def root(tmp_path) -> Path:
    """Two training and three test videos of 12 frames, the flags of one of them 13, and junk."""
    for name in ("Train/D001_03", "Train/D002_01", *(f"Test/{name}" for name in FLAGS)):
        write_video(tmp_path / f"nwpu/videos/{name}.avi", 12)
    for junk in ("videos/Train/._D001_03.avi", "videos/Test/.DS_Store", "videos/Test/notes.txt", "._gt.npz"):
        (tmp_path / "nwpu" / junk).write_bytes(b"\0junk")
    np.savez(tmp_path / "nwpu/gt.npz", **FLAGS)
    return tmp_path / "nwpu"


def videos_at(root: Path, **changes) -> list[Video]:
    return nwpu_campus(DataSettings(dataset="folder", root=str(root), virtual="none", **changes))


def labels_of(videos: list[Video]) -> dict[str, list[list[int]]]:
    return {video.name: video.labels["frames"] for video in videos if video.split == "test"}


LABELS = {"test_D001_04": [[2, 5], [8, 10]], "test_D002_9": [[0, 13]], "test_D002_10": []}


def test_the_published_layout_is_read_past_its_junk_in_natural_order(root):
    videos = videos_at(root)
    assert [(v.name, v.split, v.source_name, v.source_split) for v in videos] == [
        ("train_D001_03", "train", "D001_03", "Train"),
        ("train_D002_01", "train", "D002_01", "Train"),
        ("test_D001_04", "test", "D001_04", "Test"),
        ("test_D002_9", "test", "D002_9", "Test"),
        ("test_D002_10", "test", "D002_10", "Test"),
    ]
    assert [v.scene for v in videos] == ["D001", "D002", "D001", "D002", "D002"]
    assert [len(v.open()) for v in videos] == [12] * 5


def test_flags_of_any_type_become_intervals(root):
    videos = videos_at(root)
    assert labels_of(videos) == LABELS
    assert [video.labels for video in videos[:2]] == [{}, {}]


def test_labels_say_of_how_many_frames_they_are(root):
    assert [video.labelled_frames for video in videos_at(root)] == [None, None, 12, 13, 12]


def test_the_identity_changes_with_the_number_of_flags(root):
    before = videos_at(root)[-1].identity
    assert videos_at(root)[-1].identity == before
    np.savez(root / "gt.npz", **{**FLAGS, "D002_10": np.zeros(11)})
    assert videos_at(root)[-1].identity != before


def test_folders_in_small_letters_and_an_archive_in_another_place_are_found(root):
    for split in ("Train", "Test"):
        (root / "videos" / split).rename(root / split.lower())
    (root / "videos").rmdir()
    (root / "labels").mkdir()
    (root / "gt.npz").rename(root / "labels/truth.npz")
    videos = videos_at(root)
    assert labels_of(videos) == LABELS and len(videos) == 5


def test_gt_npz_is_taken_before_other_archives(root):
    (root / "gt.npz").rename(root / "videos/gt.npz")
    np.savez(root / "features.npz", D001_04=np.zeros(12))
    assert labels_of(videos_at(root)) == LABELS


def test_several_archives_of_which_none_is_gt_npz_are_refused(root):
    (root / "gt.npz").rename(root / "a.npz")
    np.savez(root / "b.npz", **FLAGS)
    with pytest.raises(InputError, match=r"found 2 files, expected one; .*a\.npz, .*b\.npz"):
        videos_at(root)


def test_without_ground_truth_the_test_videos_are_there_unlabelled_and_that_is_said(root, logged):
    (root / "gt.npz").unlink()
    assert [(video.labels, video.labelled_frames) for video in videos_at(root)] == [({}, None)] * 5
    assert "the test videos are unlabelled" in logged.text


def test_labels_of_videos_that_are_not_there_are_refused_or_left_out(root, logged):
    (root / "videos/Test/D002_9.avi").unlink()
    with pytest.raises(InputError, match=r"names 3 videos, 1 of them .* D002_9; .*labels_mismatch clip"):
        videos_at(root)
    expected = {name: some for name, some in LABELS.items() if name != "test_D002_9"}
    assert labels_of(videos_at(root, labels_mismatch="clip")) == expected
    assert "left out" in logged.text


def test_test_videos_without_labels_are_refused_or_left_out(root, logged):
    write_video(root / "videos/Test/D003_01.avi", 12)
    with pytest.raises(InputError, match=r"labels 3 videos, but not 1 test videos: D003_01; .*labels_mismatch clip"):
        videos_at(root)
    assert labels_of(videos_at(root, labels_mismatch="clip")) == LABELS
    assert "left out" in logged.text


@pytest.mark.parametrize("flags", [np.zeros((4, 3)), np.array([0, 0.5, 1]), np.array([0, np.nan]), np.array(["0"])])
def test_an_array_that_is_not_of_zeros_and_ones_is_named(tmp_path, flags):
    np.savez(tmp_path / "gt.npz", D001_04=FLAGS["D001_04"], D001_05=flags)
    with pytest.raises(InputError, match=r"gt\.npz: 'D001_05' is .*expected one array \[T\] of 0 and 1"):
        read_truth(tmp_path / "gt.npz")


def test_an_archive_that_does_not_read_is_named(root):
    whole = (root / "gt.npz").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"nothing of the kind", b""):
        (root / "gt.npz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"gt\.npz does not read: .*campusvad\.github\.io"):
            videos_at(root)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"does not exist|holds no training videos; expected videos/Train/D001_03\.avi"
    ):
        videos_at(tmp_path / name)


def test_a_split_that_is_there_twice_is_refused(root):
    write_video(root / "videos/train/D001_03.avi", 12)
    with pytest.raises(InputError, match=r"holds both Train/ and train/"):
        videos_at(root)


def test_videos_whose_names_differ_in_the_extension_alone_are_refused(root):
    (root / "videos/Train/D001_03.mp4").write_bytes(b"a copy")
    with pytest.raises(InputError, match=r"holds D001_03\.avi and D001_03\.mp4, expected one"):
        videos_at(root)


def test_it_goes_through_check_write_and_verify(root, tmp_path):
    labels = through_the_producer("nwpu_campus", root, tmp_path / "out", labels_mismatch="clip")
    assert {name: some["frames"] for name, some in labels.items()} == {**LABELS, "test_D002_9": [[0, 12]]}
