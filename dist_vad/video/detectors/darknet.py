"""`darknet`: objects found by YOLOv3 and its family, from the files of Darknet as published, run by OpenCV."""

import functools
from pathlib import Path

import cv2
import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors.base import Boxes, check_classes, sorted_boxes
from dist_vad.video.detectors.files import darknet_files
from dist_vad.video.source import Video

HEADERS = (16, 20)
"""Bytes before the numbers of a .weights file: of old Darknets, and of those since 2017."""


class DarknetDetector:
    """The objects that a Darknet network finds; categories are the names of its classes."""

    def __init__(self, settings: DetectorSettings) -> None:
        cfg, weights, names = darknet_files(settings)
        self._names = [line.strip() for line in names.read_text().splitlines() if line.strip()]
        check_classes(settings.classes, self._names, names)
        self._net = _load(cfg, weights)
        self._names_file, self._nms = names, settings.nms
        self._size = settings.input_size or 416

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """The objects of frames of one size, RGB, uint8 [H, W, 3]."""
        # Stretched to a square, without bars: small people keep all their pixels.
        self._net.setInput(cv2.dnn.blobFromImages(frames, 1 / 255, (self._size, self._size)))
        outputs = self._net.forward(self._net.getUnconnectedOutLayersNames())
        # One [N, n, 5 + classes] per scale, without the first axis for a single frame.
        rows = np.concatenate([output.reshape(len(frames), -1, output.shape[-1]) for output in outputs], axis=1)
        if rows.shape[-1] - 5 != len(self._names):
            raise InputError(
                f"{self._names_file} has the names of {len(self._names)} classes, but the network finds "
                f"{rows.shape[-1] - 5}; give the names file that was published with the weights (data.detector.names)"
            )
        return [self._boxes(of_frame, *frame.shape[:2]) for of_frame, frame in zip(rows, frames)]

    def _boxes(self, rows: np.ndarray, height: int, width: int) -> Boxes:
        """Boxes from float32 [n, 5 + classes]: middle, width, height as shares of the frame, objectness, scores."""
        rows = rows[rows[:, 5:].max(axis=1) > 0]  # OpenCV sets scores below 0.2 to 0
        middle, half = rows[:, :2], rows[:, 2:4] / 2
        sides = np.hstack([middle - half, middle + half])
        corners = np.clip(sides, 0, 1) * np.array([width, height, width, height], np.float32)
        confidences, classes = rows[:, 5:].max(axis=1), rows[:, 5:].argmax(axis=1)
        kept = _best(corners, confidences, classes, self._nms)
        boxes = np.hstack([corners, confidences[:, None]])[kept]
        return sorted_boxes(boxes.tolist(), [self._names[number] for number in classes[kept]])


def _best(corners: np.ndarray, confidences: np.ndarray, classes: np.ndarray, overlap: float) -> list[int]:
    """Which of n boxes are left once those that overlap a more confident one of their class are gone.

    `corners`: float32 [n, 4]; `confidences`: [n]; `classes`: int [n].
    """
    if not len(corners):
        return []
    sizes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    # No threshold on confidence here: less confident boxes never push out more confident ones, so it can come after.
    kept = cv2.dnn.NMSBoxesBatched(sizes.tolist(), confidences.tolist(), classes.tolist(), 0.0, overlap)
    return [int(number) for number in kept]


@functools.lru_cache(maxsize=1)
def _load(cfg: Path, weights: Path) -> cv2.dnn.Net:
    """The network; kept, since every video asks for it."""
    read = getattr(cv2.dnn, "readNetFromDarknet", None)
    if read is None:
        raise InputError(
            f"OpenCV {cv2.__version__} no longer reads Darknet networks; pip install --force-reinstall "
            '"opencv-python-headless>=4.10,<5", or take --detector.name yolo'
        )
    try:
        net = read(str(cfg), str(weights))
    except cv2.error as error:
        raise InputError(
            f"OpenCV does not read the Darknet network of {cfg} and {weights}: {error.err or error}; both must be "
            "whole and of the same network"
        ) from error
    # A .weights file is bare numbers: without this, one that is cut off, or of another network, finds nonsense.
    layers = (net.getLayer(name) for name in net.getLayerNames())
    learned = [layer for layer in layers if layer.type in ("Convolution", "BatchNorm")]
    numbers = sum(blob.size for layer in learned for blob in layer.blobs)
    size, expected = weights.stat().st_size, [4 * numbers + header for header in HEADERS]
    if size not in expected:
        raise InputError(
            f"{weights} has {size} bytes, but the network of {cfg} has weights of {expected[-1]} bytes; it is not "
            "whole, or the two are of different networks"
        )
    return net


def make(settings: DataSettings, video: Video, frames: int) -> DarknetDetector:
    """The detector for one video of so many frames."""
    return DarknetDetector(settings.detector)
