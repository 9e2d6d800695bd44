"""DeepLabv3+ as the network of the scene feature, with weights of the user.

The network is segmentation-models-pytorch's DeepLabV3Plus, with its own decoder as it is by default. Weights of other
implementations of DeepLabv3+ (VainF's, MMSegmentation's, torchvision's DeepLabV3) have other layers and do not fit. We
know of no published weights for this one that were trained on street scenes; what is expected is a state_dict as
its `save_pretrained` or a training script writes it: keys `encoder.*`, `decoder.*`, `segmentation_head.*`.
"""

import functools
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dist_vad.base.errors import InputError
from dist_vad.video.segmentation import Segmentation, of_module

NESTED = ("state_dict", "model_state_dict", "model_state", "model")
"""Keys below which training scripts put the state_dict."""
PREFIXES = ("module.", "model.", "_orig_mod.", "net.")
"""What wrappers put before the names of its parameters: DataParallel, Lightning, torch.compile."""
PARAMETERS = ("encoder.", "decoder.", "segmentation_head.")
"""How the names of the network's parameters begin; others, such as a loss', belong to the training."""


@functools.lru_cache(maxsize=1)
def load_deeplab(weights: Path, encoder: str, classes: int) -> Segmentation:
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
    return Segmentation(of_module(model.eval()))


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
