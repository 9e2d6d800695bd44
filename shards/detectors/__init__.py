"""The detectors, by the name that the settings call them."""

from pathlib import Path

import numpy as np

from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from shards.datasets.base import Video
from shards.detectors.base import Detector
from shards.detectors.boxes import BoxesDetector
from shards.detectors.motion import MotionDetector


def make_detector(settings: DataSettings, video: Video, background: np.ndarray, frames: int) -> Detector:
    """The detector for one video of so many frames, given its background, uint8 [H, W, 3]."""
    path = boxes_file(settings, video)
    if path:
        return BoxesDetector(settings.detector, path, video.source_name or video.name, frames)
    return MotionDetector(settings.detector, background)


def check_detector(settings: DataSettings, video: Video, frames: int) -> None:
    """Raise InputError where the detector could not work on a video of so many frames, before any is decoded."""
    path = boxes_file(settings, video)
    if path:
        BoxesDetector(settings.detector, path, video.source_name or video.name, frames)


def boxes_file(settings: DataSettings, video: Video) -> Path | None:
    """Where the boxes of a video are read from; None for detectors that read none.

    Raises InputError where there is no such file.
    """
    if settings.detector.name != "boxes":
        return None
    assert settings.detector.boxes is not None, "refused by DetectorSettings"
    path = settings.detector.boxes.replace("{root}", settings.root or ".")
    path = Path(path.replace("{split}", video.source_split or video.split))
    if not path.is_file():
        raise InputError(
            f"no boxes file at {path} (data.detector.boxes is {settings.detector.boxes!r}); give its path, or take "
            "--detector.name motion, which needs none"
        )
    return path
