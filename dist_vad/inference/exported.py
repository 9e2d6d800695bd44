"""An exported state: all that scoring needs but torch, in one folder.

The graph of the heads stands in a file of its engine; `exported.safetensors` holds what is normal, how scores are made
of the heads' outputs, and the settings with which cubes were cut.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import file_sha256
from dist_vad.base.head_scores import HEAD_SCORES, HeadOutput
from dist_vad.base.sealed_arrays import read_arrays
from dist_vad.inference.base import BaseDetector
from dist_vad.inference.engines import GRAPHS, Engine, open_engine
from dist_vad.scoring.packed import unpacked
from dist_vad.settings.data import DataSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.score import ScoreSettings

EXPORTED = "exported.safetensors"
FOLDER = "exported"
"""Within the folder of a state, where nothing else is said."""
VERSION = 5


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

    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> dict[str, HeadOutput]:
        """The heads' outputs by task.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB.
            scene: f_scene of all of them, float32 [D_B], or of each, float32 [N, D_B].
        """
        size, parts = self.settings.batch, []
        features = np.broadcast_to(scene, (len(clips), scene.shape[-1]))
        for start in range(0, len(clips), size):
            chunk, scenes = clips[start : start + size], features[start : start + size]
            last = np.minimum(np.arange(size), len(chunk) - 1)
            parts.append([output[: len(chunk)] for output in self.engine(chunk[last], scenes[last])])
        return {
            name: HeadOutput(np.concatenate([part[place] for part in parts]), features)
            for place, name in enumerate(self.tasks)
        }


@dataclass(frozen=True)
class ExportedDetector(BaseDetector):
    """Scores cubes of any video, as a Detector does: its scores are the same to 1e-5.

    For example:

        detector = ExportedDetector.load("runs/demo/states/inference-…/exported", "onnx")
        result = detector.score("walk.mp4", stride=2)
    """

    state: ExportedState
    scorer: ExportedScorer

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
        calibration, ends = unpacked(kinds, arrays, facts), np.cumsum(facts["normal_lengths"])[:-1]
        return cls(
            ExportedState(path.parent, facts["state"], facts["digest"]),
            ExportedScorer(open_engine(engine, path.parent), [*kinds], score),
            calibration,
            settings_of(DataSettings, facts["data"], path),
            dict(zip(facts["scene_names"], arrays["scenes"])),
            {name: np.split(arrays[f"normal.{name}"], ends) for name in calibration.scores_without_objects},
            facts["normal_seconds"],
        )


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
