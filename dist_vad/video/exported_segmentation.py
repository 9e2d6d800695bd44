"""Any exported segmentation network as that of the scene feature: TorchScript, torch.export, ONNX, OpenVINO, TFLite.

A network says by its input what it wants: RGB [1, 3, H, W] or [1, H, W, 3], of bytes or floats, of a fixed size or any.
What it gives may be logits or probabilities of the classes, [1, classes, h, w] or [1, h, w, classes], or a map of their
numbers, [1, h, w]; of several outputs the first one counts.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from dist_vad.base.errors import InputError
from dist_vad.video.segmentation import Segmentation, normalised, pixels_of, resized

CERTAIN = 30.0
"""Logit of a class of which a map says that it is there: e^30 times as probable as another."""
PIXELS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "imagenet": normalised,
    "unit": lambda pixels: pixels,
    "bytes": lambda pixels: pixels * 255,
}
"""What becomes of pixels in [0, 1] before a network of floats sees them."""


@dataclass(frozen=True)
class Network:
    """A network that was read, and what it takes."""

    run: Callable[[torch.Tensor], Any]
    shape: list[int]
    """[1, 3, H, W] or [1, H, W, 3]; 0 = any."""
    bytewise: bool = False


@functools.lru_cache(maxsize=1)
def load_exported(weights: Path, classes: int, pixels: str) -> Segmentation:
    """The network of a file, of so many classes, which sees pixels as PIXELS names them; kept, since every video asks
    for it.

    Raises InputError for a file that is not read, and for a network that has other inputs or outputs than the module
    says, or other classes.
    """
    if weights.suffix not in READERS:
        raise InputError(f"data.scene_weights is {str(weights)!r}; expected an exported network: {', '.join(READERS)}")
    network = READERS[weights.suffix](weights)
    shape = network.shape
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise InputError(f"{weights} takes {shape} (0 = any); expected one picture, [1, 3, H, W] or [1, H, W, 3]")
    found = Segmentation(lambda background: _logits(network.run(_input(network, background, pixels)), classes, weights))
    found(np.zeros((64, 64, 3), np.uint8), [0], 1)  # so that what does not fit is said before any video is decoded
    return found


def _input(network: Network, background: np.ndarray, pixels: str) -> torch.Tensor:
    """The background as the network takes it."""
    first = network.shape[1] == 3
    height, width = network.shape[2:] if first else network.shape[1:3]
    fixed = height and width
    picture = cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA) if fixed else resized(background)
    values = (
        torch.from_numpy(picture).permute(2, 0, 1)[None] if network.bytewise else PIXELS[pixels](pixels_of(picture))
    )
    return (values if first else values.permute(0, 2, 3, 1)).contiguous()


def _torchscript(weights: Path) -> Network:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch would have new files exported in another way
            return Network(torch.jit.load(str(weights), map_location="cpu").eval(), [0, 3, 0, 0])
    except (RuntimeError, ValueError) as error:
        raise _unread(weights, error, "a module that torch.jit.save wrote") from error


def _torch_export(weights: Path) -> Network:
    try:
        program = torch.export.load(weights)
        (name,) = program.graph_signature.user_inputs
        value = next(node.meta["val"] for node in program.graph.nodes if node.name == name)
    except Exception as error:  # whatever a damaged archive makes it meet
        raise _unread(weights, error, "a module of one input that torch.export.save wrote") from error
    shape = [side if isinstance(side, int) else 0 for side in value.shape]
    return Network(program.module(), shape, value.dtype == torch.uint8)


def _openvino(weights: Path) -> Network:
    try:
        import openvino
    except ImportError as error:
        raise InputError(
            f"{weights} is read by OpenVINO, which is not installed: pip install openvino, or give a .pt2 of torch's"
        ) from error
    try:
        core = openvino.Core()
        precise = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        network = core.compile_model(core.read_model(weights), "CPU", precise)
        (taken,) = network.inputs
    except (RuntimeError, ValueError) as error:
        raise _unread(weights, error, "a network of one input that OpenVINO reads") from error
    shape = [int(side.get_length()) if side.is_static else 0 for side in taken.partial_shape]
    return Network(lambda x: torch.from_numpy(network(x.numpy())[0]), shape, taken.element_type == openvino.Type.u8)


READERS: dict[str, Callable[[Path], Network]] = {
    **dict.fromkeys((".pt", ".ts", ".torchscript"), _torchscript),
    ".pt2": _torch_export,
    **dict.fromkeys((".onnx", ".xml", ".tflite"), _openvino),
}
"""By the ending of a file's name."""


def _logits(found: Any, classes: int, weights: Path) -> torch.Tensor:
    """Logits [1, classes, h, w] from whichever of the outputs the network has."""
    found = next(iter(found.values())) if isinstance(found, dict) else found
    found = found[0] if isinstance(found, (tuple, list)) else found
    shape = list(found.shape) if torch.is_tensor(found) else type(found).__name__
    wrong = InputError(
        f"{weights} gives {shape}; data.scene_classes says {classes}: expected logits or probabilities "
        f"[1, {classes}, h, w] or [1, h, w, {classes}], or a map of class numbers [1, h, w]"
    )
    if not torch.is_tensor(found):
        raise wrong
    labels = found[:, 0] if found.ndim == 4 and found.shape[1] == 1 else found
    if labels.ndim == 3 and len(labels) == 1 and not labels.is_floating_point():
        highest = int(labels.max())
        if highest >= classes:
            raise InputError(f"{weights} gives class {highest}; data.scene_classes is {classes}: 0 to {classes - 1}")
        return CERTAIN * torch.nn.functional.one_hot(labels.long(), classes).permute(0, 3, 1, 2).float()
    if found.ndim != 4 or len(found) != 1 or classes not in (found.shape[1], found.shape[3]):
        raise wrong
    values = (found if found.shape[1] == classes else found.permute(0, 3, 1, 2)).float()
    sums = values.sum(dim=1)
    if values.min() >= 0 and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return values.clamp_min(1e-12).log()  # probabilities: their softmax over some classes renormalises them
    return values


def _unread(weights: Path, error: Exception, expected: str) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(f"{weights} is not read: {said} …; expected {expected}")
