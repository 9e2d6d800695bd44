"""What every detector does, whatever computes its network; without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dist_vad.base.head_scores import HeadOutput
from dist_vad.scoring.calibration import Calibration
from dist_vad.scoring.velocity import VELOCITY, flow_features
from dist_vad.settings.data import DataSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.video.scene_feature import most_alike

if TYPE_CHECKING:
    from dist_vad.inference.outputs import VideoResult


class KnownState(Protocol):
    """By what a state is known."""

    @property
    def folder(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...


class ClipScorer(Protocol):
    """A network and its heads."""

    @property
    def settings(self) -> ScoreSettings: ...
    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> Mapping[str, HeadOutput]: ...


@dataclass(frozen=True)
class BaseDetector:
    """A state that can score cubes of any video: a Detector, or an ExportedDetector."""

    state: KnownState
    scorer: ClipScorer
    calibration: Calibration
    data: DataSettings
    """How the cubes of training were cut."""
    scenes: dict[str, np.ndarray]
    """Training scene -> its f_scene, float32 [D_B]: the mean over its videos, a unit vector."""
    normal: dict[str, list[np.ndarray]]
    """Score -> raw frame scores [T] of each held-out normal video."""
    normal_seconds: float
    """How long those videos are together."""

    def scores(
        self,
        clips: np.ndarray,
        feature: np.ndarray,
        scene: str | np.ndarray,
        boxes: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Scores of cubes: float64 [N] by the names of Calibration.scores.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            feature: f_scene of their video, float32 [D_B]; of each, float32 [N, D_B], where there are several.
            scene: the training scene by whose normal cubes they are judged, or that of each, str [N]; any other name =
                all scenes together.
            boxes: features of their boxes, float64 [N, 5] (dist_vad/scoring/geometry.py: `box_features`,
                `features_of_video`); without them there is no `combined`.
            places: where they stand and how large they are, float64 [N, 3] (`places` there), where boxes are not given;
                without either, a cube is judged by its scene as a whole.
        """
        outputs = dict(self.scorer.measure_clips(clips, feature))
        if boxes is not None:
            outputs[VELOCITY] = HeadOutput(flow_features(clips), feature)
        return self.calibration.scores(outputs, scene, self.scorer.settings.neighbours, boxes, places)

    def score(self, video: str | Path | np.ndarray, *, fps: float = 25.0, **settings: Any) -> "VideoResult":
        """The frame scores, events and objects of a whole video.

        Args:
            video: a video file, a folder of pictures, or frames: uint8 [T, H, W, 3], RGB.
            fps: frames a second of a folder of pictures and of frames.
            settings: those of `dist-vad score`, such as stride=2, scorer="prediction" or events={"false_alarms": 0.001}
                (dist_vad.settings.video.VideoSettings). Nothing is written: `VideoResult.save` does that.

        Raises InputError for a video that does not read and for settings that the state does not allow.
        """
        from dist_vad.inference.scoring import score_video  # which needs this module

        return score_video(self, video, {"mp4": False, "fps": fps, **settings})

    def nearest_scene(self, feature: np.ndarray) -> tuple[str, float]:
        """(name, cosine) of the training scene that looks most like a video's f_scene."""
        return most_alike(self.scenes, feature)
