"""By what each camera is judged: its state, scene and threshold. Cameras of one state share its network."""

from dataclasses import replace
from pathlib import Path

import torch

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import read_state
from dist_vad.inference.detector import Detector
from dist_vad.inference.scoring import event_threshold
from dist_vad.inference.video_scorer import VideoScorer
from dist_vad.settings.video import EventSettings, VideoSettings
from dist_vad.settings.watch import CameraSettings, WatchSettings
from dist_vad.watch.camera import Judge


def judges_of(settings: WatchSettings, states: dict[str, str]) -> dict[str, Judge]:
    """Camera -> its judge.

    Args:
        states: camera -> folder of its state.

    Raises InputError for a state, a scene or a detector that does not fit.
    """
    torch.set_num_threads(settings.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detectors: dict[Path, Detector] = {}
    judges = {}
    for name, camera in settings.cameras.items():
        folder = Path(states[name]).resolve()
        if folder not in detectors:
            detectors[folder] = Detector.load(read_state(folder), device, settings.batch)
        judges[name] = _judge(detectors[folder], name, camera, settings)
    return judges


def _judge(detector: Detector, name: str, camera: CameraSettings, settings: WatchSettings) -> Judge:
    given = settings.events
    share = given.false_alarms if camera.false_alarms is None else camera.false_alarms
    events = EventSettings(false_alarms=share, join=given.join)
    video = VideoSettings(
        scorer=settings.scorer,
        stride=camera.stride or settings.stride,
        scene=camera.scene,
        detector=settings.detector,
        events=events,
        warmup=settings.warmup,
        batch=settings.batch,
        max_lag=settings.max_lag,
    )
    try:
        scorer = VideoScorer(detector, video)
        return Judge(scorer, event_threshold(detector, replace(video, online=True), online=True))
    except InputError as error:
        raise InputError(f"camera {name}: {error}") from error
