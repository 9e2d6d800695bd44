"""What DeepLabv3+ sees in a background, by class and place: the scene feature as in the paper.

The network is segmentation-models-pytorch's DeepLabV3Plus, with its own decoder as it is by default. Weights of other
implementations of DeepLabv3+ (VainF's, MMSegmentation's, torchvision's DeepLabV3) have other layers and do not fit. We
know of no published weights for this one that were trained on street scenes; what is expected is a state_dict as
its `save_pretrained` or a training script writes it: keys `encoder.*`, `decoder.*`, `segmentation_head.*`.
"""

import functools
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dist_vad.base.errors import InputError

SHORT_SIDE, LONG_SIDE = 512, 1536
"""Pixels of the sides of the network's input: always the same, as the network sees classes at the size it knows."""
STRIDE = 16
"""The sides of the network's input are multiples of so many pixels."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, RGB: encoders that were trained from ImageNet weights expect them."""

NESTED = ("state_dict", "model_state_dict", "model_state", "model")
"""Keys below which training scripts put the state_dict."""
PREFIXES = ("module.", "model.", "_orig_mod.", "net.")
"""What wrappers put before the names of its parameters: DataParallel, Lightning, torch.compile."""
PARAMETERS = ("encoder.", "decoder.", "segmentation_head.")
"""How the names of the network's parameters begin; others, such as a loss', belong to the training."""


class Deeplab:
    """The scene feature of a segmentation network."""

    def __init__(self, model: nn.Module) -> None:
        """`model`: from float32 [1, 3, h, w] to the classes' logits, float32 [1, classes, h, w]."""
        self._model = model.eval()

    def __call__(self, background: np.ndarray, kept: list[int], grid: int) -> np.ndarray:
        """Probabilities of the classes `kept`, averaged over the cells of a grid: float32 [len(kept) * grid * grid].

        A unit vector. Without the other classes the probabilities are renormalised: what the softmax over the rest
        gives. `background`: RGB, uint8 [H, W, 3].
        """
        pixels = torch.from_numpy(_resized(background)).permute(2, 0, 1)[None].float() / 255
        pixels = (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
        threads = torch.get_num_threads()
        # More threads add up in another order; one rank must write the same bytes as four. It is one picture a video.
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                shares = self._model(pixels)[:, kept].softmax(dim=1)
                cells = nn.functional.adaptive_avg_pool2d(shares, grid).flatten().numpy()
        finally:
            torch.set_num_threads(threads)
        if not np.isfinite(cells).all():
            raise InputError(
                "the network of data.scene_weights gives values that are not finite: its weights are spoilt"
            )
        return cells / max(float(np.linalg.norm(cells)), 1e-12)


def _resized(image: np.ndarray) -> np.ndarray:
    """The picture, uint8 [H, W, 3], at the network's size, with its own aspect ratio as far as that allows."""
    height, width = image.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    sides = [min(LONG_SIDE, STRIDE * round(side * scale / STRIDE)) for side in (width, height)]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, sides, interpolation=method)


@functools.lru_cache(maxsize=1)
def load_deeplab(weights: Path, encoder: str, classes: int) -> Deeplab:
    """The network with its weights; kept, since every video asks for it.

    Raises InputError where segmentation-models-pytorch is missing, where it has no such encoder, and for a file that
    does not hold the weights of this network.
    """
    model, state = _empty(encoder, classes), _state(weights)
    head = state.get("segmentation_head.0.weight")
    if head is not None and len(head) != classes:
        raise InputError(f"{weights} is of a network of {len(head)} classes, data.scene_classes says {classes}")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:400]
        raise InputError(
            f"{weights} does not fit DeepLabV3Plus of segmentation-models-pytorch with encoder {encoder!r}: {first} …; "
            "give the encoder that it was trained with (data.scene_encoder); other implementations of DeepLabv3+ have "
            "other layers"
        ) from error
    return Deeplab(model)


def _empty(encoder: str, classes: int) -> nn.Module:
    """The network without weights; none are downloaded."""
    try:
        import segmentation_models_pytorch as smp  # pyright: ignore[reportMissingImports]
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit torch
        raise InputError(
            f"data.scene deeplabv3plus needs segmentation-models-pytorch, and importing it says: {error}; pip install "
            '"dist_vad[scenes]" (torchvision must be of the build of torch), or take --scene background'
        ) from error
    try:
        return smp.DeepLabV3Plus(encoder_name=encoder, encoder_weights=None, classes=classes)
    except Exception as error:  # it raises whatever it met: KeyError, ValueError, RuntimeError of timm
        raise InputError(
            f"segmentation-models-pytorch makes no DeepLabV3Plus with data.scene_encoder {encoder!r}: {error}; "
            "expected a name such as resnet50, the one that the weights were trained with"
        ) from error


def _state(weights: Path) -> dict[str, torch.Tensor]:
    """The parameters in a file by the names that segmentation-models-pytorch gives them."""
    try:
        if weights.suffix == ".safetensors":
            content: Any = load_file(weights)
        else:
            content = torch.load(weights, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        first = " ".join(str(error).split())[:200]
        raise InputError(
            f"{weights} is not read: {first} …; expected a .safetensors file, or a state_dict written by torch.save "
            "(plain tensors: a whole model that was pickled is code, and is not run)"
        ) from error
    while isinstance(content, dict) and (key := next((key for key in NESTED if key in content), None)):
        content = content[key]
    named = {_bare(key): value for key, value in content.items()} if isinstance(content, dict) else {}
    state = {key: value for key, value in named.items() if key.startswith(PARAMETERS) and torch.is_tensor(value)}
    if not state:
        raise InputError(
            f"{weights} has no parameters named encoder.*, decoder.* and segmentation_head.*; it has "
            f"{', '.join(list(named)[:3]) or 'no names'}, …; expected the state_dict of a DeepLabV3Plus of "
            "segmentation-models-pytorch"
        )
    return state


def _bare(key: object) -> str:
    """A parameter's name without what wrappers put before it."""
    name = str(key)
    while name.startswith(PREFIXES):
        name = name.split(".", 1)[1]
    return name
