"""The scene feature of an exported segmentation network, whatever it was exported to and whatever it gives."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from dist_vad.base.errors import InputError
from dist_vad.settings.scene import SceneSettings
from dist_vad.video.scene_feature import check_scene, scene_feature
from dist_vad.video.segmentation import Segmentation, of_module

GRID = 4
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")


def settings(weights: Path, **changes: Any) -> SceneSettings:
    asked: dict[str, Any] = {"scene_classes": 3, "scene_foreground": [], "scene_grid": GRID, **changes}
    return SceneSettings(scene="segmentation", scene_weights=str(weights), **asked)


@pytest.fixture
def picture() -> np.ndarray:
    """Large patches of colour, RGB."""
    patches = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    return cv2.resize(patches, (320, 240), interpolation=cv2.INTER_CUBIC)


class Colours(nn.Module):
    """Three classes: how red, green and blue a pixel is, said in one of the ways that networks have."""

    def __init__(self, says: str) -> None:
        super().__init__()
        self.says = says

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits = 4 * pixels
        if self.says == "map":
            return logits.argmax(dim=1)
        if self.says == "map with a channel":
            return logits.argmax(dim=1, keepdim=True)
        if self.says == "probabilities":
            return logits.softmax(dim=1)
        if self.says == "channels last":
            return logits.permute(0, 2, 3, 1)
        return logits.sum(dim=1) if self.says == "no classes" else logits


def torchscript(folder: Path, says: str = "logits", suffix: str = ".pt") -> Path:
    path = folder / f"{says.replace(' ', '_')}{suffix}"
    torch.jit.save(torch.jit.trace(Colours(says), torch.rand(1, 3, 16, 16)), str(path))
    return path


def torch_export(folder: Path) -> Path:
    """For pictures of any size."""
    sides = {"pixels": {2: torch.export.Dim("h", min=16, max=4096), 3: torch.export.Dim("w", min=16, max=4096)}}
    pixels = torch.rand(1, 3, 32, 48)
    torch.export.save(torch.export.export(Colours("logits"), (pixels,), dynamic_shapes=sides), folder / "net.pt2")
    return folder / "net.pt2"


def onnx_file(folder: Path, shape: list[Any], bytewise: bool = False) -> Path:
    """Logits 4 x pixels; of bytes, 4 x them as floats."""
    kind = TensorProto.UINT8 if bytewise else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "four"], ["logits"]),
    ]
    four = helper.make_tensor("four", TensorProto.FLOAT, [], [4.0])
    inputs = [helper.make_tensor_value_info("pixels", kind, shape)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "colours", inputs, outputs, [four])
    path = folder / "colours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("says", ["logits", "probabilities", "channels last"])
def test_a_torchscript_file_is_the_network_that_was_exported(tmp_path, picture, says):
    expected = Segmentation(of_module(Colours("logits")))(picture, [0, 1, 2], GRID)
    assert np.allclose(scene_feature(settings(torchscript(tmp_path, says)), picture), expected, atol=1e-5)


def test_a_file_of_torch_export_is_the_network_that_was_exported(tmp_path, picture):
    expected = Segmentation(of_module(Colours("logits")))(picture, [0, 1, 2], GRID)
    assert np.allclose(scene_feature(settings(torch_export(tmp_path)), picture), expected, atol=1e-5)


@pytest.mark.parametrize("says", ["map", "map with a channel"])
def test_a_map_of_classes_is_their_shares_by_place(tmp_path, says):
    halves = np.zeros((64, 96, 3), np.uint8)
    halves[:, :48, 0], halves[:, 48:, 2] = 255, 255  # red on the left, blue on the right
    feature = scene_feature(settings(torchscript(tmp_path, says), scene_grid=2), halves).reshape(3, 2, 2)
    assert np.allclose(feature[0], [[0.5, 0], [0.5, 0]], atol=1e-5) and np.allclose(feature[1], 0, atol=1e-5)
    assert np.allclose(feature[2], [[0, 0.5], [0, 0.5]], atol=1e-5)


@pytest.mark.parametrize("shape", [[1, 3, 64, 96], [1, 64, 96, 3], [1, 3, "h", "w"], [1, "h", "w", 3]])
def test_openvino_reads_a_network_whatever_order_and_size_it_wants(tmp_path, picture, shape):
    small = cv2.resize(picture, (96, 64), interpolation=cv2.INTER_AREA)
    expected = Segmentation(of_module(Colours("logits")))(small, [0, 1, 2], GRID)
    found = scene_feature(settings(onnx_file(tmp_path, shape)), small)
    assert np.allclose(found, expected, atol=0.02)  # of a fixed size, the picture is not enlarged first


def test_a_network_of_bytes_gets_bytes(tmp_path):
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 0] = 2
    shares = scene_feature(settings(onnx_file(tmp_path, [1, 3, 64, 96], bytewise=True)), red).reshape(3, -1)[:, 0]
    assert np.allclose(shares / shares.sum(), torch.tensor([8.0, 0, 0]).softmax(0), atol=1e-4)


@pytest.mark.parametrize(("pixels", "red"), [("unit", 4.0), ("bytes", 4.0 * 255)])
def test_a_network_of_floats_gets_the_pixels_that_the_settings_name(tmp_path, pixels, red):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 0] = 255
    found = scene_feature(settings(torchscript(tmp_path), scene_pixels=pixels), picture).reshape(3, -1)[:, 0]
    assert np.allclose(found / found.sum(), torch.tensor([red, 0, 0]).softmax(0), atol=1e-4)


@pytest.mark.parametrize(
    "name", ["net.pt", "net.pt2", "net.ts", "net.torchscript", "net.onnx", "net.xml", "net.tflite"]
)
@pytest.mark.parametrize("content", [b"", b"no network", bytes(range(256)) * 8])
def test_a_file_that_is_no_network_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{tmp_path / name} is not read"):
        check_scene(settings(tmp_path / name))


def test_a_network_that_does_not_fit_is_refused_with_what_it_gives(tmp_path):
    (tmp_path / "net.bin").write_bytes(b"")
    refused = [
        (settings(tmp_path / "net.bin"), "expected an exported network: .pt"),
        (settings(torchscript(tmp_path, "no classes")), r"gives \[1, .*expected logits"),
        (settings(torchscript(tmp_path), scene_classes=5), r"data.scene_classes says 5"),
        (settings(onnx_file(tmp_path, [1, 4, 64, 96])), "takes .*expected one picture"),
    ]
    for asked, message in refused:
        with pytest.raises(InputError, match=message):
            check_scene(asked)


def test_a_class_that_the_settings_do_not_know_is_refused(tmp_path, picture):
    asked = settings(torchscript(tmp_path, "map"), scene_classes=2)
    with pytest.raises(InputError, match=r"gives class 2; data\.scene_classes is 2:"):
        scene_feature(asked, picture)


def test_a_published_network_tells_rooms_from_streets(shared):
    """DeepLabV3 on MobileNetV2, ADE20K: a map of 32 classes, 13 = person, 21 = car."""
    weights = shared / "data/segmentation/deeplabv3_mnv2_ade20k_uint8.tflite"
    asked = settings(weights, scene_classes=32, scene_foreground=[13, 21])

    def feature(clip: str) -> np.ndarray:
        there, frame = cv2.VideoCapture(str(next((shared / "data/scenes11/train").glob(clip)))).read()
        assert there
        return scene_feature(asked, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))

    coffee, other_coffee, ped1 = feature("coffee_15*"), feature("coffee_45*"), feature("ped1_05*")
    assert coffee @ other_coffee > 0.7 > 0.4 > coffee @ ped1
