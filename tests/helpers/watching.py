"""A state that needs no network: what is red is an anomaly. With it the service is tested without a training run."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fake_cameras import street, walker

from dist_vad.base.sealed import SEAL
from dist_vad.inference.events import Threshold
from dist_vad.scoring import geometry
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.watch import CameraSettings, PageSettings, SinkSettings, WatchEventSettings, WatchSettings
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.detectors.motion import MotionDetector
from dist_vad.video.scene_feature import background_feature
from dist_vad.watch.camera import Judge

EVERY, LASTS = 40, 15
"""In frames: how often something red walks by, and for how long."""


def red_by_times(number: int) -> np.ndarray:
    """`walker`, but red for LASTS of every EVERY frames."""
    picture = walker(number)
    if number % EVERY < LASTS:
        picture[(picture == (230, 200, 90)).all(axis=-1)] = (250, 20, 20)
    return picture


def empty(number: int) -> np.ndarray:
    """Nobody is there."""
    return street()


@dataclass
class Scene:
    """A place that is known."""

    feature: np.ndarray
    name: str = "street"
    note: str = ""


class RedDetector:
    """Scores a cube by how red its middle frame is; 0 for what is as usual."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def scores(
        self, clips: np.ndarray, features: np.ndarray, scenes: np.ndarray, boxes: np.ndarray, places: np.ndarray
    ) -> dict[str, np.ndarray]:
        assert len(clips) == len(features) == len(scenes) == len(boxes)
        assert np.array_equal(places, geometry.places(boxes))
        self.batches.append(len(clips))
        middle = clips[:, clips.shape[1] // 2].astype(np.float64)
        return {"combined": np.maximum(middle[..., 0] - middle[..., 1], 0).mean(axis=(1, 2)) / 10}


class RedScorer:
    """What a camera needs of a state."""

    def __init__(self, detector: RedDetector | None = None) -> None:
        self.data = SimpleNamespace(
            clip_length=9, cube_size=48, context=0.1, detector=SimpleNamespace(needs_background=True)
        )
        self.stride, self.score_without_objects = 1, 0.0
        self.settings = SimpleNamespace(warmup=0.5)
        self.counts = "combined"
        self.detector = detector or RedDetector()

    def match_scene(self, background: np.ndarray) -> Scene:
        return Scene(background_feature(background, 8))

    def object_detector(self, place: str, background: np.ndarray, frames: int) -> FilteredDetector:
        settings = DetectorSettings()
        return FilteredDetector(settings, MotionDetector(settings, background))


def red_judge(detector: RedDetector | None = None) -> Judge:
    """By redness; normal objects are a little red now and then."""
    normal = np.abs(np.random.default_rng(0).normal(0, 1.5, 2000))
    return Judge(RedScorer(detector), Threshold.of([normal], WatchEventSettings()))  # pyright: ignore


def watch_settings(out: Path, urls: dict[str, str], **changes: Any) -> WatchSettings:
    """Settings for a test: short pauses, no page, nothing printed."""
    given: dict[str, Any] = {
        "page": PageSettings(port=-1),
        "sinks": SinkSettings(stdout=False),
        "events": WatchEventSettings(join=0.3, update=0.5),
        "stall": 2.0,
        "warmup": 0.5,
    }
    cameras = {name: CameraSettings(url=url) for name, url in urls.items()}
    return WatchSettings(cameras=cameras, out=str(out), **{**given, **changes})


def lines(out: Path) -> list[dict[str, Any]]:
    """The event lines of a folder, without their digests; each must be whole."""
    files = sorted((out / "events").glob("*.jsonl"))
    found = [json.loads(text) for path in files for text in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != SEAL} for line in found]


def events(out: Path, camera: str, kind: str = "end") -> list[dict[str, Any]]:
    """The lines of one kind about events of a camera."""
    return [line for line in lines(out) if line["type"] == kind and line["camera"] == camera and "id" in line]


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
