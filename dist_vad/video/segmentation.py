"""What a segmentation network sees in a background, by class and place: the scene feature as in the paper."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import nn

from dist_vad.base.errors import InputError

SHORT_SIDE, LONG_SIDE = 512, 1536
"""Pixels of the sides of a picture for networks that take any: always the same, as they see classes at the size that
they know."""
STRIDE = 16
"""The sides of such a picture are multiples of so many pixels."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, RGB: encoders that were trained from ImageNet weights expect them."""

Logits = Callable[[np.ndarray], torch.Tensor]
"""From a picture, RGB, uint8 [H, W, 3], to the classes' logits, float32 [1, classes, h, w]."""


class Segmentation:
    """The scene feature of a segmentation network."""

    def __init__(self, logits: Logits) -> None:
        self._logits = logits

    def __call__(self, background: np.ndarray, kept: list[int], grid: int) -> np.ndarray:
        """Probabilities of the classes `kept`, averaged over the cells of a grid: float32 [len(kept) * grid * grid].

        A unit vector. Without the other classes the probabilities are renormalised: what the softmax over the rest
        gives. `background`: RGB, uint8 [H, W, 3].
        """
        threads = torch.get_num_threads()
        # More threads add up in another order; one rank must write the same bytes as four. It is one picture a video.
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                shares = self._logits(background)[:, kept].softmax(dim=1)
                cells = nn.functional.adaptive_avg_pool2d(shares, grid).flatten().numpy()
        finally:
            torch.set_num_threads(threads)
        if not np.isfinite(cells).all():
            raise InputError(
                "the network of data.scene_weights gives values that are not finite: its weights are spoilt"
            )
        return cells / max(float(np.linalg.norm(cells)), 1e-12)


def of_module(model: nn.Module) -> Logits:
    """Of a module that takes pictures of any size, normalised as those of ImageNet are: float32 [1, 3, h, w]."""
    return lambda background: model(normalised(pixels_of(resized(background))))


def resized(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 [H, W, 3], at the size of SHORT_SIDE, with its own aspect ratio as far as LONG_SIDE allows."""
    height, width = picture.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    sides = [min(LONG_SIDE, STRIDE * round(side * scale / STRIDE)) for side in (width, height)]
    return cv2.resize(picture, sides, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def pixels_of(picture: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [1, 3, H, W] in [0, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """[1, 3, H, W] in [0, 1], less ImageNet's mean, in units of its deviation."""
    return (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
