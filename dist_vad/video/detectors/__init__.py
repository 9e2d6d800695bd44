"""The detectors, one file each; other packages may bring more (dist_vad/base/plugins.py).

A detector's `make(settings, video, frames)` gives what finds the objects of one video of so many frames.
"""

import numpy as np

from dist_vad.base import plugins
from dist_vad.settings.data import DataSettings
from dist_vad.video.detectors.base import ObjectDetector
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.detectors.motion import MotionDetector
from dist_vad.video.source import Video


def make_detector(settings: DataSettings, video: Video, background: np.ndarray, frames: int) -> FilteredDetector:
    """The detector for one video of so many frames, given its background, uint8 [H, W, 3]."""
    detector = _without_background(settings, video, frames)
    motion = MotionDetector(settings.detector, background)
    return FilteredDetector(settings.detector, detector or motion, motion if settings.detector.motion_union else None)


def check_detector(settings: DataSettings, video: Video, frames: int) -> None:
    """Raise InputError where the detector could not work on a video of so many frames, before any is decoded."""
    _without_background(settings, video, frames)


def _without_background(settings: DataSettings, video: Video, frames: int) -> ObjectDetector | None:
    """The detector for one video, None for the one that needs its background."""
    name = settings.detector.name
    return None if name == "motion" else plugins.load(plugins.DETECTORS, name, "make")(settings, video, frames)
