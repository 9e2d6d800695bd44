"""A video from its frames to its result, and the picture drawn of it."""

import sys
import time
from array import array
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.base.times import iso_time
from dist_vad.inference.base import BaseDetector
from dist_vad.inference.events import Threshold, find_events
from dist_vad.inference.mp4 import FrameWriter, mp4_writer
from dist_vad.inference.outputs import Objects, VideoResult
from dist_vad.inference.overlay import Overlay, Shown
from dist_vad.inference.video_scorer import SceneMatch, VideoScorer, counted, file_name
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.video import VideoSettings
from dist_vad.video.arrays import ArrayFrames
from dist_vad.video.live import LiveFrames, is_stream
from dist_vad.video.source import Frames


def event_threshold(detector: BaseDetector, settings: VideoSettings, online: bool) -> Threshold:
    """The threshold of events, from held-out normal video smoothed as the video will be, by the score that counts."""
    normal = [metrics.smooth(raw, smoothing(online)) for raw in detector.normal[counted(detector, settings)]]
    return Threshold.of(normal, settings.events)


def score_video(detector: BaseDetector, video: str | Path | np.ndarray, settings: dict[str, Any]) -> VideoResult:
    """`Detector.score`: the result of a whole video, from a place or from frames, uint8 [T, H, W, 3]."""
    chosen = settings_of(VideoSettings, settings, "Detector.score")
    scorer, threshold = VideoScorer(detector, chosen), event_threshold(detector, chosen, online=False)
    if isinstance(video, np.ndarray):
        return score_offline(scorer, "frames", ArrayFrames(video, chosen.fps or 25.0), threshold, Path("frames.mp4"))
    place = str(video)
    if is_stream(place):
        raise InputError(f"{place} is a stream, which never ends; `dist-vad score {place} --state DIR` scores it")
    mp4 = Path(chosen.out) / f"{file_name(place)}.mp4"
    return score_offline(scorer, place, scorer.open(place), threshold, mp4)


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
        overlay = Overlay(frames.width, frames.height, frames.fps, threshold)
        drawn, stride = Drawing(overlay, threshold), scorer.stride
        with mp4_writer(mp4, overlay.width, overlay.height, frames.fps) as write:
            bar = progress_bar(frames, total=len(frames), desc=f"draw {mp4.name}", unit=" frames")
            for number, (frame, score) in enumerate(zip(bar, video.smoothed)):
                sampled = number - number % stride  # between two sampled frames the boxes stay
                write(drawn(number, frame, float(score), objects.part(objects.between(sampled, sampled + 1))))
    return video


def score_online(
    scorer: VideoScorer, place: str, frames: Frames | LiveFrames, threshold: Threshold, mp4: Path
) -> VideoResult:
    """Score frames as they come, draw each at once, and say when an event begins; Ctrl-C ends a stream.

    Of a stream 24 bytes a frame are kept for its table, and the objects of events; nothing else grows.
    """
    live = frames if isinstance(frames, LiveFrames) else None
    scores, kept = scorer.online(place, frames), Objects()
    raw, smooth, times = array("d"), array("d"), array("d")
    overlay = Overlay(frames.width, frames.height, frames.fps, threshold)
    drawn = Drawing(overlay, threshold)
    started, above, last = time.monotonic(), False, -1
    with ExitStack() as stack:
        write: FrameWriter | None = None
        if scorer.settings.mp4:
            write = stack.enter_context(mp4_writer(mp4, overlay.width, overlay.height, frames.fps))
        total = len(frames) if not isinstance(frames, LiveFrames) else None
        bar = stack.enter_context(progress_bar(total=total, desc=f"score {file_name(place)}", unit=" frames"))
        try:
            for frame in scores:
                raw.append(frame.raw)
                smooth.append(frame.smoothed)
                times.append(frame.seconds)
                if frame.objects.frames and frame.objects.frames[0] != last:
                    last = frame.objects.frames[0]
                    kept.extend(frame.objects.chosen(threshold.reached(frame.objects.scores)))
                score = float(threshold.calibrated(np.array([frame.smoothed]))[0])
                if score >= threshold.value and not above:
                    when = iso_time(frame.seconds) if live else f"{frame.seconds:9.2f} s"
                    tqdm.write(f"{when}  event begins, anomaly score {threshold.shown(score)}")
                    sys.stdout.flush()
                above = score >= threshold.value
                if write:
                    write(drawn(frame.number, frame.image, frame.smoothed, frame.objects))
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
        "lost": live.lost if live else 0,
    }
    told = {**facts(scorer, threshold, scores.scene, True), "latency": latency}
    if live and live.fault:
        told["broke_off"] = str(live.fault)
    shown = None if live else getattr(frames, "times", None)
    taken = np.array(times) if live else None
    return VideoResult(place, frames.fps, kept, np.array(raw), np.array(smooth), threshold, shown, told, taken)


class Drawing:
    """Draws the frames of a video in order."""

    def __init__(self, overlay: Overlay, threshold: Threshold) -> None:
        self._overlay, self._threshold = overlay, threshold

    def __call__(self, number: int, image: np.ndarray, score: float, objects: Objects) -> np.ndarray:
        """The picture of one frame, RGB, uint8 [H, W, 3], with its smoothed score and the objects that are shown."""
        calibrated = float(self._threshold.calibrated(np.array([score]))[0])
        boxes, box_scores = np.array(objects.boxes).reshape(-1, 4), self._threshold.calibrated(np.array(objects.scores))
        shown = Shown(number, boxes, box_scores, calibrated, calibrated >= self._threshold.value)
        return self._overlay.draw(image, shown)


def facts(scorer: VideoScorer, threshold: Threshold, scene: SceneMatch | None, online: bool) -> dict[str, Any]:
    """What `events.json` says of how a video was scored."""
    detector, settings = scorer.detector, scorer.settings
    judged = {"judged_by": scene.name or "all", "nearest": scene.nearest, "cosine": scene.likeness} if scene else {}
    normal = [metrics.smooth(raw, smoothing(online)) for raw in detector.normal[scorer.counts]]
    joined = max(1, round(settings.events.join * 25))
    alarms = sum(len(find_events(own, threshold.calibrated(own), threshold.value, joined)) for own in normal)
    return {
        "state": detector.state.name,
        "digest": detector.state.digest,
        "scorer": scorer.counts,
        "smoothing": smoothing(online),
        "stride": scorer.stride,
        "scene": judged,
        "note": scene.note if scene else "the video ended before the background was known: nothing was scored",
        "level": {
            "false_alarms": settings.events.false_alarms,
            "rarity": threshold.value,
            "supported_rarity": round(threshold.supported, 3),
            "held_out_normal": {
                "seconds": round(detector.normal_seconds, 2),
                "share_of_frames": threshold.share_reached,
                "events": alarms,
            },
        },
    }
