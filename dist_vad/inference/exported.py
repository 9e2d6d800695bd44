"""An exported state: all that scoring needs but torch, in one folder.

The graph of the heads stands in a file of its engine; `exported.safetensors` holds what is normal, how scores are made
of the heads' outputs, and the settings with which cubes were cut.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import file_sha256
from dist_vad.base.head_scores import HEAD_SCORES, HeadOutput, HeadScore
from dist_vad.base.sealed_arrays import read_arrays
from dist_vad.inference.engines import GRAPHS, Engine, open_engine
from dist_vad.scoring.object_scores import columns, fusion_inputs, raw_scores, scene_scores
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.settings.data import DataSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.score import ScoreSettings
from dist_vad.video.scene_feature import most_alike

if TYPE_CHECKING:
    from dist_vad.inference.outputs import VideoResult

EXPORTED = "exported.safetensors"
FOLDER = "exported"
"""Within the folder of a state, where nothing else is said."""
VERSION = 2


@dataclass(frozen=True)
class ExportedState:
    """By what an exported state is known."""

    folder: Path
    name: str
    """Of the state's folder."""
    digest: str
    """Of the weights from which it was exported."""


@dataclass(frozen=True)
class ExportedScorer:
    """The network, as the engine runs it, in batches of one size."""

    engine: Engine
    tasks: list[str]
    """In the order of the graph's outputs."""
    settings: ScoreSettings

    def measure_clips(self, clips: np.ndarray, features: np.ndarray) -> dict[str, HeadOutput]:
        """The heads' outputs by task; `clips`: uint8 [N, T, S, S, 3]; `features`: f_scene of each, float32 [N, D_B]."""
        size, parts = self.settings.batch, []
        for start in range(0, len(clips), size):
            chunk, scenes = clips[start : start + size], features[start : start + size]
            last = np.minimum(np.arange(size), len(chunk) - 1)
            parts.append([output[: len(chunk)] for output in self.engine(chunk[last], scenes[last])])
        return {
            name: HeadOutput(np.concatenate([part[place] for part in parts]), features)
            for place, name in enumerate(self.tasks)
        }


@dataclass(frozen=True)
class ExportedCalibration:
    """What is normal, as the state knew it."""

    kinds: dict[str, type[HeadScore]]
    banks: dict[str, Any]
    tails: dict[str, TailCalibration]
    weights: dict[str, float]
    scores_without_objects: dict[str, float]


@dataclass(frozen=True)
class ExportedDetector:
    """Scores cubes of any video, as a Detector does: its scores are the same to 1e-5.

    For example:

        detector = ExportedDetector.load("runs/demo/states/inference-…/exported", "onnx")
        result = detector.score("walk.mp4", stride=2)
    """

    state: ExportedState
    scorer: ExportedScorer
    calibration: ExportedCalibration
    data: DataSettings
    scenes: dict[str, np.ndarray]
    normal: dict[str, list[np.ndarray]]
    normal_seconds: float

    @classmethod
    def load(cls, folder: Path | str, engine: str) -> "ExportedDetector":
        """The exported state in a folder, or in `exported` within the folder of its state.

        Raises InputError where there is none, or where the package of the engine is missing.
        """
        folder = Path(folder)
        path = next((own for own in (folder / EXPORTED, folder / FOLDER / EXPORTED) if own.is_file()), None)
        if path is None:
            raise InputError(f"{folder} holds no {EXPORTED}; `dist-vad export STATE --format {engine}` makes it")
        arrays, facts = read_exported(path)
        _check_graph(path.parent, GRAPHS[engine], facts["graphs"])
        score = settings_of(ScoreSettings, facts["score"], path)
        kinds = {task: HEAD_SCORES[name] for task, name in facts["kinds"].items()}
        scenes = arrays["memory_scenes"]
        banks = {
            task: kind.memory_bank(HeadOutput(arrays[f"memory.{task}"], scenes)) for task, kind in kinds.items()
        }  # fmt: skip
        ends = np.cumsum(facts["normal_lengths"])[:-1]
        return cls(
            ExportedState(path.parent, facts["state"], facts["digest"]),
            ExportedScorer(open_engine(engine, path.parent), [*kinds], score),
            ExportedCalibration(
                kinds, banks, {task: TailCalibration.of_facts(tail) for task, tail in facts["tails"].items()},
                facts["weights"], facts["scores_without_objects"],
            ),
            settings_of(DataSettings, facts["data"], path),
            dict(zip(facts["scene_names"], arrays["scenes"])),
            {name: np.split(arrays[f"normal.{name}"], ends) for name in facts["scores_without_objects"]},
            facts["normal_seconds"],
        )  # fmt: skip

    def scores(self, clips: np.ndarray, feature: np.ndarray, scene: str) -> dict[str, np.ndarray]:
        """Scores of cubes of one video: float64 [N]; as `Detector.scores`."""
        return self._scores(clips, np.tile(feature, (len(clips), 1)), scene)

    def scores_of_each(self, clips: np.ndarray, features: np.ndarray, scenes: np.ndarray) -> dict[str, np.ndarray]:
        """The same for cubes of several videos at once: f_scene of each, float32 [N, D_B], and its scene, str [N]."""
        return self._scores(clips, features, scenes)

    def score(self, video: str | Path | np.ndarray, *, fps: float = 25.0, **settings: Any) -> "VideoResult":
        """The frame scores, events and objects of a whole video; as `Detector.score`."""
        from dist_vad.inference.scoring import score_video  # which needs this module

        return score_video(self, video, {"mp4": False, "fps": fps, **settings})

    def nearest_scene(self, feature: np.ndarray) -> tuple[str, float]:
        """(name, cosine) of the training scene that looks most like a video's f_scene."""
        return most_alike(self.scenes, feature)

    def _scores(self, clips: np.ndarray, features: np.ndarray, scenes: str | np.ndarray) -> dict[str, np.ndarray]:
        own, outputs = self.calibration, self.scorer.measure_clips(clips, features)
        raw = raw_scores(own.kinds, outputs, own.banks, self.scorer.settings.neighbours)
        calibrated = scene_scores(fusion_inputs(own.kinds, outputs, raw), own.tails, scenes)
        return columns(raw, calibrated, own.weights)


def read_exported(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of an exported state. Raises InputError where they are other than were written."""
    arrays, text = read_arrays(path)
    facts = json.loads(text)
    if facts["version"] != VERSION:
        raise InputError(f"{path} was exported by another version of dist_vad; export the state again")
    return arrays, facts


def _check_graph(folder: Path, names: tuple[str, ...], digests: dict[str, str]) -> None:
    for path in (folder / name for name in names):
        if not path.is_file() and path.name in digests:
            raise Damaged(f"{path} is missing, but {EXPORTED} names it; export the state again")
        if path.is_file() and file_sha256(path) != digests.get(path.name):
            raise Damaged(f"{path} is damaged, or of another export than {EXPORTED}; export the state again")
