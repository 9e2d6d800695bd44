"""What is asked for is done, or refused, or it is said that nothing reads it."""

import dataclasses
import importlib
from types import SimpleNamespace

import pytest
from launching import called
from miniature import write_pictures

from dist_vad.base.errors import InputError
from dist_vad.cli.score import check_outputs
from dist_vad.inference.video_scorer import _detector_settings
from dist_vad.judge.annotations import read_folder
from dist_vad.settings.data import DataSettings, PlazaSettings, unused
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.video import VideoSettings

pytestmark = pytest.mark.kind(5)

UNREAD = {
    "all is read": (DataSettings(), []),
    "boxes, but motion": (DataSettings(detector=DetectorSettings(boxes="b.json")), ["detector.boxes"]),
    "weights and cfg, but motion": (DataSettings(detector=DetectorSettings(weights="w", cfg="c")), ["detector.weights", "detector.cfg"]),
    "a size of the network, but motion": (DataSettings(detector=DetectorSettings(input_size=640)), ["detector.input_size"]),
    "names, but yolo": (DataSettings(detector=DetectorSettings(name="yolo", names="n")), ["detector.names"]),
    "boxes that are read": (DataSettings(detector=DetectorSettings(name="boxes", boxes="b.json")), []),
    "a root, but plaza": (DataSettings(root="mine"), ["data.root is 'mine'"]),
    "labels, but Avenue": (DataSettings(dataset="avenue", root="r", labels="l.json"), ["data.labels is 'l.json'"]),
    "labels that are read": (DataSettings(dataset="folder", root="r", labels="l.json"), []),
    "UBnormal's root, but plaza": (DataSettings(virtual_root="u"), ["data.virtual_root is 'u'"]),
    "UBnormal's root that is read": (DataSettings(virtual="ubnormal", virtual_root="u"), []),
    "frames of plaza, but nothing is generated": (
        DataSettings(dataset="folder", root="r", virtual="none", plaza=PlazaSettings(frames=90)), ["data.plaza"]
    ),
    "frames of plaza that is generated beside": (DataSettings(dataset="folder", root="r", plaza=PlazaSettings(frames=90)), []),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREAD)
def test_a_setting_that_nothing_reads_is_said(case):
    data, expected = UNREAD[case]
    told = unused(data, ["data.plaza.frames"])
    assert [part in line for part, line in zip(expected, told, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize("asked", [["dataset", "root", "virtual"], ["data.dataset", "data.root", "data.virtual"]])
def test_what_the_default_configuration_says_is_no_request(asked):
    data = DataSettings(dataset="folder", root="r", virtual="none", plaza=PlazaSettings(frames=90))
    assert unused(data, asked) == []


MOTION, BOXES = DataSettings(), DataSettings(detector=DetectorSettings(name="boxes", boxes="b.json"))
DETECTORS = {
    "a word for a number": (MOTION, {"threshold": "hello"}, "detector.threshold is 'hello'; allowed: a whole number"),
    "a list for a number": (MOTION, {"min_size": [1]}, r"detector.min_size is .*1.*; allowed: a whole number"),
    "a word for a list": (MOTION, {"name": "yolo", "classes": "person"}, "detector.classes is 'person'; allowed: a list"),
    "an unknown key": (MOTION, {"treshold": 3}, "treshold is no setting"),
    "out of range": (MOTION, {"threshold": 0}, "detector.threshold is 0; allowed: 1 to 254"),
    "an unknown detector": (MOTION, {"name": "yolov8"}, "detector.name is 'yolov8'; allowed: boxes"),
    "boxes without the detector that reads them": (MOTION, {"boxes": "b.json"}, "detector.boxes is 'b.json', which the detector `motion`"),
    "weights of another detector": (BOXES, {"boxes": "c.json", "weights": "w"}, "detector.weights is 'w', which the detector `boxes`"),
    "boxes of other videos": (BOXES, {}, "cut around boxes read from a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", DETECTORS)
def test_a_detector_that_is_asked_for_is_that_one_or_refused(case):
    data, given, message = DETECTORS[case]
    with pytest.raises(InputError, match=message):
        _detector_settings(data, VideoSettings(detector=given))


def test_what_a_user_changes_of_a_detector_holds_and_the_rest_stays():
    data = DataSettings(detector=DetectorSettings(threshold=30, min_size=12))
    chosen = _detector_settings(data, VideoSettings(detector={"threshold": 40}))
    assert chosen == dataclasses.replace(data.detector, threshold=40)
    assert _detector_settings(BOXES, VideoSettings(detector={"name": "motion"})) == DetectorSettings()


@pytest.mark.kind(4)
@pytest.mark.parametrize("place", ["taken", "taken/deep", "./taken"])
def test_a_file_where_the_folder_of_scores_is_to_be_is_named(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match=r"--out is .*taken.*, but .*/taken is a file; give another folder"):
        check_outputs([tmp_path.joinpath(place) / "x.mp4"], ["x.mp4"], tmp_path / "state")


JUDGED = {
    "its own file": ("judge.json", ".", "would put judge.json over"),
    "the folder of the scores": ("scores", "scores", "over, or among, the scores of scores"),
    "a file": ("a.npy", "a.npy", "a.npy is a file; give another folder"),
    "a folder of that name": ("a.npy", "taken", "judge.json is a folder"),
}


@pytest.mark.kind(4)
@pytest.mark.parametrize("case", JUDGED)
def test_a_judgement_is_not_written_over_the_scores(case, monkeypatch, capfd, tmp_path):
    scores, out, message = JUDGED[case]
    monkeypatch.chdir(tmp_path)
    for name in ("scores", "taken/judge.json"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("judge.json", "a.npy", "scores/b_0.npy"):
        (tmp_path / name).write_bytes(b"mine")
    main = importlib.import_module("dist_vad.cli.judge").main
    status, _, error = called(main, monkeypatch, capfd, scores, "--dataset", "folder", "--root", ".", "--out", out)
    assert status == 2 and message in error, error
    assert (tmp_path / "judge.json").read_bytes() == b"mine"


@pytest.mark.parametrize("step", ["3", "1000000"])
def test_a_step_that_no_stage_has_is_refused(step, tiny_sets, monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module("dist_vad.cli.explain").main
    arguments = ["--shards", str(tiny_sets), "--curriculum", "pre", "--stage.steps", "3", "--step", step]
    status, _, error = called(main, monkeypatch, capfd, *arguments)
    assert status == 2 and f"--step is {step}; allowed: 0 to 2" in error, error


LABELS = {
    "frames": (b'{"b_0": [[2, 4]]}', [[2, 5]]),
    "a mark of their encoding": (b'\xef\xbb\xbf{"b_0": [[2, 4]]}', [[2, 5]]),
    "UTF-16": ('{"b_0": [[2, 4]]}'.encode("utf-16"), [[2, 5]]),
    "the ending of the file": (b'{"b_0.mp4": [[2, 4]]}', [[2, 5]]),
    "seconds": (b'{"b_0": [[0.2, 0.45]]}', "multiply seconds"),
    "no interval": (b'{"b_0": [2, 4]}', "an interval"),
    "null": (b"null", "does not read"),
}


@pytest.mark.kind(13)
@pytest.mark.parametrize("case", LABELS)
def test_the_judge_reads_labels_as_the_producer_does(case, tmp_path):
    content, expected = LABELS[case]
    (tmp_path / "labels.json").write_bytes(content)
    write_pictures(tmp_path / "test/b_0", 9)
    settings = SimpleNamespace(labels=str(tmp_path / "labels.json"), root=str(tmp_path))
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            read_folder(settings)  # pyright: ignore[reportArgumentType]
    else:
        videos = read_folder(settings)  # pyright: ignore[reportArgumentType]
        assert [video.labels for video in videos] == [{"frames": expected}]
