"""UBnormal: folders of scenes, lists of splits, tracks of anomalous objects; as a data set and as virtual video."""

from collections.abc import Callable
from pathlib import Path

import pytest
from miniature import through_the_producer, write_video

from dist_vad.base.errors import InputError
from dist_vad.data.manifest import Manifest
from dist_vad.datasets.files import read_names
from dist_vad.datasets.ubnormal import PUBLISHED, read_tracks, scene_of, ubnormal, ubnormal_virtual
from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video

LISTS = {
    "normal_training": ["normal_scene_1_scenario1_10", "normal_scene_7_scenario_2_fog"],
    "abnormal_training": ["abnormal_scene_7_scenario_3_smoke"],
    "normal_validation": ["normal_scene_12_scenario_5"],
    "abnormal_validation": ["abnormal_scene_2_scenario_2"],
    "normal_test": ["normal_scene_11_scenario_6_1"],
    "abnormal_test": ["abnormal_scene_1_scenario_1", "abnormal_scene_7_scenario_3_fog"],
}
TRACKS = {
    "abnormal_scene_7_scenario_3_smoke": "4,0,11\n",
    "abnormal_scene_1_scenario_1": "5,2,4\r3,9,10\r5,4,6\r",
    "abnormal_scene_7_scenario_3_fog": "1.200000000000000000e+01,1.0e+00,1.0e+01\r\n\r\n",
}


@pytest.fixture
def root(tmp_path) -> Path:
    """Every listed video of training and test, its tracks, and junk. Lists end without a line end, as published."""
    root = tmp_path / "ubnormal"
    (root / "scripts").mkdir(parents=True)
    for key, names in LISTS.items():
        (root / f"scripts/{key}_video_names.txt").write_text("\n".join(names))
        (root / f"scripts/._{key}_video_names.txt").write_bytes(b"\0junk")
        for name in names if "validation" not in key else []:
            write_mp4(root / scene_of(name) / f"{name}.mp4")
    for name, tracks in TRACKS.items():
        tracks_file(root, name).parent.mkdir()
        tracks_file(root, name).write_bytes(tracks.encode())
    (root / "Scene7/._normal_scene_7_scenario_2_fog.mp4").write_bytes(b"\0junk")
    write_mp4(root / "Scene7/normal_scene_7_scenario_9.mp4")  # in no list
    return root


def write_mp4(path: Path) -> None:
    """A video of 12 frames; an .avi by content, which its name does not change."""
    write_video(path.with_suffix(".avi"), 12)
    path.with_suffix(".avi").rename(path)


def tracks_file(root: Path, name: str) -> Path:
    return root / scene_of(name) / f"{name}_annotations" / f"{name}_tracks.txt"


def videos_at(root: Path, read: Callable = ubnormal, **changes) -> list[Video]:
    return read(DataSettings(dataset="folder", root=str(root), virtual="none", **changes))


def test_normal_training_videos_and_all_test_videos_are_read_past_their_junk(root):
    videos = videos_at(root)
    assert [(v.name, v.split, v.scene, v.source_split) for v in videos] == [
        ("train_normal_scene_1_scenario1_10", "train", "Scene1", "training"),
        ("train_normal_scene_7_scenario_2_fog", "train", "Scene7", "training"),
        ("test_normal_scene_11_scenario_6_1", "test", "Scene11", "test"),
        ("test_abnormal_scene_1_scenario_1", "test", "Scene1", "test"),
        ("test_abnormal_scene_7_scenario_3_fog", "test", "Scene7", "test"),
    ]
    assert [v.name.partition("_")[2] for v in videos] == [v.source_name for v in videos]
    assert [len(v.open()) for v in videos] == [12] * 5


def test_labels_are_the_frames_of_all_tracks_together(root):
    labels = [video.labels for video in videos_at(root)]
    assert labels == [{}, {}, {"frames": []}, {"frames": [[2, 7], [9, 11]]}, {"frames": [[1, 11]]}]


def test_events_are_the_tracks_one_by_one(root):
    events = [[(e.start, e.end) for e in video.events] for video in videos_at(root)]
    assert events == [[], [], [], [(2, 5), (9, 11), (4, 7)], [(1, 11)]]


def test_as_virtual_video_all_training_videos_are_labelled(root):
    videos = videos_at(root, ubnormal_virtual)
    assert [(v.name, v.split, v.labels) for v in videos] == [
        ("virtual_normal_scene_1_scenario1_10", "virtual", {"virtual": []}),
        ("virtual_normal_scene_7_scenario_2_fog", "virtual", {"virtual": []}),
        ("virtual_abnormal_scene_7_scenario_3_smoke", "virtual", {"virtual": [[0, 12]]}),
    ]
    assert [len(v.open()) for v in videos] == [12] * 3


def test_the_identity_changes_with_the_tracks(root):
    before = videos_at(root)[-1].identity
    assert videos_at(root)[-1].identity == before
    tracks_file(root, "abnormal_scene_7_scenario_3_fog").write_text("12,1,9\n")
    assert videos_at(root)[-1].identity != before


@pytest.mark.parametrize("folder", [".", "lists"])
def test_lists_are_found_in_the_root_and_one_level_below(root, folder):
    expected = [video.name for video in videos_at(root)]
    (root / folder).mkdir(exist_ok=True)
    for path in (root / "scripts").iterdir():
        path.rename(root / folder / path.name)
    assert [video.name for video in videos_at(root)] == expected


def test_a_missing_list_is_named(root):
    (root / "scripts/normal_test_video_names.txt").unlink()
    with pytest.raises(InputError, match=r"found no normal_test_video_names\.txt in .*github\.com/lilygeorgescu"):
        videos_at(root)
    assert len(videos_at(root, ubnormal_virtual)) == 3


@pytest.mark.parametrize("read", [ubnormal, ubnormal_virtual])
def test_missing_tracks_of_an_abnormal_video_are_named(root, read):
    name = "abnormal_scene_1_scenario_1" if read is ubnormal else "abnormal_scene_7_scenario_3_smoke"
    tracks_file(root, name).unlink()
    with pytest.raises(InputError, match=rf"has no ground truth: .*{name}_tracks\.txt does not exist; restore it"):
        videos_at(root, read)


def test_videos_that_are_not_there_are_refused_or_left_out(root, logged):
    (root / "Scene1/abnormal_scene_1_scenario_1.mp4").unlink()
    with pytest.raises(
        InputError, match=r"names 2 videos, 1 of them .* abnormal_scene_1_scenario_1; .*labels_mismatch"
    ):
        videos_at(root)
    videos = videos_at(root, labels_mismatch="clip")
    assert len(videos) == 4 and "test_abnormal_scene_1_scenario_1" not in {video.name for video in videos}
    assert "1 of them are not below" in logged.text


@pytest.mark.parametrize("wrong", ["1,5", "1,5,9,2", "1,9,5", "1,-1,5", "1,2.5,5", "one,2,5", "1,nan,5", "1,2,inf"])
def test_a_line_of_tracks_that_makes_no_sense_is_named(tmp_path, wrong):
    (tmp_path / "a_tracks.txt").write_text(f"1,2,3\n{wrong}\n")
    with pytest.raises(InputError, match=rf"a_tracks\.txt, line 2: found '{wrong}', expected `id,start,end`"):
        read_tracks(tmp_path / "a_tracks.txt")


def test_tracks_without_a_line_are_refused(tmp_path):
    (tmp_path / "a_tracks.txt").write_text("\r\n")
    with pytest.raises(InputError, match=r"a_tracks\.txt is empty, expected a line `id,start,end`"):
        read_tracks(tmp_path / "a_tracks.txt")


def test_a_listed_name_that_tells_no_scene_is_named(root):
    (root / "scripts/normal_test_video_names.txt").write_text("scene_3_scenario_1")
    with pytest.raises(InputError, match=r"found a video named 'scene_3_scenario_1', expected normal_scene_1_"):
        videos_at(root)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_the_data_set_says_what_was_expected(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"does not exist|holds no folder Scene1, Scene2, .*expected Scene1/normal_"):
        videos_at(tmp_path / name)


def real_names(shared: Path) -> dict[str, list[str]]:
    return {key: read_names(shared / f"data/annotations/ubnormal/{key}_video_names.txt") for key in LISTS}


def test_the_real_lists_have_the_published_counts(shared):
    counts = {key: len(names) for key, names in real_names(shared).items()}
    assert counts == {
        "normal_training": 186,
        "abnormal_training": 82,
        "normal_validation": 26,
        "abnormal_validation": 38,
        "normal_test": 53,
        "abnormal_test": 158,
    }
    assert PUBLISHED.videos == {"train": 186, "test": 53 + 158}


def test_the_real_lists_name_each_video_once_and_all_29_scenes(shared):
    names = [name for some in real_names(shared).values() for name in some]
    assert len(set(names)) == len(names) == 543
    assert {scene_of(name) for name in names} == {f"Scene{number}" for number in range(1, 30)}
    assert all(name.startswith(key.partition("_")[0]) for key, some in real_names(shared).items() for name in some)


def test_it_goes_through_check_write_and_verify(root, tmp_path):
    virtual = {"virtual": "ubnormal", "virtual_root": str(root), "virtual_stride": 2}
    assert through_the_producer("ubnormal", root, tmp_path / "out", **virtual) == {
        "test_normal_scene_11_scenario_6_1": {"frames": []},
        "test_abnormal_scene_1_scenario_1": {"frames": [[2, 7], [9, 11]]},
        "test_abnormal_scene_7_scenario_3_fog": {"frames": [[1, 11]]},
    }
    made = Manifest.load(tmp_path / "out/virtual-train")
    assert made.video("virtual_abnormal_scene_7_scenario_3_smoke").labels == {"virtual": [[0, 12]]}
