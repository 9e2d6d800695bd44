"""Pictures as data URIs, so that the page needs no file beside it."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

WIDEST = 640
"""Frames are shown no wider than this many pixels: a few dozen must not weigh more than the rest of the page."""
QUALITY = 82
BOX_COLOURS = ((0, 0, 0), (255, 196, 0))
"""Outline and line of a box, RGB: dark and light, so that it shows on any background."""


def data_uri(image: np.ndarray) -> str:
    """RGB uint8 [H, W, 3] as a JPEG data URI."""
    done, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, f"an image of shape {image.shape} cannot be encoded"
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def boxed(image: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """RGB uint8 [H, W, 3], no wider than WIDEST, with the box (x1, y1, x2, y2 in pixels of `image`) drawn in."""
    scale = min(1.0, WIDEST / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    # Enlarging is left to the browser; a contiguous copy is what cv2 can draw on.
    canvas = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    x1, y1, x2, y2 = (round(value * scale) for value in box)
    line = max(1, round(size[0] / 240))
    for colour, width in zip(BOX_COLOURS, (3 * line, line)):
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, width)
    return canvas


def film_strip(cube: np.ndarray) -> np.ndarray:
    """The frames of a cube, RGB uint8 [T, H, W, 3], side by side: [H, T * W, 3]."""
    return np.concatenate([*cube], axis=1)
