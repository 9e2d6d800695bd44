"""`yolo`: objects found by whatever Ultralytics loads. It is AGPL-3.0, and is imported only if it is asked for."""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors.base import Boxes, check_classes, sorted_boxes
from dist_vad.video.detectors.files import yolo_weights
from dist_vad.video.source import Video

TASKS = ("detect", "segment", "pose")
"""The kinds of networks that give upright boxes."""
MOST = 3000
"""Ultralytics cuts a frame's boxes to 300 without a word; a bound is ours to set, and to report."""


class YoloDetector:
    """The objects that an Ultralytics network finds; categories are the names of its classes."""

    def __init__(self, settings: DetectorSettings) -> None:
        weights = yolo_weights(settings)
        self._settings, self._size = settings, settings.input_size or 640
        self._model = _load(weights, self._size)
        # An exported network mostly takes as many frames as it was exported for, and that is one.
        self._at_once = settings.batch if weights.suffix == ".pt" else 1
        self._names: dict[int, str] = self._model.names
        check_classes(settings.classes, list(self._names.values()), weights)

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """The objects of frames of one size, RGB, uint8 [H, W, 3]."""
        boxes = []
        for start in range(0, len(frames), self._at_once):
            # Ultralytics takes arrays to be BGR, as OpenCV reads them.
            pictures = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames[start : start + self._at_once]]
            results = self._model.predict(
                pictures,
                conf=max(self._settings.lowest_confidence, 0.001),  # all that is below would be left out later anyway
                iou=self._settings.nms,
                imgsz=self._size,
                max_det=MOST,
                verbose=False,
            )
            boxes += [self._boxes(result.boxes) for result in results]
        return boxes

    def _boxes(self, boxes: Any) -> Boxes:
        """Ultralytics' boxes of one frame as ours."""
        rows = np.hstack([boxes.xyxy.cpu().numpy(), boxes.conf.cpu().numpy()[:, None]])
        return sorted_boxes(rows.tolist(), [self._names[int(number)] for number in boxes.cls.tolist()])


@functools.lru_cache(maxsize=1)
def _load(weights: Path, size: int) -> Any:
    """The network, tried once at an input size of so many pixels; kept, since every video asks for it."""
    # Else Ultralytics installs packages and looks for newer versions by itself.
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    try:
        from ultralytics import YOLO  # pyright: ignore[reportMissingImports]

        if weights.name.endswith("_openvino_model"):
            import openvino  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            f'--detector.name yolo with {weights} needs the package {error.name}; pip install "dist_vad[yolo]". Note '
            "that Ultralytics is licensed under the AGPL-3.0. --detector.name darknet needs nothing more"
        ) from error
    try:
        model = YOLO(str(weights), task=None if weights.suffix == ".pt" else "detect")
        # Only now are the weights of an exported network read, and with them the names of its classes.
        model.predict(np.zeros((size, size, 3), np.uint8), imgsz=size, verbose=False)
    except Exception as error:  # Ultralytics raises whatever it met
        raise InputError(
            f"Ultralytics does not load {weights}: {error}; expected a .pt file, or the folder or file of an exported "
            "model under the name that Ultralytics gave it"
        ) from error
    if model.task not in TASKS:
        raise InputError(f"{weights} is a network for {model.task!r}, expected one of {', '.join(TASKS)}")
    return model


def make(settings: DataSettings, video: Video, frames: int) -> YoloDetector:
    """The detector for one video of so many frames."""
    return YoloDetector(settings.detector)
