"""Pictures as data URIs, so that the page needs no file beside it."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

STILL_WIDTH, STILL_QUALITY = 160, 62
"""Of the stills, of which there are hundreds: about 4 KB each."""
WIDEST = 640
"""Frames are shown no wider than this many pixels: a few dozen must not weigh more than the rest of the page."""
QUALITY = 82
BOX_COLOURS = ((0, 0, 0), (255, 196, 0))
"""Outline and line of a box, RGB: dark and light, so that it shows on any background."""


def data_uri(image: np.ndarray) -> str:
    """RGB uint8 [H, W, 3] as a JPEG data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(image, QUALITY)).decode()


def still(image: np.ndarray) -> bytes:
    """RGB uint8 [H, W, 3] as a small JPEG."""
    return _jpeg(shrunk(image, STILL_WIDTH), STILL_QUALITY)


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, f"an image of shape {image.shape} cannot be encoded"
    return encoded.tobytes()


def shrunk(image: np.ndarray, widest: int = WIDEST) -> np.ndarray:
    """A contiguous copy, no wider than that; enlarging is left to the browser."""
    scale = min(1.0, widest / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def boxed(image: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """RGB uint8 [H, W, 3], no wider than WIDEST, with the box (x1, y1, x2, y2 in pixels of `image`) drawn in."""
    canvas = shrunk(image)
    scale = canvas.shape[1] / image.shape[1]
    x1, y1, x2, y2 = (round(value * scale) for value in box)
    line = max(1, round(canvas.shape[1] / 240))
    for colour, width in zip(BOX_COLOURS, (3 * line, line)):
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, width)
    return canvas


def film_strip(cube: np.ndarray) -> np.ndarray:
    """The frames of a cube, RGB uint8 [T, H, W, 3], side by side: [H, T * W, 3]."""
    return np.concatenate([*cube], axis=1)
