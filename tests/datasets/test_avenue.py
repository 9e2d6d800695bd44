"""CUHK Avenue as people have it: both layouts, and two ground truths that must not be taken for one another."""

import json
from pathlib import Path

import numpy as np
import pytest
from miniature import frame, settings_of, through_the_producer, write_pictures, write_video
from scipy.io import savemat

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.datasets.avenue import PUBLISHED, avenue, read_masks
from dist_vad.settings.data import DataSettings

FRAMES = 12
MASKED = {1: [[0, 2]], 2: [[3, 4], [10, 12]], 10: []}
"""Frames with an anomalous pixel, 0-based and half-open, by number of the test video."""
NAMED = [[[2, 4], [12, 12]], [[1, 12]], [[5, 6]]]
"""Intervals as `avenue.mat` has them: counted from 1, both ends inclusive."""


def write_masks(path: Path, intervals: list[list[int]], frames: int = FRAMES, size=(5, 7), pack: bool = True) -> None:
    """Masks of which one pixel is set in the frames of the intervals."""
    cell = np.empty((1, frames), object)
    for number in range(frames):
        mask = np.zeros(size, bool)
        mask.flat[-1] = any(start <= number < end for start, end in intervals)
        cell[0, number] = mask
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"videoIdx": path.stem, "volLabel": cell}, do_compression=pack)


def write_intervals(path: Path, clips: list[list[list[int]]]) -> None:
    gt = np.empty((1, len(clips)), object)
    gt[0, :] = [np.array(some, np.uint16).T for some in clips]
    savemat(path, {"gt": gt})


def publish(root: Path) -> Path:
    """The published layout: two training videos, test videos 1, 2 and 10, their masks, and junk."""
    for number in (1, 2):
        write_video(root / f"training_videos/{number:02d}.avi", FRAMES, tint=number)
    for number, intervals in MASKED.items():
        write_video(root / f"testing_videos/{number:02d}.avi", FRAMES, tint=10 + number)
        write_masks(root / f"ground_truth_demo/testing_label_mask/{number}_label.mat", intervals)
    for junk in ("training_videos/.DS_Store", "testing_videos/._01.avi", "testing_videos/Thumbs.db"):
        (root / junk).write_bytes(b"\0junk")
    (root / "ground_truth_demo/testing_label_mask/._1_label.mat").write_bytes(b"\0junk")
    return root


def repack(root: Path) -> Path:
    """The common repack: folders of pictures whose names are not padded, intervals in one file, and junk."""
    for split, numbers in (("training", (1, 2)), ("testing", (1, 2, 3))):
        for number in numbers:
            write_pictures(root / f"{split}/frames/{number:02d}", FRAMES, "{:d}.png", tint=10 + number)
    (root / "testing/frames/.DS_Store").write_bytes(b"\0junk")
    (root / "testing/frames/01/._0.png").write_bytes(b"\0junk")
    write_intervals(root / "avenue.mat", NAMED)
    return root


def labels_of(settings: DataSettings) -> dict[str, dict[str, list[list[int]]]]:
    return {video.name: video.labels for video in avenue(settings) if video.split == "test"}


def test_the_published_layout_is_read_past_its_junk(tmp_path):
    videos = avenue(settings_of(publish(tmp_path)))
    assert [v.name for v in videos] == ["train_01", "train_02", "test_01", "test_02", "test_10"]
    assert [(v.source_name, v.source_split) for v in videos[1:3]] == [
        ("02", "training_videos"),
        ("01", "testing_videos"),
    ]
    assert {v.scene for v in videos} == {"avenue"} and [len(v.open()) for v in videos] == [FRAMES] * 5
    assert all(not v.labels and v.labelled_frames is None for v in videos if v.split == "train")
    assert np.abs(next(iter(videos[4].open())).astype(int) - frame(0, tint=20)).mean() < 3


def test_masks_belong_to_the_video_of_their_number_which_is_not_padded(tmp_path):
    settings = settings_of(publish(tmp_path))
    expected = {f"test_{number:02d}": {"pixel_masks": intervals} for number, intervals in MASKED.items()}
    assert labels_of(settings) == expected
    assert {v.labelled_frames for v in avenue(settings) if v.split == "test"} == {FRAMES}


def test_videos_whose_names_are_not_padded_keep_their_order_and_their_labels(tmp_path):
    settings = settings_of(publish(tmp_path))
    expected = labels_of(settings)
    for path in (tmp_path / "testing_videos").glob("0*.avi"):
        path.rename(path.with_name(path.name[1:]))
    assert list(labels_of(settings).items()) == list(expected.items())
    assert [v.source_name for v in avenue(settings)] == ["01", "02", "1", "2", "10"]


def test_the_repack_counts_labels_from_one_and_pictures_in_natural_order(tmp_path):
    settings = settings_of(repack(tmp_path))
    assert labels_of(settings) == {
        "test_01": {"intervals": [[1, 4], [11, 12]]},
        "test_02": {"intervals": [[0, 12]]},
        "test_03": {"intervals": [[4, 6]]},
    }
    video = avenue(settings)[2]
    assert (video.source_name, video.source_split, video.labelled_frames) == ("01", "testing", None)
    assert all(np.array_equal(found, frame(t, tint=11)) for t, found in enumerate(video.open()))


def test_both_ground_truths_stand_side_by_side(tmp_path):
    root = repack(tmp_path)
    for number, intervals in zip((1, 2, 3), MASKED.values()):
        write_masks(root / f"ground_truth_demo/testing_label_mask/{number}_label.mat", intervals)
    videos = [video for video in avenue(settings_of(root)) if video.split == "test"]
    assert videos[1].labels == {"pixel_masks": [[3, 4], [10, 12]], "intervals": [[0, 12]]}
    assert [set(video.labels) for video in videos] == [set(PUBLISHED.anomalous)] * 3


def test_with_both_ground_truths_a_video_stays_that_both_label(tmp_path):
    root = repack(tmp_path)
    for number in (1, 3):
        write_masks(root / f"ground_truth_demo/testing_label_mask/{number}_label.mat", [])
    labels = labels_of(settings_of(root, labels_mismatch="clip"))
    both = {"pixel_masks", "intervals"}
    assert {name: set(some) for name, some in labels.items()} == {"test_01": both, "test_03": both}


def test_other_labels_give_a_video_another_identity(tmp_path):
    root = repack(tmp_path)
    before = [video.identity for video in avenue(settings_of(root))]
    write_intervals(root / "avenue.mat", [*NAMED[:2], [[5, 7]]])
    after = [video.identity for video in avenue(settings_of(root))]
    assert after[:-1] == before[:-1] and after[-1] != before[-1]


def test_the_archives_unpacked_side_by_side_are_found(tmp_path):
    publish(tmp_path / "Avenue Dataset")
    (tmp_path / "Avenue Dataset/ground_truth_demo").rename(tmp_path / "ground_truth_demo")
    assert labels_of(settings_of(tmp_path))["test_01"] == {"pixel_masks": [[0, 2]]}
    repack(tmp_path / "again")
    with pytest.raises(InputError, match=r"holds 2 data sets; give one of them: .*Avenue Dataset.*again"):
        avenue(settings_of(tmp_path))


def test_pictures_extracted_beside_their_video_do_not_count_twice(tmp_path):
    write_pictures(publish(tmp_path) / "training_videos/01", 3)
    assert [len(v.open()) for v in avenue(settings_of(tmp_path)) if v.split == "train"] == [FRAMES] * 2


def test_a_video_without_a_mask_is_named_or_left_out(tmp_path, logged):
    root = publish(tmp_path)
    (root / "ground_truth_demo/testing_label_mask/2_label.mat").unlink()
    with pytest.raises(
        InputError, match=r"labels 2 test videos, but 3 were found; videos without labels: 02; labels w"
    ):
        avenue(settings_of(root))
    assert list(labels_of(settings_of(root, labels_mismatch="clip"))) == ["test_01", "test_10"]
    assert "videos without labels: 02" in logged.text


def test_a_gap_in_the_videos_does_not_shift_the_intervals(tmp_path):
    root = repack(tmp_path / "avenue")
    (root / "testing/frames/02").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"avenue\.mat labels 3 test videos, but 2 were found; .*without video: 02"):
        avenue(settings_of(root))
    labels = labels_of(settings_of(root, labels_mismatch="clip"))
    assert labels == {"test_01": {"intervals": [[1, 4], [11, 12]]}, "test_03": {"intervals": [[4, 6]]}}


def test_without_ground_truth_the_videos_are_there_unlabelled(tmp_path):
    (repack(tmp_path) / "avenue.mat").unlink()
    assert [video.labels for video in avenue(settings_of(tmp_path))] == [{}] * 5


def test_two_videos_of_one_number_or_one_without_a_number_are_named(tmp_path):
    write_video(publish(tmp_path) / "testing_videos/1.avi", 3)
    with pytest.raises(InputError, match=r"1\.avi and .*1\.avi are both video 01"):
        avenue(settings_of(tmp_path))
    (tmp_path / "testing_videos/1.avi").rename(tmp_path / "testing_videos/demo.avi")
    with pytest.raises(InputError, match=r"demo\.avi is not named by a number"):
        avenue(settings_of(tmp_path))


@pytest.mark.parametrize("name", ["root/nowhere", "root"])
def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path, name):
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError, match=r"nowhere does not exist|expected training_videos/01\.avi.*avenue\.mat"):
        avenue(settings_of(tmp_path / name))


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 7), (5, 7, 3)])  # the format lays out each of them in another way
def test_masks_are_read_whether_or_not_they_are_compressed(tmp_path, pack, size):
    write_masks(tmp_path / "1_label.mat", [[0, 2], [11, 12]], size=size, pack=pack)
    flags = read_masks(tmp_path / "1_label.mat")
    assert len(flags) == FRAMES and intervals_of(flags) == [[0, 2], [11, 12]]


@pytest.mark.parametrize("pack", [True, False])
def test_a_file_of_masks_that_is_cut_off_is_named(tmp_path, pack):
    path = tmp_path / "7_label.mat"
    write_masks(path, [[3, 9]], pack=pack)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"7_label\.mat does not read"):
        read_masks(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"volLabel": np.zeros((3, 4))}, "volLabel"),
        ({"gt": np.array([[1], [2]])}, "volLabel"),
        ({"volLabel": np.array([[np.ones((2, 2)), "text"]], object)}, "no cell of one mask"),
        ({"volLabel": np.array([[np.ones((2, 2)), np.ones((0, 0))]], object)}, "no cell of one mask"),
    ],
)
def test_a_matlab_file_of_other_content_is_named(tmp_path, content, named):
    savemat(tmp_path / "1_label.mat", content)
    with pytest.raises(InputError, match=rf"1_label\.mat does not read: .*{named}"):
        read_masks(tmp_path / "1_label.mat")


def test_a_file_that_is_no_matlab_file_is_named(tmp_path):
    (tmp_path / "1_label.mat").write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(InputError, match=r"1_label\.mat does not read"):
        read_masks(tmp_path / "1_label.mat")


@pytest.mark.slow
def test_the_real_masks_have_the_published_counts(shared):
    folder = shared / "data/annotations/avenue"
    listed = json.loads((folder / "mask_labels.json").read_text())
    flags = [read_masks(folder / f"{number}_label.mat") for number in range(1, 22)]
    assert sum(len(some) for some in flags) == PUBLISHED.frames["test"] == 15_324
    assert sum(int(some.sum()) for some in flags) == PUBLISHED.anomalous["pixel_masks"] == 3_712
    expected = [[[a, b + 1] for a, b in listed[str(n)]["anomalous_0based_inclusive"]] for n in range(21)]
    assert [intervals_of(some) for some in flags] == expected


def test_it_goes_through_check_write_and_verify(tmp_path):
    root = publish(tmp_path / "avenue")
    labels = through_the_producer("avenue", root, tmp_path / "out")
    assert labels == {f"test_{number:02d}": {"pixel_masks": intervals} for number, intervals in MASKED.items()}
