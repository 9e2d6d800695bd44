"""A video cut to cubes and scored by a state: all of it at once, or frame by frame as it comes."""

import dataclasses
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.base.progress import progress_bar
from dist_vad.base.text.names import file_stem
from dist_vad.base.text.secrets import without_credentials
from dist_vad.inference.base import BaseDetector
from dist_vad.inference.online import HeldScore, Latency, Moment, OnlineCubes
from dist_vad.inference.outputs import Objects
from dist_vad.scoring.combined import COMBINED
from dist_vad.scoring.geometry import box_places, features_of_video
from dist_vad.scoring.object_scores import FUSED
from dist_vad.scoring.velocity import VELOCITY, flow_features
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.parsing import typed
from dist_vad.settings.video import VideoSettings
from dist_vad.video.background import median_background
from dist_vad.video.cubes import Sample, cut_cubes
from dist_vad.video.detectors import make_detector
from dist_vad.video.detectors.base import ObjectDetector
from dist_vad.video.files import open_frames, video_name
from dist_vad.video.live import LiveFrames, is_stream
from dist_vad.video.progress_frames import ProgressFrames
from dist_vad.video.scene_feature import scene_feature
from dist_vad.video.source import Frames, Video

CHUNK = 256
"""Cubes that wait to be scored together."""
UNKNOWN_SCENE = 0.9
"""A video whose scene feature has a smaller cosine than this with every training scene shows another place."""


@dataclass(frozen=True)
class SceneMatch:
    """The scene that a video shows, as far as training knows it."""

    feature: np.ndarray
    """f_scene, float32 [D_B]."""
    name: str
    """The training scene by whose normal cubes it is judged; empty for a place that no training video shows."""
    nearest: str
    """The training scene that looks most like it."""
    likeness: float
    """Cosine of the two."""

    @property
    def note(self) -> str:
        """What a user should know of it; empty where there is nothing."""
        if self.name:
            return ""
        return (
            f"this place looks like no training scene (nearest is {self.nearest}, cosine {self.likeness:.2f}): its "
            "scores are judged by all training scenes together, and what is normal here was never seen; --scene names "
            "one where that is wrong"
        )


class VideoScorer:
    """Scores videos by one state; `counts` names the score that counts.

    For example, with a Detector:

        scorer = VideoScorer(detector, VideoSettings(stride=2))
        objects, frame_scores, scene = scorer.offline("walk.mp4", scorer.open("walk.mp4"))
    """

    def __init__(self, detector: BaseDetector, settings: VideoSettings) -> None:
        """Raises InputError for a scorer, a scene or a detector that the state does not allow."""
        self.detector, self.settings = detector, settings
        self.data = dataclasses.replace(detector.data, detector=_detector_settings(detector.data, settings))
        self.stride = settings.stride or self.data.test_stride
        self.counts = counted(detector, settings)
        if settings.scene is not None and settings.scene not in detector.scenes:
            raise InputError(f"scene is {settings.scene!r}; this state knows {', '.join(detector.scenes)}")
        self.score_without_objects = detector.calibration.scores_without_objects[self.counts]

    def open(self, place: str) -> Frames | LiveFrames:
        """The frames of a video file, a folder of pictures, or a stream."""
        if is_stream(place):
            return LiveFrames(place)
        path = Path(place)
        if not path.exists():
            raise InputError(f"no video at {path}; expected a video file, a folder of pictures, a camera (0) or a URL")
        return open_frames(path, self.settings.fps)

    def match_scene(self, background: np.ndarray) -> SceneMatch:
        """The training scene that a background shows, as far as it shows one."""
        feature = scene_feature(self.data, background)
        nearest, likeness = self.detector.nearest_scene(feature)
        name = self.settings.scene or (nearest if likeness >= UNKNOWN_SCENE else "")
        return SceneMatch(feature, name, nearest, likeness)

    def offline(self, place: str, frames: Frames) -> tuple[Objects, np.ndarray, SceneMatch]:
        """(objects, raw frame scores float64 [T], scene) of a video that is there as a whole.

        The speeds of boxes, which `combined` needs, are those of the whole video: known once all are found.
        """
        background = median_background(frames)
        scene = self.match_scene(background)
        detector = self.object_detector(place, background, len(frames))
        objects, parts = Objects(), []
        with progress_bar(total=len(frames), desc=f"score {file_name(place)}", unit=" frames") as bar:
            samples = cut_cubes(
                ProgressFrames(frames, bar),
                detector,
                length=self.data.clip_length,
                size=self.data.cube_size,
                context=self.data.context,
                stride=self.stride,
                frames_at_once=self.data.detector.batch,
            )
            while chunk := list(islice(samples, CHUNK)):
                objects.add([sample.frame for sample in chunk], [sample.box for sample in chunk])
                parts.append(self._columns(chunk, scene))
        if parts:
            columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            objects.scores = self._object_scores(columns, objects, scene).tolist()
        raw = metrics.frame_scores(
            np.array(objects.frames, np.int64),
            np.array(objects.scores),
            length=len(frames),
            stride=self.stride,
            margin=self.data.clip_length // 2,
            without_objects=self.score_without_objects,
        )
        return objects, raw, scene

    def online(self, place: str, frames: Frames | LiveFrames) -> "OnlineScores":
        """The scores of a video frame by frame, from what was seen so far."""
        return OnlineScores(self, place, frames)

    def _columns(self, samples: list[Sample], scene: SceneMatch) -> dict[str, np.ndarray]:
        """What some cubes by themselves tell for the score that counts: columns by name [n], for `combined` VELOCITY
        too, the features of their motion [n, 10]."""
        clips = np.stack([sample.clip for sample in samples])
        where = box_places([sample.box for sample in samples])
        columns = self.detector.scores(clips, scene.feature, scene.name, places=where)
        if self.counts == COMBINED:
            return {**columns, VELOCITY: flow_features(clips)}
        return {self.counts: columns[self.counts]}

    def _object_scores(self, columns: dict[str, np.ndarray], objects: Objects, scene: SceneMatch) -> np.ndarray:
        """The score that counts of all objects of a video, float64 [N], from what `_columns` says of them."""
        if self.counts != COMBINED:
            return columns[self.counts]
        combined = self.detector.calibration.combined
        assert combined, "else it could not count"
        boxes = features_of_video(
            np.array(objects.frames), np.array(objects.boxes), self.stride, self.data.clip_length // 2
        )
        return combined(columns, columns[VELOCITY], boxes, scene.name)

    def object_detector(self, place: str, background: np.ndarray, frames: int) -> ObjectDetector:
        """The object detector for one video of so many frames; 0 for a stream."""
        source = Path(place)
        video = Video(
            name=file_name(place),
            split="test",
            scene="",
            identity="",
            open=lambda: open_frames(source, self.settings.fps),
            source_name=place if is_stream(place) else video_name(source),
        )
        return make_detector(self.data, video, background, frames)


@dataclass(frozen=True)
class OnlineFrame:
    """One frame, as soon as its score is known."""

    number: int
    image: np.ndarray
    """RGB, uint8 [H, W, 3]."""
    raw: float
    """nan before the first scored frame."""
    smoothed: float
    seconds: float
    """When it was taken: from the begin of the video; of a stream, since 1970."""
    objects: Objects
    """Of this frame, or of the last one that was scored where this one was not."""


class OnlineScores:
    """Scores of one video in order of its frames, each from nothing later than (clip_length - 1) / 2 frames after it.

    Until the background is known, and for the frames before the first scored one, the score is nan; frames between
    two sampled ones, and frames that are left out because the machine is too slow, hold the last score.
    """

    def __init__(self, scorer: VideoScorer, place: str, frames: Frames | LiveFrames) -> None:
        self._scorer, self._frames = scorer, frames
        self.latency = Latency()
        self._live = frames if isinstance(frames, LiveFrames) else None
        self._cubes = OnlineCubes(scorer, place, frames.fps, 0 if isinstance(frames, LiveFrames) else len(frames))
        self._shown: np.ndarray | None = getattr(frames, "times", None)
        self._most_waiting = scorer.settings.max_lag * frames.fps
        self._held, self._objects = HeldScore(), Objects()
        self._times: deque[float] = deque(maxlen=self._cubes.half + 1)

    @property
    def scene(self) -> SceneMatch | None:
        """The scene that the video shows, once its background is known."""
        return self._cubes.scene

    @property
    def left_out(self) -> int:
        """Frames that were not scored because too many waited."""
        return self._cubes.left_out

    def __iter__(self) -> Iterator[OnlineFrame]:
        for number, frame in enumerate(self._frames):
            came = self._live.arrived if self._live else time.monotonic()
            self._times.append(self._live.taken if self._live else self._seconds(number))
            moment = self._cubes.see(frame, gap=bool(self._live and self._live.gap), late=self._is_late)
            if moment:
                yield self._scored(moment, self._times[0], came)
        times = list(self._times)[-self._cubes.half :]
        for moment, seconds in zip(self._cubes.rest(), times):
            yield self._scored(moment, seconds, 0.0)

    def _seconds(self, number: int) -> float:
        return number / self._frames.fps if self._shown is None else float(self._shown[number])

    @property
    def _is_late(self) -> bool:
        live = self._live
        return live is not None and not live.is_finite and live.waiting > self._most_waiting

    def _scored(self, moment: Moment, seconds: float, came: float) -> OnlineFrame:
        if moment.samples is not None:
            self._objects = Objects()
            self._held.next(self._score(moment.samples, moment.boxes))
            self.latency.add(time.monotonic() - came)
        elif moment.ready:
            self._held.next(None)
        return OnlineFrame(moment.number, moment.image, self._held.raw, self._held.smoothed, seconds, self._objects)

    def _score(self, samples: list[Sample], boxes: np.ndarray | None) -> float:
        """The raw score of a frame: the maximum over its objects, or the score without objects."""
        if not samples:
            return self._scorer.score_without_objects
        scorer, scene = self._scorer, self.scene
        assert scene is not None
        clips = np.stack([sample.clip for sample in samples])
        boxes = boxes if scorer.counts == COMBINED else None
        frames, found = [sample.frame for sample in samples], [sample.box for sample in samples]
        columns = scorer.detector.scores(clips, scene.feature, scene.name, boxes, box_places(found))
        scores = columns[scorer.counts]
        self._objects = Objects(frames, found, scores.tolist())
        return float(scores.max())


def counted(detector: BaseDetector, settings: VideoSettings) -> str:
    """The name of the score that counts: the one that was asked for, else `combined` where the state has it, else
    `fused`. Raises InputError for one that the state has not."""
    if settings.scorer is None:
        return COMBINED if COMBINED in detector.normal else FUSED
    if settings.scorer not in detector.normal:
        raise InputError(f"scorer is {settings.scorer!r}; this state has {', '.join(detector.normal)}")
    return settings.scorer


def _detector_settings(data: DataSettings, settings: VideoSettings) -> DetectorSettings:
    """The detector of the state, with what the user changed; another one by name starts from its own defaults."""
    given = settings.detector
    if data.detector.name == "boxes" and not {"name", "boxes"} & given.keys():
        raise InputError(
            "this state's cubes were cut around boxes read from a file, which says nothing of other videos; give "
            "--detector.boxes FILE with the boxes of these, or find objects anew: --detector.name motion (or darknet, "
            "yolo), whose boxes may differ from those that the state knows"
        )
    chosen = typed(
        DetectorSettings, "detector", given if "name" in given else {**dataclasses.asdict(data.detector), **given}
    )
    if unread := [key for key in chosen.unread if key in given]:
        raise InputError(
            f"detector.{unread[0]} is {given[unread[0]]!r}, which the detector `{chosen.name}` does not read; leave it "
            "out, or name one with --detector.name that does"
        )
    return chosen


def file_name(place: str) -> str:
    """A name for files, from a path, a camera's number or a URL."""
    if is_stream(place):
        plain = place if place.isdigit() else without_credentials(place)
        plain = "".join(c if c.isalnum() else "_" for c in plain)
        return f"camera_{plain}" if place.isdigit() else file_stem(plain)
    return file_stem(video_name(Path(place).resolve()))
