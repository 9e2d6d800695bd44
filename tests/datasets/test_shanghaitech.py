"""ShanghaiTech Campus as people have it: video or pictures to learn from, pictures and one label per frame to test."""

from pathlib import Path

import numpy as np
import pytest
from miniature import frame, settings_of, through_the_producer, write_pictures, write_video

from dist_vad.base.errors import InputError
from dist_vad.base.labels import intervals_of
from dist_vad.datasets.shanghaitech import PUBLISHED, read_mask, shanghaitech
from dist_vad.settings.data import DataSettings

FRAMES = 12
MASKS = {
    "01_0014": [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1],
    "01_0141": [0] * FRAMES,
    "12_0142": [1] * FRAMES,
}
"""One label per frame, by test video."""


def publish(root: Path, extracted: bool = False) -> Path:
    """The published layout in small, or with the training video extracted, and junk."""
    for number, name in enumerate(("01_001", "02_010")):
        if extracted:
            write_pictures(root / f"training/frames/{name}", FRAMES, "{:03d}.jpg", tint=number)
        else:
            write_video(root / f"training/videos/{name}.avi", FRAMES, tint=number)
    (root / "testing/test_frame_mask").mkdir(parents=True)
    for number, (name, flags) in enumerate(MASKS.items()):
        write_pictures(root / f"testing/frames/{name}", FRAMES, "{:d}.png", tint=10 + number)
        np.save(root / f"testing/test_frame_mask/{name}.npy", np.array(flags, np.uint8))
    training = "training/frames" if extracted else "training/videos"
    junk = (
        f"{training}/._01_001.avi",
        f"{training}/Thumbs.db",
        "testing/frames/.DS_Store",
        "testing/frames/01_0014/._0.png",
    )
    for path in (*junk, "testing/test_frame_mask/._01_0014.npy"):
        (root / path).write_bytes(b"\0junk")
    return root


def labels_of(settings: DataSettings) -> dict[str, dict[str, list[list[int]]]]:
    return {video.name: video.labels for video in shanghaitech(settings) if video.split == "test"}


@pytest.mark.parametrize("extracted", [False, True])
def test_both_layouts_are_read_past_their_junk(tmp_path, extracted):
    videos = shanghaitech(settings_of(publish(tmp_path, extracted)))
    trains, tests = ["train_01_001", "train_02_010"], ["test_01_0014", "test_01_0141", "test_12_0142"]
    assert [v.name for v in videos] == trains + tests
    assert [v.scene for v in videos] == ["01", "02", "01", "01", "12"]
    assert [(v.source_name, v.source_split) for v in videos[1:3]] == [("02_010", "training"), ("01_0014", "testing")]
    assert [len(v.open()) for v in videos] == [FRAMES] * 5
    assert all(not v.labels and v.labelled_frames is None for v in videos[:2])


def test_a_mask_becomes_the_intervals_of_its_anomalous_frames(tmp_path):
    settings = settings_of(publish(tmp_path))
    assert labels_of(settings) == {
        "test_01_0014": {"frames": [[2, 5], [11, 12]]},
        "test_01_0141": {"frames": []},
        "test_12_0142": {"frames": [[0, 12]]},
    }
    assert {v.labelled_frames for v in shanghaitech(settings) if v.split == "test"} == {FRAMES}


def test_pictures_whose_names_are_not_padded_keep_their_order(tmp_path):
    video = shanghaitech(settings_of(publish(tmp_path)))[3]
    assert all(np.array_equal(found, frame(t, tint=11)) for t, found in enumerate(video.open()))


def test_the_length_of_a_mask_is_told_even_where_its_end_is_normal(tmp_path):
    np.save(publish(tmp_path) / "testing/test_frame_mask/01_0141.npy", np.zeros(FRAMES + 3, np.uint8))
    before, changed, after = [v for v in shanghaitech(settings_of(tmp_path)) if v.split == "test"]
    assert [v.labelled_frames for v in (before, changed, after)] == [FRAMES, FRAMES + 3, FRAMES]


def test_another_mask_gives_a_video_another_identity(tmp_path):
    root = publish(tmp_path)
    before = [video.identity for video in shanghaitech(settings_of(root))]
    np.save(root / "testing/test_frame_mask/12_0142.npy", np.array([0] + [1] * (FRAMES - 1), np.uint8))
    after = [video.identity for video in shanghaitech(settings_of(root))]
    assert after[:-1] == before[:-1] and after[-1] != before[-1]


def test_video_as_published_comes_before_pictures_extracted_from_it(tmp_path):
    write_pictures(publish(tmp_path) / "training/frames/01_001", 3)
    assert [len(v.open()) for v in shanghaitech(settings_of(tmp_path)) if v.split == "train"] == [FRAMES] * 2


def test_masks_beside_the_splits_are_found_too(tmp_path):
    publish(tmp_path)
    (tmp_path / "testing/test_frame_mask").rename(tmp_path / "test_frame_mask")
    assert labels_of(settings_of(tmp_path))["test_01_0014"] == {"frames": [[2, 5], [11, 12]]}


def test_a_video_without_a_mask_is_named_or_left_out(tmp_path, logged):
    (publish(tmp_path) / "testing/test_frame_mask/01_0141.npy").unlink()
    with pytest.raises(InputError, match=r"labels 2 test videos, but 3 were found; videos without labels: 01_0141;"):
        shanghaitech(settings_of(tmp_path))
    assert list(labels_of(settings_of(tmp_path, labels_mismatch="clip"))) == ["test_01_0014", "test_12_0142"]
    assert "videos without labels: 01_0141" in logged.text


def test_a_mask_without_a_video_is_named_or_left_out(tmp_path):
    publish(tmp_path / "campus")
    (tmp_path / "campus/testing/frames/01_0014").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"without labels: none; labels without video: 01_0014; expected"):
        shanghaitech(settings_of(tmp_path / "campus"))
    left = labels_of(settings_of(tmp_path / "campus", labels_mismatch="clip"))
    assert left == {"test_01_0141": {"frames": []}, "test_12_0142": {"frames": [[0, 12]]}}


def test_masks_of_other_videos_altogether_are_refused_in_any_case(tmp_path):
    for path in (publish(tmp_path) / "testing/test_frame_mask").glob("[01]*.npy"):
        path.rename(path.with_name(f"mask_{path.name}"))
    with pytest.raises(InputError, match="labels 3 test videos, but 3 were found; videos without labels: 01_0014, 01_"):
        shanghaitech(settings_of(tmp_path, labels_mismatch="clip"))


def test_without_ground_truth_the_videos_are_there_unlabelled(tmp_path):
    publish(tmp_path)
    (tmp_path / "testing/test_frame_mask").rename(tmp_path / "elsewhere")
    assert [(v.labels, v.labelled_frames) for v in shanghaitech(settings_of(tmp_path))] == [({}, None)] * 5


@pytest.mark.parametrize(
    ("mask", "named"),
    [
        (np.zeros((FRAMES, 4, 5), np.uint8), r"holds uint8 \[12, 4, 5\], expected one label per frame"),
        (np.zeros(FRAMES, np.float32), r"holds float32 \[12\], expected one label per frame"),
        (np.array([None] * FRAMES), "does not read: Object arrays cannot be loaded"),
        (b"", "does not read"),
        (b"nothing of the kind", "does not read"),
    ],
)
def test_a_mask_that_makes_no_sense_is_named(tmp_path, mask, named):
    path = tmp_path / "01_0014.npy"
    if isinstance(mask, bytes):
        path.write_bytes(mask)
    else:
        np.save(path, mask)
    with pytest.raises(InputError, match=rf"01_0014\.npy {named}"):
        read_mask(path)


@pytest.mark.parametrize("name", ["Train001", "01", "1_14"])
def test_a_video_whose_name_tells_no_camera_is_named(tmp_path, name):
    write_pictures(publish(tmp_path) / f"testing/frames/{name}", 3)
    with pytest.raises(InputError, match=f"{name} is not named as a video of ShanghaiTech Campus, such as 01_0014"):
        shanghaitech(settings_of(tmp_path))


@pytest.mark.parametrize("name", ["root/nowhere", "root"])
def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path, name):
    (tmp_path / "root").mkdir()
    with pytest.raises(InputError, match=r"nowhere does not exist|expected training/videos/01_001\.avi"):
        shanghaitech(settings_of(tmp_path / name))


def test_the_real_masks_have_the_published_counts(shared):
    masks = [read_mask(path) for path in (shared / "data/annotations/shanghaitech/test_frame_mask").glob("*.npy")]
    assert len(masks) == PUBLISHED.videos["test"] == 107
    assert sum(len(flags) for flags in masks) == PUBLISHED.frames["test"] == 40_791
    anomalous = sum(end - start for flags in masks for start, end in intervals_of(flags))
    assert anomalous == PUBLISHED.anomalous["frames"] == 17_326


def test_it_goes_through_check_write_and_verify(tmp_path):
    labels = through_the_producer("shanghaitech", publish(tmp_path / "campus"), tmp_path / "out")
    assert labels == {
        "test_01_0014": {"frames": [[2, 5], [11, 12]]},
        "test_01_0141": {"frames": []},
        "test_12_0142": {"frames": [[0, 12]]},
    }
