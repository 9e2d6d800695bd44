"""Data sets of links: folders and files that are linked are followed, links to nothing are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from launching import called
from miniature import QUIET, settings_of, write_pictures

from dist_vad.base.errors import InputError
from dist_vad.cli.main import main
from dist_vad.curriculum.state import read_state, save_state
from dist_vad.data.manifest import Manifest
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.datasets import open_dataset
from dist_vad.datasets.ucf_crime import TEST_LIST, TRAIN_LIST
from dist_vad.judge.annotations import ANNOTATIONS
from dist_vad.producer.job import write_shards
from dist_vad.producer.verify import verify_set
from dist_vad.settings.data import DataSettings

pytestmark = pytest.mark.kind(12)

UBNORMAL = "scripts/{}_video_names.txt"
TREES: dict[str, dict[str, str | None]] = {
    "folder": {"train/a_0.avi": "x", "train/a_1/0.png": "x", "test/b_0.avi": "x"},
    "ucf_crime": {
        TRAIN_LIST: "Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4",
        TEST_LIST: "Abuse028_x264.mp4 Abuse 3 9 -1 -1\nNormal_Videos_003_x264.mp4 Normal -1 -1 -1 -1",
        "Training_Normal/Normal_Videos001_x264.mp4": "x", "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4": "x",
        "Testing_Normal/Normal_Videos_003_x264.mp4": "x",
    },
    "shanghaitech": {
        "training/videos/01_001.avi": "x", "testing/frames/01_0014/000.jpg": "x", "testing/test_frame_mask/01_0014.npy": None,
    },
    "avenue": {"training_videos/01.avi": "x", "testing_videos/01.avi": "x"},
    "nwpu_campus": {"videos/Train/D001_03.avi": "x", "videos/Test/D001_04.avi": "x"},
    "ubnormal": {
        UBNORMAL.format("normal_training"): "normal_scene_1_scenario_1", UBNORMAL.format("normal_test"): "normal_scene_2_scenario_1",
        UBNORMAL.format("abnormal_test"): "abnormal_scene_2_scenario_4",
        "Scene1/normal_scene_1_scenario_1.mp4": "x", "Scene2/normal_scene_2_scenario_1.mp4": "x",
        "Scene2/abnormal_scene_2_scenario_4.mp4": "x",
        "Scene2/abnormal_scene_2_scenario_4_annotations/abnormal_scene_2_scenario_4_tracks.txt": "1,2,5",
    },
    "ucsd": {"training/frames/01/000.jpg": "x", "testing/frames/01/000.jpg": "x"},
}  # fmt: skip
"""Data set -> its files, as far as a listing looks at them; None = an array of labels."""


def plant(dataset: str, root: Path) -> Path:
    for name, text in TREES[dataset].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            np.save(path, np.array([0, 1, 1]))
        else:
            path.write_text(text)
    return root


def listing(dataset: str, root: Path) -> list[tuple[str, str, dict]]:
    return [(v.name, v.identity, dict(v.labels)) for v in open_dataset(settings_of(root, dataset=dataset))]


LINKED = [
    ("folder", "train"), ("folder", "test"), ("folder", "train/a_0.avi"), ("folder", "train/a_1"), ("folder", "train/a_1/0.png"),
    ("ucf_crime", "Anomaly-Videos-Part-1/Abuse"), ("ucf_crime", "Anomaly-Videos-Part-1"), ("ucf_crime", "Training_Normal"),
    ("ucf_crime", "Testing_Normal/Normal_Videos_003_x264.mp4"), ("ucf_crime", TEST_LIST),
    ("shanghaitech", "training/videos"), ("shanghaitech", "testing"), ("shanghaitech", "testing/frames/01_0014"),
    ("shanghaitech", "testing/test_frame_mask"), ("avenue", "training_videos"), ("avenue", "testing_videos/01.avi"),
    ("nwpu_campus", "videos"), ("nwpu_campus", "videos/Train"), ("nwpu_campus", "videos/Test/D001_04.avi"),
    ("ubnormal", "Scene2"), ("ubnormal", "scripts"), ("ucsd", "training"), ("ucsd", "testing/frames/01"),
]  # fmt: skip


def to_link(path: Path, target: Path) -> None:
    """Move a file or folder elsewhere, and leave a link in its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize(("dataset", "place"), LINKED)
def test_a_data_set_of_links_is_the_data_set(dataset, place, tmp_path):
    root = plant(dataset, tmp_path / "ped2")
    expected = listing(dataset, root)
    to_link(root / place, tmp_path / "elsewhere" / Path(place).name)
    assert listing(dataset, root) == expected and expected


@pytest.mark.parametrize(("dataset", "place"), LINKED)
def test_a_link_to_nothing_is_named_or_what_it_stood_for_is_missed(dataset, place, tmp_path):
    root = plant(dataset, tmp_path / "ped2")
    to_link(root / place, tmp_path / "elsewhere" / Path(place).name)
    (tmp_path / "elsewhere").rename(tmp_path / "gone")
    with pytest.raises(InputError) as refused:
        listing(dataset, root)
    assert Path(place).name.split(".")[0] in str(refused.value) or str(root) in str(refused.value)


ANNOTATED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "ucsd": ("truth/UCSDped2.m", lambda path: path.write_text("TestVideoFile{end+1}.gt_frame = [3:5];")),
    "ucf_crime": (f"lists/{TEST_LIST}", lambda path: path.write_text("Abuse028_x264.mp4 Abuse 3 9 -1 -1")),
    "shanghaitech": ("masks/01_0014.npy", lambda path: np.save(path, np.array([0, 1, 1]))),
}  # fmt: skip


@pytest.mark.parametrize("dataset", ANNOTATED)
def test_annotations_in_a_linked_folder_are_found_by_the_judge(dataset, tmp_path):
    name, write = ANNOTATED[dataset]
    (tmp_path / "there").mkdir()
    write(tmp_path / "there" / Path(name).name)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / Path(name).parent).symlink_to(tmp_path / "there")
    settings = DataSettings(dataset=dataset, root=str(tmp_path / "root"), virtual="none")
    assert len(ANNOTATIONS[dataset](settings)) == 1


def test_a_circle_of_links_ends(tmp_path):
    root = plant("ucf_crime", tmp_path / "ucf")
    expected = listing("ucf_crime", root)
    (root / "Anomaly-Videos-Part-1/Abuse/again").symlink_to(root)
    assert listing("ucf_crime", root) == expected


@pytest.mark.parametrize("what", ["the folder of all sets", "a set", "a tar", "an index", "the manifest"])
def test_shards_behind_links_read_and_verify(what, tiny_sets, tmp_path):
    name = {"the folder of all sets": "", "a set": "cube-train", "the manifest": "cube-train/manifest.json"}.get(what)
    shard = Manifest.load(tiny_sets / "cube-train").shards[0].name
    name = {"a tar": f"cube-train/{shard}.tar", "an index": f"cube-train/{shard}.idx"}.get(what, name)
    sets = tmp_path / "sets"
    shutil.copytree(tiny_sets, sets)
    to_link(sets / (name or ""), tmp_path / "elsewhere/x")
    shards = ShardSet(sets / "cube-train")
    assert verify_set(sets / "cube-train") == [] and shards.read(np.arange(2)).clips.any()


@pytest.mark.parametrize("suffix", ["tar", "idx"])
def test_a_shard_that_is_a_link_to_nothing_is_missing(suffix, tiny_sets, tmp_path):
    shutil.copytree(tiny_sets / "cube-train", tmp_path / "set")
    shard = Manifest.load(tmp_path / "set").shards[0].name
    (tmp_path / f"set/{shard}.{suffix}").unlink()
    (tmp_path / f"set/{shard}.{suffix}").symlink_to("/no/such")
    assert [line for line in verify_set(tmp_path / "set") if f"{shard}.{suffix}: missing" in line]
    with pytest.raises((InputError, FileNotFoundError), match=shard):
        ShardSet(tmp_path / "set").read(np.arange(2))


def test_a_linked_state_is_a_state_and_one_that_is_gone_is_none(tmp_path):
    facts = {"key": "k", "stage": "s", "lineage": [], "tasks": [], "recipe": {}, "metrics": {}}
    save_state(tmp_path / "there/x", {}, **facts)
    (tmp_path / "states").mkdir()
    (tmp_path / "states/x").symlink_to(tmp_path / "there/x")
    assert read_state(tmp_path / "states/x").load() == {}
    (tmp_path / "there/x").rename(tmp_path / "there/y")
    with pytest.raises(InputError, match="no state at"):
        read_state(tmp_path / "states/x")


def test_shards_are_written_into_a_linked_folder(tmp_path):
    for number in range(2):
        write_pictures(tmp_path / f"data/train/a_{number}", 12, tint=number)
    write_pictures(tmp_path / "data/test/b", 12)
    (tmp_path / "big").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big")
    write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    assert (tmp_path / "big/cube-test/manifest.json").is_file() and (tmp_path / "out").is_symlink()
    assert open_store(tmp_path / "out").child("cube-test").size("manifest.json")


def test_links_that_lead_back_to_themselves_are_named_by_every_command(tmp_path, monkeypatch, capfd):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    loop = str(tmp_path / "loop")
    for command, *arguments in (
        ("score", "video.avi", "--state", loop),
        ("shards", "write", "--out", loop),
        ("judge", "demo", "--out", loop),
    ):
        status, _, told = called(main, monkeypatch, capfd, command, *arguments)
        assert status != 0 and "loop" in told.lower(), (command, told)
