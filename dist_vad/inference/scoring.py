"""A video from its frames to its result, and the picture drawn of it."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dist_vad import metrics
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.inference.detector import Detector
from dist_vad.inference.events import Threshold, find_events
from dist_vad.inference.mp4 import FrameWriter, mp4_writer
from dist_vad.inference.outputs import Objects, VideoResult
from dist_vad.inference.overlay import Overlay, Shown
from dist_vad.inference.video_scorer import SceneMatch, VideoScorer, file_name
from dist_vad.settings.video import VideoSettings
from dist_vad.video.live import LiveFrames
from dist_vad.video.source import Frames


def event_threshold(detector: Detector, settings: VideoSettings, online: bool) -> Threshold:
    """The threshold of events, from held-out normal video smoothed as the video will be."""
    normal = [metrics.smooth(raw, smoothing(online)) for raw in detector.normal[settings.scorer]]
    return Threshold.of(normal, settings.events)


def smoothing(online: bool) -> str:
    """How frame scores are smoothed."""
    return "median17_causal" if online else "median17"


def score_offline(
    scorer: VideoScorer, place: str, frames: Frames | LiveFrames, threshold: Threshold, mp4: Path
) -> VideoResult:
    """Score a video that is there as a whole, then read it once more to draw it."""
    assert not isinstance(frames, LiveFrames), "a stream is scored online"
    objects, raw, scene = scorer.offline(place, frames)
    smoothed = metrics.smooth(raw, smoothing(False))
    told = facts(scorer, threshold, scene, False)
    video = VideoResult(place, frames.fps, objects, raw, smoothed, threshold, getattr(frames, "times", None), told)
    if scorer.settings.mp4:
        overlay = Overlay(frames.width, frames.height, frames.fps, threshold.value)
        drawn = Drawing(overlay, objects, threshold, scorer.stride)
        with mp4_writer(mp4, overlay.width, overlay.height, frames.fps) as write:
            bar = progress_bar(frames, total=len(frames), desc=f"draw {mp4.name}", unit=" frames")
            for number, (frame, score) in enumerate(zip(bar, video.smoothed)):
                write(drawn(number, frame, float(score)))
    return video


def score_online(
    scorer: VideoScorer, place: str, frames: Frames | LiveFrames, threshold: Threshold, mp4: Path
) -> VideoResult:
    """Score frames as they come, draw each at once, and say when an event begins; Ctrl-C ends a stream."""
    is_stream = isinstance(frames, LiveFrames)
    scores, raw, smooth = scorer.online(place, frames), [], []
    overlay = Overlay(frames.width, frames.height, frames.fps, threshold.value)
    drawn = Drawing(overlay, scores.objects, threshold, scorer.stride)
    started, above = time.monotonic(), False
    with ExitStack() as stack:
        write: FrameWriter | None = None
        if scorer.settings.mp4:
            write = stack.enter_context(mp4_writer(mp4, overlay.width, overlay.height, frames.fps))
        bar = stack.enter_context(
            progress_bar(total=None if is_stream else len(frames), desc=f"score {file_name(place)}", unit=" frames")
        )
        try:
            for frame in scores:
                raw.append(frame.raw)
                smooth.append(frame.smoothed)
                score = float(threshold.calibrated(np.array([frame.smoothed]))[0])
                if score >= threshold.value and not above:
                    tqdm.write(f"{frame.number / frames.fps:9.2f} s  event begins, anomaly score {score:.2f}")
                above = score >= threshold.value
                if write:
                    write(drawn(frame.number, frame.image, frame.smoothed))
                bar.update()
        except KeyboardInterrupt:
            log.info("stopped; writing what was scored")
    seconds = time.monotonic() - started
    half = scorer.data.clip_length // 2
    latency = {
        **scores.latency.facts(),
        "frames_per_second": round(len(raw) / max(seconds, 1e-9), 1),
        "look_ahead_frames": half,
        "look_ahead_ms": round(1000 * half / frames.fps, 1),
        "left_out": scores.left_out,
        "lost": frames.lost if isinstance(frames, LiveFrames) else 0,
    }
    told = {**facts(scorer, threshold, scores.scene, True), "latency": latency}
    times = None if is_stream else getattr(frames, "times", None)
    return VideoResult(place, frames.fps, scores.objects, np.array(raw), np.array(smooth), threshold, times, told)


class Drawing:
    """Draws the frames of a video in order; between two sampled frames the boxes stay."""

    def __init__(self, overlay: Overlay, objects: Objects, threshold: Threshold, stride: int) -> None:
        self._overlay, self._objects, self._threshold, self._stride = overlay, objects, threshold, stride

    def __call__(self, number: int, image: np.ndarray, score: float) -> np.ndarray:
        """The picture of one frame, RGB, uint8 [H, W, 3], with its smoothed score."""
        sampled = number - number % self._stride
        rows = self._objects.between(sampled, sampled + 1)
        calibrated = float(self._threshold.calibrated(np.array([score]))[0])
        boxes = np.array(self._objects.boxes[rows]).reshape(-1, 4)
        box_scores = self._threshold.calibrated(np.array(self._objects.scores[rows]))
        shown = Shown(number, boxes, box_scores, calibrated, calibrated >= self._threshold.value)
        return self._overlay.draw(image, shown)


def facts(scorer: VideoScorer, threshold: Threshold, scene: SceneMatch | None, online: bool) -> dict[str, Any]:
    """What `events.json` says of how a video was scored."""
    detector, settings = scorer.detector, scorer.settings
    judged = {"judged_by": scene.name or "all", "nearest": scene.nearest, "cosine": scene.likeness} if scene else {}
    normal = [metrics.smooth(raw, smoothing(online)) for raw in detector.normal[settings.scorer]]
    joined = max(1, round(settings.events.join * 25))
    alarms = sum(len(find_events(own, threshold.calibrated(own), threshold.value, joined)) for own in normal)
    return {
        "state": detector.state.folder.name,
        "digest": detector.state.digest,
        "scorer": settings.scorer,
        "smoothing": smoothing(online),
        "stride": scorer.stride,
        "scene": judged,
        "note": scene.note if scene else "the video ended before the background was known: nothing was scored",
        "level": {
            "false_alarms": settings.events.false_alarms,
            "rarity": threshold.value,
            "held_out_normal": {
                "seconds": round(detector.normal_seconds, 2),
                "share_of_frames": threshold.share_reached,
                "events": alarms,
            },
        },
    }
