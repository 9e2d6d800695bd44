"""UCF-Crime: lists as published, videos found by name in whatever folders they were unpacked to."""

import shutil
from pathlib import Path

import pytest
from miniature import through_the_producer, write_video

from dist_vad.base.errors import InputError
from dist_vad.datasets.files import read_names
from dist_vad.datasets.ucf_crime import PUBLISHED, TEST_LIST, TRAIN_LIST, read_test_list, read_train_list, ucf_crime
from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video

TRAIN = ["Abuse/Abuse001_x264.mp4", *(f"Training_Normal_Videos_Anomaly/Normal_Videos{n:03d}_x264.mp4" for n in (1, 2))]
TEST = [
    "Abuse028_x264.mp4  Abuse  3  5  -1  -1  ",
    "Arson011_x264.mp4  Arson  1  4  9  14  ",
    "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  ",
]
FILES = [
    "Training-Normal-Videos-Part-1/Normal_Videos001_x264",
    "parts/Training-Normal-Videos-Part-2/Normal_Videos002_x264",
    "Anomaly-Videos-Part-1/Abuse/Abuse001_x264",
    "Anomaly-Videos-Part-1/Abuse/Abuse028_x264",
    "Anomaly-Videos-Part-1/Arson/Arson011_x264",
    "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264",
]


@pytest.fixture
def root(tmp_path) -> Path:
    """Five videos that the lists name, one they pass over, junk, and CR line ends."""
    root = tmp_path / "ucf"
    write_video(root / "made.avi", 12)
    for name in FILES:
        path = root / f"{name}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "made.avi", path)
    (root / "made.avi").unlink()
    (root / "splits").mkdir()
    (root / "splits" / TRAIN_LIST).write_bytes("\r\n".join([*TRAIN, "", ""]).encode())
    (root / TEST_LIST).write_bytes("\r".join(TEST).encode())
    (root / "Anomaly-Videos-Part-1/Abuse/._Abuse028_x264.avi").write_bytes(b"\0junk")
    (root / f"splits/._{TRAIN_LIST}").write_bytes(b"\0junk")
    return root


def videos_at(root: Path, **changes) -> list[Video]:
    return ucf_crime(DataSettings(dataset="folder", root=str(root), virtual="none", **changes))


def test_normal_training_videos_and_all_test_videos_are_found_by_their_names(root):
    videos = videos_at(root)
    assert [(v.name, v.split, v.source_name) for v in videos] == [
        ("train_Normal_Videos001_x264", "train", "Normal_Videos001_x264"),
        ("train_Normal_Videos002_x264", "train", "Normal_Videos002_x264"),
        ("test_Abuse028_x264", "test", "Abuse028_x264"),
        ("test_Arson011_x264", "test", "Arson011_x264"),
        ("test_Normal_Videos_003_x264", "test", "Normal_Videos_003_x264"),
    ]
    assert [len(v.open()) for v in videos] == [12] * 5
    assert [v.source_split for v in videos] == ["Train"] * 2 + ["Test"] * 3


def test_labels_are_the_listed_frames_and_overrun_the_video_as_the_list_does(root):
    labels = [video.labels for video in videos_at(root)]
    assert labels == [{}, {}, {"frames": [[2, 5]]}, {"frames": [[0, 4], [8, 14]]}, {"frames": []}]


def test_events_are_named_by_their_class(root):
    events = [[(e.name, e.start, e.end) for e in video.events] for video in videos_at(root)]
    assert events == [[], [], [("Abuse", 2, 5)], [("Arson", 0, 4), ("Arson", 8, 14)], []]


def test_each_video_is_a_scene_of_its_own(root):
    videos = videos_at(root)
    assert len({video.scene for video in videos}) == len({video.name for video in videos}) == 5


def test_the_identity_changes_with_the_class(root):
    def identity() -> str:
        return next(video.identity for video in videos_at(root) if video.name == "test_Abuse028_x264")

    before = identity()
    assert identity() == before
    (root / TEST_LIST).write_text("\n".join(TEST).replace("  Abuse  ", "  Arrest  "))
    assert identity() != before


def test_videos_that_are_not_there_are_refused_or_left_out(root, logged):
    (root / f"{FILES[1]}.avi").unlink()
    with pytest.raises(InputError, match=r"names 2 videos, 1 of them .* Normal_Videos002_x264; .*labels_mismatch clip"):
        videos_at(root)
    videos = videos_at(root, labels_mismatch="clip")
    assert len(videos) == 4 and "train_Normal_Videos002_x264" not in {v.name for v in videos}
    assert "1 of them are not below" in logged.text


def test_at_most_five_missing_videos_are_named(root):
    names = [f"Normal_Videos{n:03d}_x264" for n in range(11, 18)]
    (root / "splits" / TRAIN_LIST).write_text("\n".join(f"Training/{name}.mp4" for name in names))
    with pytest.raises(InputError, match=r"names 7 videos, 7 of them") as caught:
        videos_at(root)
    assert [name in str(caught.value) for name in names] == [True] * 5 + [False] * 2


def test_of_two_videos_of_one_name_the_one_in_its_published_folder_is_taken(root):
    write_video(root / "Normal_Videos_event/Normal_Videos_003_x264.avi", 7)
    assert len(videos_at(root)[-1].open()) == 12


def test_two_different_videos_of_one_name_are_refused_and_equal_ones_are_not(root):
    (root / "Testing_Normal_Videos_Anomaly").rename(root / "one")
    shutil.copytree(root / "one", root / "two")
    assert len(videos_at(root)) == 5
    write_video(root / "two/Normal_Videos_003_x264.avi", 7)
    with pytest.raises(InputError, match=r"2 videos of one name.*one/Normal_Videos_003_x264\.avi, .*two/Normal_"):
        videos_at(root)


@pytest.mark.parametrize("name", [f"splits/{TRAIN_LIST}", TEST_LIST])
def test_a_missing_list_is_named(root, name):
    (root / name).unlink()
    with pytest.raises(InputError, match=rf"found no {Path(name).name} below .*crcv\.ucf\.edu"):
        videos_at(root)


def test_two_lists_at_one_depth_are_refused(root):
    (root / "other").mkdir()
    shutil.copy(root / "splits" / TRAIN_LIST, root / "other" / TRAIN_LIST)
    with pytest.raises(InputError, match=r"found 2 files, expected one; .*other/.*splits/"):
        videos_at(root)


def test_a_root_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match=r"data\.root .*nowhere does not exist"):
        videos_at(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "wrong",
    [
        "Abuse030_x264.mp4  Abuse  3  5",
        "Abuse030_x264.mp4  Abuse  3  five  -1  -1",
        "Abuse030_x264.mp4  Abuse  0  5  -1  -1",
        "Abuse030_x264.mp4  Abuse  9  5  -1  -1",
        "Abuse030_x264.mp4  Abuse  3  -1  -1  -1",
        "Abuse030_x264.mp4  Abuse  -1  -1  -1  -1",
        "Normal_Videos_006_x264.mp4  Normal  3  5  -1  -1",
        TEST[0],
    ],
)
def test_a_line_of_the_annotation_that_makes_no_sense_is_named(tmp_path, wrong):
    path = tmp_path / TEST_LIST
    path.write_text("\n".join([*TEST, wrong]))
    with pytest.raises(InputError, match=rf"{TEST_LIST}, line 4: found '{wrong.strip()}'.* -1 -1 for none"):
        read_test_list(path)


def test_a_training_list_without_normal_videos_is_refused(tmp_path):
    (tmp_path / TRAIN_LIST).write_text(TRAIN[0])
    with pytest.raises(InputError, match="names 1 videos, none of them normal"):
        read_train_list(tmp_path / TRAIN_LIST)


def test_a_training_list_that_repeats_a_video_is_refused(tmp_path):
    (tmp_path / TRAIN_LIST).write_text("\n".join([*TRAIN, TRAIN[1]]))
    with pytest.raises(InputError, match=r"names '.*Normal_Videos001_x264\.mp4' more than once"):
        read_train_list(tmp_path / TRAIN_LIST)


def test_the_real_training_list_has_the_published_counts(shared):
    path = shared / "data/annotations/ucf_crime" / TRAIN_LIST
    names = read_train_list(path)
    assert (len(read_names(path)), len(names), len(set(names))) == (1610, 800, PUBLISHED.videos["train"])


def test_the_real_annotation_has_the_published_counts(shared):
    rows = read_test_list(shared / "data/annotations/ucf_crime" / TEST_LIST)
    assert len(rows) == PUBLISHED.videos["test"] == 290
    assert sum(row.category == "Normal" for row in rows) == 150
    assert sum(len(row.intervals) == 2 for row in rows) == 16
    assert sum(end - start for row in rows for start, end in row.intervals) == 84345
    assert (rows[0].name, rows[0].intervals) == ("Abuse028_x264", [[164, 240]])


def test_the_real_lists_share_no_video(shared):
    folder = shared / "data/annotations/ucf_crime"
    tests = {row.name for row in read_test_list(folder / TEST_LIST)}
    assert tests.isdisjoint(Path(line).stem for line in read_names(folder / TRAIN_LIST))


def test_it_goes_through_check_write_and_verify(root, tmp_path):
    labels = through_the_producer("ucf_crime", root, tmp_path / "out", labels_mismatch="clip")
    assert labels == {
        "test_Abuse028_x264": {"frames": [[2, 5]]},
        "test_Arson011_x264": {"frames": [[0, 4], [8, 12]]},
        "test_Normal_Videos_003_x264": {"frames": []},
    }
