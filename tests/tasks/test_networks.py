"""Detectors that are trained networks: what they find in real video, and what they say where something is missing."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from miniature import make_folder, settings_of

from dist_vad.base.errors import InputError
from dist_vad.producer.plan import make_plans
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors import yolo
from dist_vad.video.detectors.base import Boxes, ObjectDetector
from dist_vad.video.detectors.darknet import DarknetDetector
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.detectors.yolo import YoloDetector
from dist_vad.video.files import FileFrames

# -- what they find


def darknet(shared: Path, **settings: Any) -> DetectorSettings:
    """Settings of the real YOLOv3-tiny."""
    folder = shared / "data/yolov3-tiny"
    files: dict[str, Any] = {"cfg": "yolov3-tiny.cfg", "weights": "yolov3-tiny.weights", "names": "coco.names"}
    files = {key: str(folder / name) for key, name in files.items()}
    return DetectorSettings(name="darknet", **files, **settings)


@pytest.fixture(scope="module")
def walkers(shared) -> list[np.ndarray]:
    """Five frames of a real street with walkers, RGB, uint8 [576, 768, 3]."""
    frames = enumerate(FileFrames(shared / "data/vtest/vtest.avi"))
    return [frame for number, frame in frames if number in (0, 100, 200, 300, 400)]


def people(settings: DetectorSettings, detector: ObjectDetector, frames: list[np.ndarray]) -> float:
    """People per frame; every box must lie within its frame and be of one class."""
    found = FilteredDetector(settings, detector)(list(range(len(frames))), frames)
    for boxes in found:
        assert len(boxes.categories) == len(boxes.values) and boxes.values.dtype == np.float32
        assert boxes.values[:, :2].min() >= 0 and (boxes.values[:, 2:4] <= (768, 576)).all()
        assert (boxes.values[:, 2:4] > boxes.values[:, :2]).all() and boxes.values[:, 4].min() >= 0.25
    return float(np.mean([boxes.categories.count("person") for boxes in found]))


def same(one: Boxes, other: Boxes) -> bool:
    return np.array_equal(one.values, other.values) and one.categories == other.categories


def test_darknet_finds_the_walkers_of_a_real_street(shared, walkers):
    settings = darknet(shared, min_confidence=0.25)
    assert 3 <= people(settings, DarknetDetector(settings), walkers) <= 9


def test_darknet_finds_the_same_in_a_batch_as_one_by_one(shared, walkers):
    detector = DarknetDetector(darknet(shared))
    together = detector(list(range(len(walkers))), walkers)
    assert all(same(boxes, detector([0], [frame])[0]) for boxes, frame in zip(together, walkers))


def test_darknet_finds_each_object_once(shared, walkers):
    few = DarknetDetector(darknet(shared))([0], walkers[:1])[0]
    many = DarknetDetector(darknet(shared, nms=1.0))([0], walkers[:1])[0]
    assert 0 < len(few) < len(many)


def test_ultralytics_finds_the_walkers_and_the_same_in_a_batch_as_one_by_one(shared, walkers):
    for package in ("ultralytics", "openvino"):
        pytest.importorskip(package, reason=f'{package} is not installed: pip install "dist_vad[yolo]"')
    settings = DetectorSettings(name="yolo", weights=str(shared / "data/yolov8n_int8_openvino_model"))
    detector = YoloDetector(settings)
    assert 3 <= people(settings, detector, walkers) <= 9
    together = detector(list(range(len(walkers))), walkers)
    assert all(same(boxes, detector([0], [frame])[0]) for boxes, frame in zip(together, walkers))


class FakeYOLO:
    """Stands for Ultralytics' class: sees a car where the first pixel says, and notes what it was given."""

    names = {0: "person", 2: "car"}  # noqa: RUF012
    task = "detect"

    def __init__(self, path: str, task: str | None) -> None:
        assert Path(path).is_absolute() and Path(path).exists()
        self.given: list[list[np.ndarray]] = []

    def predict(self, pictures, **options):
        if isinstance(pictures, np.ndarray):
            return []
        self.given.append(pictures)
        blue = [float(picture[0, 0, 0]) for picture in pictures]
        box, car = torch.tensor([[0.0, 0, 40, 40]]), torch.tensor([2.0])
        return [SimpleNamespace(boxes=SimpleNamespace(xyxy=box + b, conf=torch.tensor([0.5]), cls=car)) for b in blue]


@pytest.mark.parametrize(("weights", "batches"), [("net.pt", [3]), ("net.onnx", [1, 1, 1])])
def test_ultralytics_is_given_bgr_in_batches_where_the_weights_allow_them(tmp_path, monkeypatch, weights, batches):
    yolo._load.cache_clear()
    monkeypatch.setitem(sys.modules, "ultralytics", SimpleNamespace(YOLO=FakeYOLO))
    (tmp_path / weights).write_bytes(b"")
    detector = YoloDetector(DetectorSettings(name="yolo", weights=str(tmp_path / weights)))
    rgb = [np.full((64, 64, 3), (200, 100, n), np.uint8) for n in range(3)]
    found = detector([4, 5, 6], rgb)
    assert [boxes.values[0, 0] for boxes in found] == [0, 1, 2] and found[0].categories == ["car"]
    assert [len(pictures) for pictures in detector._model.given] == batches
    yolo._load.cache_clear()


# -- their files


def network_files(folder: Path) -> dict[str, Any]:
    """The settings of a Darknet network whose files hold nothing of use."""
    folder.mkdir(exist_ok=True)
    for name in ("cfg", "weights", "names"):
        (folder / f"net.{name}").write_text(f"{name} of nothing\n")
    return {name: str(folder / f"net.{name}") for name in ("cfg", "weights", "names")}


def test_moving_weights_leaves_a_set_valid_and_other_weights_do_not(tmp_path):
    def fingerprint(files):
        detector = DetectorSettings(name="darknet", **files)
        return make_plans(settings_of(tmp_path / "data", detector=detector), tmp_path)[0].fingerprint

    make_folder(tmp_path / "data")
    here = network_files(tmp_path / "here")
    first = fingerprint(here)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = {key: path.replace("here", "there") for key, path in here.items()}
    assert fingerprint(there) == first
    for path in there.values():
        content = Path(path).read_bytes()
        Path(path).write_bytes(content + b"!")
        assert fingerprint(there) != first
        Path(path).write_bytes(content)


def test_every_file_of_a_folder_of_weights_counts(tmp_path):
    def fingerprint():
        detector = DetectorSettings(name="yolo", weights=str(tmp_path / "model"))
        return make_plans(settings_of(tmp_path / "data", detector=detector), tmp_path)[0].fingerprint

    make_folder(tmp_path / "data")
    (tmp_path / "model/parts").mkdir(parents=True)
    found = []
    for content in (b"1", b"2"):
        for name in ("a.bin", "parts/b.xml"):
            (tmp_path / "model" / name).write_bytes(content)
            found.append(fingerprint())
    assert len(set(found)) == 4


@pytest.mark.parametrize("missing", ["cfg", "weights", "names"])
def test_a_missing_file_of_darknet_is_named_with_where_it_was_looked_for(tmp_path, monkeypatch, missing):
    files = {**network_files(tmp_path), missing: f"gone/{missing}.file"}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"{missing} is 'gone/.*{tmp_path}/gone/{missing}\.file.*pjreddie\.com"):
        DarknetDetector(DetectorSettings(name="darknet", **files))


def test_a_network_that_opencv_does_not_read_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"does not read the Darknet network.*must be whole"):
        DarknetDetector(DetectorSettings(name="darknet", **network_files(tmp_path)))


def test_an_opencv_without_darknet_says_which_one_has_it(tmp_path, monkeypatch):
    monkeypatch.delattr(cv2.dnn, "readNetFromDarknet")
    with pytest.raises(InputError, match=r'"opencv-python-headless>=4\.10,<5"'):
        DarknetDetector(DetectorSettings(name="darknet", **network_files(tmp_path)))


def test_weights_that_are_cut_off_are_refused_though_opencv_would_load_them(shared, tmp_path):
    real = darknet(shared)
    assert real.weights and real.cfg
    cut = tmp_path / "cut.weights"
    whole = Path(real.weights).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    assert not cv2.dnn.readNetFromDarknet(real.cfg, str(cut)).empty()
    settings = darknet(shared)
    settings.weights = str(cut)
    with pytest.raises(InputError, match=rf"has {len(whole) // 2} bytes.*weights of {len(whole)} bytes"):
        DarknetDetector(settings)


def test_names_of_another_number_of_classes_are_refused(shared, walkers, tmp_path):
    settings = darknet(shared)
    settings.names = str(tmp_path / "two.names")
    Path(settings.names).write_text("person\ncar\n")
    with pytest.raises(InputError, match=r"two\.names has the names of 2 classes, but the network finds 80"):
        DarknetDetector(settings)([0], walkers[:1])


def test_a_class_that_the_network_does_not_have_is_refused_with_those_it_has(shared):
    with pytest.raises(InputError, match=r"asks for unicorn, which .* does not have; its 80 classes are person"):
        DarknetDetector(darknet(shared, classes=["person", "unicorn"]))


@pytest.mark.parametrize("weights", [None, "mine/best.pt", "exported_openvino_model"])
def test_missing_weights_are_named_and_ultralytics_is_not_asked_to_download_them(tmp_path, monkeypatch, weights):
    monkeypatch.setitem(sys.modules, "ultralytics", None)  # any use of it would be an error of its own
    monkeypatch.chdir(tmp_path)
    looked = tmp_path / (weights or "yolov3u.pt")
    with pytest.raises(InputError, match=rf"nothing at {looked}; .*github\.com/ultralytics/assets"):
        YoloDetector(DetectorSettings(name="yolo", weights=weights))


@pytest.mark.parametrize(("weights", "package"), [("net.pt", "ultralytics"), ("net_openvino_model", "openvino")])
def test_a_missing_package_is_named_with_how_to_install_it_and_its_licence(tmp_path, monkeypatch, weights, package):
    monkeypatch.setitem(sys.modules, "ultralytics", SimpleNamespace(YOLO=FakeYOLO))
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / weights).mkdir()
    with pytest.raises(InputError, match=rf'package {package}; pip install "dist_vad\[yolo\]".*AGPL-3\.0'):
        YoloDetector(DetectorSettings(name="yolo", weights=str(tmp_path / weights)))


def test_weights_that_ultralytics_does_not_load_are_refused(tmp_path, monkeypatch):
    def refuse(path, task):
        raise TypeError("not a model")

    monkeypatch.setitem(sys.modules, "ultralytics", SimpleNamespace(YOLO=refuse))
    (tmp_path / "net.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"does not load .*net\.pt: not a model; expected a \.pt file"):
        YoloDetector(DetectorSettings(name="yolo", weights=str(tmp_path / "net.pt")))
