"""What is wrong with settings, videos or labels is named, and what was finished before is kept."""

import dataclasses
import json
import sys
from pathlib import Path

import cv2
import pytest
from miniature import QUIET, make_folder, settings_of, write_pictures

from dist_vad.base.errors import InputError
from dist_vad.cli.write import main
from dist_vad.data.manifest import Manifest
from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DataSettings:
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def written(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shards")
    write_shards(dataset, out, QUIET)
    return out


def run_write(monkeypatch, capfd, *arguments: str) -> tuple[int, str]:
    """Exit status and last line of stderr of `dist-vad shards write ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["write.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capfd.readouterr().err
    assert "Traceback" not in error
    return int(stopped.value.code or 0), error[error.rindex("error:") :]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nonsense", "3"], ["nonsense"]),
        (["--detector.nonsense", "3"], ["nonsense"]),
        (["--cube_size", "big"], ["cube_size", "big", "whole number"]),
        (["--codec", "gif"], ["codec", "gif", "jpeg"]),
        (["--cube_size", "17"], ["cube_size", "17", "multiple of 8"]),
        (["--clip_length", "8"], ["clip_length", "8", "odd"]),
        (["--dataset", "folder"], ["root", "None", "folder"]),
    ],
)
def test_a_wrong_key_type_or_value_is_named_and_nothing_starts(monkeypatch, capfd, tmp_path, arguments, named):
    status, message = run_write(monkeypatch, capfd, *arguments, "--out", str(tmp_path / "out"))
    assert status != 0 and all(word in message for word in named), message
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_in_a_file_is_named(monkeypatch, capfd, tmp_path):
    (tmp_path / "data.yaml").write_text("dataset: plaza\nstirde: 2\n")
    status, message = run_write(monkeypatch, capfd, "--config", str(tmp_path / "data.yaml"), "--out", str(tmp_path))
    assert status != 0 and "stirde" in message


@pytest.fixture
def broken(tmp_path, written) -> Path:
    """A picture that does not decode, in the middle of a training video of a data set like `written`'s."""
    make_folder(tmp_path / "data")
    name = Manifest.load(written / "cube-train").videos[-1].name.removeprefix("train_")
    path = tmp_path / f"data/train/{name}/012.png"
    path.write_bytes(path.read_bytes()[:-200])
    return path


def test_a_picture_that_does_not_decode_ends_with_one_message_and_keeps_finished_videos(
    monkeypatch, capfd, tmp_path, written, broken
):
    (tmp_path / "data.yaml").write_text(json.dumps(dataclasses.asdict(settings_of(tmp_path / "data"))))
    arguments = ["--config", str(tmp_path / "data.yaml"), "--out", str(tmp_path / "out")]
    status, message = run_write(monkeypatch, capfd, *arguments)
    assert status == 2 and str(broken) in message and "frame 12" in message and "--on_error skip" in message
    assert not (tmp_path / "out/cube-train/manifest.json").exists() and not list((tmp_path / "out").rglob("*.partial"))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.tar")}
    broken.write_bytes((broken.parent / "011.png").read_bytes())
    monkeypatch.setattr(sys, "argv", ["write.py", *arguments])
    main()
    assert Manifest.load(tmp_path / "out/cube-train").failed == {}
    assert kept and all(path.stat().st_mtime_ns == time for path, time in kept.items()), "written a second time"


def test_a_video_that_fails_can_be_skipped_and_the_manifest_says_so(tmp_path, written, broken):
    skip = dataclasses.replace(QUIET, on_error="skip")
    sets = write_shards(settings_of(tmp_path / "data"), tmp_path / "out", skip)
    found, whole = Manifest.load(sets["cube-train"]), Manifest.load(written / "cube-train")
    assert list(found.failed) == [whole.videos[-1].name] and "012.png" in found.failed[whole.videos[-1].name]
    assert found.videos == whole.videos[:-1]
    assert [shard.sha256 for shard in found.shards] == [s.sha256 for s in whole.shards if s.video not in found.failed]


def test_a_video_that_does_not_open_stops_the_job_before_anything_is_written(tmp_path, broken):
    (broken.parent / "000.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"1 of the videos failed(?s:.)*000\.png"):
        write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    assert not list((tmp_path / "out").rglob("*.tar"))


def test_a_jpeg_that_is_cut_off_is_refused_though_opencv_would_fill_it_with_grey(tmp_path):
    write_pictures(tmp_path / "data/train/a", 12, "{:03d}.jpg")
    write_pictures(tmp_path / "data/train/b", 12, "{:03d}.jpg")
    for name in "ab":
        path = tmp_path / f"data/train/{name}/005.jpg"
        path.write_bytes(path.read_bytes()[:-100])
        assert cv2.imread(str(path)) is not None
    with pytest.raises(InputError, match=r"005\.jpg, frame 5 of its video, is cut off"):
        write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)


def test_labels_past_the_end_are_refused_before_anything_is_written_or_cut_on_demand(tmp_path):
    make_folder(tmp_path / "data")
    (tmp_path / "labels.json").write_text(json.dumps({"b_0": [[3, 5], [20, 26], [30, 31]]}))
    long = settings_of(tmp_path / "data", labels=str(tmp_path / "labels.json"))
    with pytest.raises(InputError, match=r"'test_b_0': 24 frames decoded.*labels_mismatch clip"):
        write_shards(long, tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()
    clipped = dataclasses.replace(long, labels_mismatch="clip")
    sets = write_shards(clipped, tmp_path / "out", QUIET)
    assert Manifest.load(sets["cube-test"]).videos[0].labels == {"frames": [[3, 6], [20, 24]]}


@pytest.mark.parametrize("spoken", [20, 30])
def test_labels_of_another_length_than_the_video_are_refused(dataset, monkeypatch, tmp_path, spoken):
    from dist_vad.producer import plan

    videos = [dataclasses.replace(video, labelled_frames=spoken) for video in plan.open_dataset(dataset)]
    monkeypatch.setattr(plan, "open_dataset", lambda settings: videos)
    with pytest.raises(InputError, match=f"24 frames decoded, but its labels are of {spoken}"):
        write_shards(dataset, tmp_path, QUIET)


def test_a_split_without_a_sample_is_refused_with_what_to_look_at(dataset, tmp_path):
    blind = dataclasses.replace(dataset, detector=dataclasses.replace(dataset.detector, min_size=60))
    with pytest.raises(InputError, match=r"cube-train: not one sample in 3 videos.*data\.detector \(threshold"):
        write_shards(blind, tmp_path, QUIET)


def test_a_single_training_video_is_too_few_to_hold_one_out(tmp_path):
    given = make_folder(tmp_path / "data", train=1)
    with pytest.raises(InputError, match="training split has 1 video of 24 frames; 2 videos"):
        write_shards(given, tmp_path / "out", QUIET)
