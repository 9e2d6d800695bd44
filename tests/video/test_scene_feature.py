"""The scene feature of a segmentation network: what it must hold, and what it says where something is missing."""

import dataclasses
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from miniature import QUIET, contents, make_folder, settings_of
from safetensors.torch import save_file
from torch import nn

from dist_vad.base.errors import InputError
from dist_vad.data.manifest import Manifest
from dist_vad.data.shardset import ShardSet
from dist_vad.producer.job import write_shards
from dist_vad.producer.plan import make_plans
from dist_vad.producer.verify import verify_set
from dist_vad.settings.data import DataSettings
from dist_vad.settings.scene import SceneSettings
from dist_vad.video.deeplab import load_deeplab
from dist_vad.video.scene_feature import check_scene, scene_feature
from dist_vad.video.segmentation import Segmentation, of_module

CLASSES, FOREGROUND, GRID = 5, [1, 3], 4
MISSING = 'segmentation-models-pytorch is not installed: pip install "dist_vad[scenes]"'


def scene(seed: int, width: int = 720, height: int = 480) -> np.ndarray:
    """A smooth picture of large patches of colour, RGB, uint8 [height, width, 3]."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)


def settings(weights: Path, **changes: Any) -> SceneSettings:
    tiny = {"scene_encoder": "resnet18", "scene_classes": CLASSES, "scene_foreground": FOREGROUND}
    return SceneSettings(scene="deeplabv3plus", scene_weights=str(weights), scene_grid=GRID, **{**tiny, **changes})


# -- settings, without the network


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scene_weights": None}, "data.scene_weights is None"),
        ({"scene_classes": 1}, "data.scene_classes is 1"),
        ({"scene_foreground": None}, "data.scene_foreground is None.*19 classes"),
        ({"scene_foreground": [5]}, "numbers of 0 to 4"),
        ({"scene_foreground": [-1]}, "numbers of 0 to 4"),
        ({"scene_foreground": [0, 1, 2, 3]}, "leaves 2 of the 5 classes"),
        ({"scene_encoder": ""}, "data.scene_encoder"),
        ({"scene_grid": 0}, "data.scene_grid"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes, message):
    good = {"scene": "deeplabv3plus", "scene_weights": "w", "scene_classes": CLASSES, "scene_foreground": FOREGROUND}
    DataSettings(**good)
    with pytest.raises(ValueError, match=message):
        DataSettings(**{**good, **changes})


def test_length_of_the_feature_follows_from_the_settings():
    assert DataSettings().scene_size == 192
    assert DataSettings(scene="deeplabv3plus", scene_weights="w").scene_size == 11 * 64  # Cityscapes without what moves
    assert settings(Path("w")).scene_size == (CLASSES - len(FOREGROUND)) * GRID**2


def test_missing_weights_are_named_with_where_they_were_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "data")
    asked = settings_of(tmp_path / "data", **dataclasses.asdict(settings(Path("no/such.pt"))))
    for call in (lambda: check_scene(asked), lambda: write_shards(asked, tmp_path / "out", QUIET)):
        with pytest.raises(
            InputError, match=f"{tmp_path}/no/such.pt is nothing there.*huggingface.*--scene background"
        ):
            call()
    assert not list(tmp_path.glob("out/*/*.tar"))
    with pytest.raises(InputError, match="is a folder, expected a file"):
        check_scene(settings(tmp_path))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r'pip install "dist_vad\[scenes\]".*--scene background'):
        check_scene(settings(tmp_path / "w.pt"))


def test_moving_weights_leaves_a_set_valid_and_other_weights_or_settings_do_not(tmp_path):
    def fingerprint(**changes):
        return make_plans(settings_of(tmp_path / "data", **changes), tmp_path)[0].fingerprint

    make_folder(tmp_path / "data")
    for name, content in (("here", b"1"), ("there", b"1"), ("other", b"2")):
        (tmp_path / name).write_bytes(content)
    here = dataclasses.asdict(settings(tmp_path / "here"))
    first = fingerprint(**here)
    assert fingerprint(**dataclasses.asdict(settings(tmp_path / "there"))) == first
    assert fingerprint(**dataclasses.asdict(settings(tmp_path / "other"))) != first
    others = [("scene_encoder", "mobilenet_v2"), ("scene_classes", 6), ("scene_foreground", [1]), ("scene_grid", 3)]
    assert len({first, *(fingerprint(**{**here, key: value}) for key, value in others)}) == 5
    # Where the background is the feature, none of that decides anything.
    plain = fingerprint(scene_grid=GRID)
    assert fingerprint(**{**here, "scene": "background"}) == plain != first


# -- the feature, of a stand-in for the network


class Colours(nn.Module):
    """Logits of three classes: how red, green and blue a pixel is."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return 4 * pixels


def test_the_feature_holds_the_classes_by_place():
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, :48, 0], picture[:, 48:, 2] = 255, 255  # red on the left, blue on the right
    feature = Segmentation(of_module(Colours()))(picture, [0, 2], 2).reshape(2, 2, 2)
    assert (feature[0, :, 0] > 0.45).all() and (feature[1, :, 1] > 0.45).all()
    assert (feature[0, :, 1] < 0.05).all() and (feature[1, :, 0] < 0.05).all()


@pytest.mark.parametrize(("width", "height"), [(40, 700), (1920, 300), (17, 17)])
def test_any_shape_of_picture_gives_a_feature(width, height):
    feature = Segmentation(of_module(Colours()))(scene(1, width, height), [0, 1, 2], GRID)
    assert feature.shape == (3 * GRID**2,) and abs(np.linalg.norm(feature) - 1) < 1e-5


def test_the_number_of_threads_changes_no_byte_and_is_left_as_it_was():
    found, before = [], torch.get_num_threads()
    network = Segmentation(of_module(nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 2, 3))))
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(network(scene(1), [0, 1], GRID).tobytes())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert len(set(found)) == 1


def test_weights_that_are_spoilt_are_refused():
    with pytest.raises(InputError, match="not finite"):
        Segmentation(of_module(nn.BatchNorm2d(3, eps=float("nan")).eval()))(scene(1), [0, 1], GRID)


# -- weights files, of a stand-in for the package


@pytest.fixture
def stand_in(monkeypatch):
    """A package whose DeepLabV3Plus has three layers."""

    def make(encoder_name: str, encoder_weights: None, classes: int) -> nn.Module:
        if encoder_name == "unheard_of":
            raise KeyError("Wrong encoder name")
        head = nn.Sequential(nn.Conv2d(6, classes, 1))
        parts = {"encoder": nn.Conv2d(3, 6, 1), "decoder": nn.Identity(), "segmentation_head": head}
        model = nn.ModuleDict(parts)
        model.forward = lambda x: head(parts["encoder"](x))  # pyright: ignore[reportAttributeAccessIssue]
        return model

    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", SimpleNamespace(DeepLabV3Plus=make))
    load_deeplab.cache_clear()
    yield make
    load_deeplab.cache_clear()


def written(path: Path, found: Any) -> Path:
    torch.save(found, path)
    return path


def test_the_layouts_of_published_checkpoints_give_the_same_network(stand_in, tmp_path):
    state = stand_in("any", None, CLASSES).state_dict()
    save_file(state, tmp_path / "plain.safetensors")
    lightning = {f"model.{key}": value for key, value in state.items()} | {
        "std": torch.ones(3),
        "loss.w": torch.ones(1),
    }
    parallel = {f"module.{key}": value for key, value in state.items()}
    files = [
        tmp_path / "plain.safetensors",
        written(tmp_path / "plain.pth", state),
        written(tmp_path / "lightning.ckpt", {"epoch": 3, "state_dict": lightning}),
        written(tmp_path / "parallel.pth", {"model_state": parallel, "best": 0.5}),
        written(tmp_path / "both.pth", {"module." + key: value for key, value in lightning.items()}),
    ]
    features = [scene_feature(settings(path), scene(1)) for path in files]
    assert all(np.array_equal(feature, features[0]) for feature in features)


def test_files_that_do_not_hold_such_weights_are_refused(stand_in, tmp_path):
    state = stand_in("any", None, CLASSES).state_dict()
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.safetensors").write_text("no weights")
    whole = written(tmp_path / "whole.pth", {"model": nn.Conv2d(3, 6, 1)})
    cut = {key: value for key, value in state.items() if "bias" not in key}
    refused = [
        (tmp_path / "text.pth", "is not read"),
        (tmp_path / "empty.pth", "is not read"),
        (tmp_path / "text.safetensors", "is not read"),
        (whole, "a whole model that was pickled is code"),
        (written(tmp_path / "other.pth", {"backbone.conv1.weight": torch.ones(1)}), "it has backbone.conv1.weight"),
        (written(tmp_path / "list.pth", [torch.ones(1)]), "it has no names"),
        (written(tmp_path / "cut.pth", cut), "does not fit.*encoder.bias"),
        (written(tmp_path / "six.pth", stand_in("any", None, 6).state_dict()), "of 6 classes.*scene_classes says 5"),
    ]
    for path, message in refused:
        with pytest.raises(InputError, match=message) as caught:
            check_scene(settings(path))
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="scene_encoder 'unheard_of'"):
        check_scene(settings(written(tmp_path / "good.pth", state), scene_encoder="unheard_of"))


# -- the network itself


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights of a small DeepLabV3Plus, drawn at random, whose classes differ clearly."""
    smp = pytest.importorskip("segmentation_models_pytorch", reason=MISSING)
    torch.manual_seed(0)
    model = smp.DeepLabV3Plus(encoder_name="resnet18", encoder_weights=None, classes=CLASSES)
    pixels = torch.from_numpy(np.stack([scene(seed, 256, 256) for seed in (7, 8)])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None  # plain means over what is seen: without them random layers see only borders
        model.train()
        for _ in range(2):
            model(pixels)
        model.eval()
        spread = model(pixels).std(dim=(0, 2, 3))
        model.segmentation_head[0].weight *= (2 / spread).view(-1, 1, 1, 1)
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(model.state_dict(), path)
    return path


def test_feature_is_a_unit_vector_that_does_not_depend_on_the_resolution(weights):
    asked = settings(weights)
    one = scene_feature(asked, scene(1))
    assert one.shape == (asked.scene_size,) and one.dtype == np.float32 and abs(np.linalg.norm(one) - 1) < 1e-5
    assert np.array_equal(one, scene_feature(asked, scene(1)))
    other = float(np.linalg.norm(one - scene_feature(asked, scene(2))))
    for width, height in ((360, 240), (1080, 720), (900, 600)):
        resized = cv2.resize(scene(1), (width, height), interpolation=cv2.INTER_AREA)
        assert np.linalg.norm(one - scene_feature(asked, resized)) < 0.2 * other
    assert other > 0.05


def test_foreground_classes_have_no_influence(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    for name, masked in (("foreground", FOREGROUND), ("kept", [2])):
        changed = {key: value.clone() for key, value in state.items()}
        changed["segmentation_head.0.weight"][masked] *= -3
        changed["segmentation_head.0.bias"][masked] += 9
        torch.save(changed, tmp_path / f"{name}.pth")
    before = scene_feature(settings(weights), scene(1))
    assert np.allclose(before, scene_feature(settings(tmp_path / "foreground.pth"), scene(1)), atol=1e-6)
    assert not np.allclose(before, scene_feature(settings(tmp_path / "kept.pth"), scene(1)), atol=1e-2)


def test_a_set_is_written_with_it(weights, tmp_path):
    make_folder(tmp_path / "data", train=2)
    asked = settings_of(tmp_path / "data", **dataclasses.asdict(settings(weights)))
    sets = write_shards(asked, tmp_path / "out", QUIET)
    assert [line for folder in sets.values() for line in verify_set(folder)] == []
    manifest = Manifest.load(sets["cube-train"])
    assert manifest.scene_size == asked.scene_size == 3 * GRID**2
    scenes = ShardSet(sets["cube-train"]).read(np.arange(manifest.samples)).scenes
    assert scenes.shape == (manifest.samples, manifest.scene_size)
    assert np.allclose(np.linalg.norm(scenes, axis=1), 1, atol=1e-5)
    before = contents(tmp_path / "out")
    moved = shutil.copy(weights, tmp_path / "moved.pth")
    write_shards(dataclasses.replace(asked, scene_weights=str(moved)), tmp_path / "out", QUIET)
    assert contents(tmp_path / "out") == before
    with pytest.raises(InputError, match="scene was 'deeplabv3plus', now 'background'"):
        write_shards(dataclasses.replace(asked, scene="background"), tmp_path / "out", QUIET)


def test_an_encoder_that_the_package_does_not_have_is_named(weights):
    with pytest.raises(InputError, match=r"data.scene_encoder 'resnet51'"):
        check_scene(settings(weights, scene_encoder="resnet51"))
    with pytest.raises(InputError, match=r"does not fit DeepLabV3Plus.*'mobilenet_v2'"):
        check_scene(settings(weights, scene_encoder="mobilenet_v2"))
