"""A state with all that scoring any video needs, in one folder that can be copied to a machine without shards.

Beside a state's `model.safetensors` and `state.json` lies `calibration.safetensors`: what is normal (the heads' outputs
for normal cubes, the calibration of their tails, the weights of the heads), the frame scores of held-out normal video,
the scene features of the training scenes, and the settings with which cubes were cut and scored. It is made once, from
the run's shard sets.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.base.files import write_bytes
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.base.sealed import read_sealed
from dist_vad.curriculum.state import State
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.scoring.calibration import SCORING_VERSION, Calibration, calibrated_scorer
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.settings.data import DataSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.provenance import RUN_KEYS
from dist_vad.settings.run import Settings, TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import HeadOutput

CALIBRATION = "calibration.safetensors"
RUN = "run.json"
DETECTOR_VERSION = 1
NORMAL_CUBES = 20_000
"""Most held-out normal cubes that are scored to set the threshold of events; whole videos, evenly spaced."""


@dataclass(frozen=True)
class Detector:
    """A state that can score cubes of any video.

    For example:

        detector = Detector.load(read_state(Path("runs/demo/states/inference-2f436122f911")), torch.device("cpu"))
        clips = np.zeros((1, detector.data.clip_length, detector.data.cube_size, detector.data.cube_size, 3), np.uint8)
        scene, feature = next(iter(detector.scenes.items()))
        detector.scores(clips, feature, scene)["fused"]
    """

    state: State
    scorer: Scorer
    calibration: Calibration
    data: DataSettings
    """How the cubes of training were cut."""
    scenes: dict[str, np.ndarray]
    """Training scene -> its f_scene, float32 [D_B]: the mean over its videos, a unit vector."""
    normal: dict[str, list[np.ndarray]]
    """Score -> raw frame scores [T] of each held-out normal video."""
    normal_seconds: float
    """How long those videos are together."""

    @classmethod
    def load(cls, state: State, device: torch.device, batch: int | None = None) -> "Detector":
        """A state ready to score; its calibration is read, or made and written where it is not there yet.

        Args:
            batch: score so many cubes at once instead of as many as at calibration.

        Raises InputError where there is no calibration of these weights and it cannot be made.
        """
        path = state.folder / CALIBRATION
        if not path.is_file():
            _make(state, path, device)
        arrays, facts = _read(path, state)
        data, settings = settings_of(DataSettings, facts["data"], path), _scoring_settings(facts, path, batch)
        scorer = Scorer.build(settings, state.load(), state.tasks, scene_size=facts["scene_size"], device=device)
        calibration = Calibration(
            {task: HeadOutput(arrays[f"memory.{task}"], arrays["memory_scenes"]) for task in state.tasks},
            {task: _tail_calibration(facts["rarities"][task]) for task in state.tasks},
            facts["weights"],
            facts["floors"],
        )
        ends = np.cumsum(facts["normal_lengths"])[:-1]
        normal = {name: np.split(arrays[f"normal.{name}"], ends) for name in facts["floors"]}
        scenes = dict(zip(facts["scene_names"], arrays["scenes"]))
        return cls(state, scorer, calibration, data, scenes, normal, facts["normal_seconds"])

    def scores(self, clips: np.ndarray, feature: np.ndarray, scene: str) -> dict[str, np.ndarray]:
        """Scores of cubes of one video: float64 [N] by the names of Calibration.scores.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            feature: f_scene of the video, float32 [D_B].
            scene: the training scene by whose normal cubes they are judged; any other name = all scenes together.
        """
        outputs = self.scorer.measure_clips(clips, feature)
        return self.calibration.scores(outputs, scene, self.scorer.settings.neighbours)

    def nearest_scene(self, feature: np.ndarray) -> tuple[str, float]:
        """(name, cosine) of the training scene that looks most like a video's f_scene."""
        likeness = {name: float(feature @ own) for name, own in self.scenes.items()}
        name = max(likeness, key=lambda scene: likeness[scene])
        return name, likeness[name]


def _scoring_settings(facts: dict[str, Any], path: Path, batch: int | None) -> Settings:
    """Settings of which those count that decide scores, as they were at calibration, but for the batch."""
    score = settings_of(ScoreSettings, facts["score"], path)
    return Settings(
        model=settings_of(ModelSettings, facts["model"], path),
        task=settings_of(TaskSettings, facts["task"], path),
        score=dataclasses.replace(score, batch=batch or score.batch),
        seed=facts["seed"],
    )


def run_settings(state: State) -> Settings:
    """The settings of the run that a state belongs to. Raises InputError where they are not at hand."""
    path = state.folder.parent.parent / RUN
    if not path.is_file():
        raise InputError(
            f"state {state.folder} has no {CALIBRATION}, and without {path} it cannot be made: score a video once on "
            f"the machine that trained the state, where the run's folder and its shards are, then copy the state's "
            f"folder with the {CALIBRATION} in it"
        )
    return settings_of(Settings, read_sealed(path, RUN_KEYS)["settings"], path)


def _make(state: State, path: Path, device: torch.device) -> None:
    """Calibrate a state by the run's shard sets, and write that down."""
    settings = run_settings(state)
    root = open_store(settings.shards)
    train, val = (open_set(settings, shard_store(root, "cube", split)) for split in ("train", "val"))
    manifest = train.manifest
    log.info("calibrating %s on normal video of %s, once", state.folder.name, settings.shards)
    scorer, calibration = calibrated_scorer(settings, state.load(), state.tasks, train, val, device)
    lengths, seconds, normal = _normal_scores(scorer, calibration, val)
    names, scenes = _scene_features(train)
    arrays = {
        "memory_scenes": next(iter(calibration.normal.values())).scenes,
        **{f"memory.{task}": outputs.values for task, outputs in calibration.normal.items()},
        **{f"normal.{name}": values for name, values in normal.items()},
        "scenes": scenes,
    }
    facts = {
        "version": [DETECTOR_VERSION, SCORING_VERSION],
        "weights_digest": state.digest,
        "data": manifest.settings,
        "model": dataclasses.asdict(settings.model),
        "task": dataclasses.asdict(settings.task),
        "score": dataclasses.asdict(settings.score),
        "scene_size": manifest.scene_size,
        "seed": settings.seed,
        "shards": {"train": manifest.content_digest, "val": val.manifest.content_digest},
        "rarities": {task: dataclasses.asdict(tail) for task, tail in calibration.tails.items()},
        "weights": calibration.weights,
        "floors": calibration.scores_without_objects,
        "normal_lengths": lengths,
        "normal_seconds": seconds,
        "scene_names": names,
    }
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    write_bytes(path, save(contiguous, {"facts": json.dumps(facts)}))


def _read(path: Path, state: State) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of a calibration. Raises InputError where it is damaged, or of other weights or versions."""
    again = "delete it and score again on the machine that has the run's shards, which makes it anew"
    try:
        with safe_open(path, "numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not read: {error}; {again}") from error
    if facts["version"] != [DETECTOR_VERSION, SCORING_VERSION]:
        raise InputError(f"{path} was written by another version of dist_vad; {again}")
    if facts["weights_digest"] != state.digest:
        raise InputError(
            f"{path} is of weights {facts['weights_digest'][:12]}, the state's are {state.digest[:12]}; {again}"
        )
    return arrays, facts


def _normal_scores(
    scorer: Scorer, calibration: Calibration, val: ShardSet
) -> tuple[list[int], float, dict[str, np.ndarray]]:
    """(frames of each video, seconds of all, score -> their raw frame scores end to end) of held-out normal video."""
    manifest = val.manifest
    videos = manifest.videos[:: max(1, len(val) // NORMAL_CUBES)]
    frames: dict[str, list[np.ndarray]] = {name: [] for name in calibration.scores_without_objects}
    for video in progress_bar(videos, desc="score held-out normal video", unit=" videos"):
        shards = [number for number, shard in enumerate(manifest.shards) if shard.video == video.name]
        scored: dict[str, list[np.ndarray]] = {name: [np.zeros(0)] for name in frames}
        numbers = [np.zeros(0, np.int64)]
        for number in shards:
            ids = np.arange(val.starts[number], val.starts[number + 1])
            scores = calibration.scores(scorer.measure(val, ids), video.scene, scorer.settings.neighbours)
            numbers.append(val.index(number)["frame"].astype(np.int64))
            for name, values in scored.items():
                values.append(scores[name])
        for name, values in scored.items():
            frames[name].append(
                metrics.frame_scores(
                    np.concatenate(numbers),
                    np.concatenate(values),
                    length=video.frames,
                    stride=manifest.stride,
                    margin=manifest.clip_length // 2,
                    without_objects=calibration.scores_without_objects[name],
                )
            )
    seconds = sum(video.frames / video.fps for video in videos)
    return [video.frames for video in videos], seconds, {name: np.concatenate(parts) for name, parts in frames.items()}


def _scene_features(train: ShardSet) -> tuple[list[str], np.ndarray]:
    """Names of the training scenes, and the mean f_scene of their videos as unit vectors: float32 [S, D_B]."""
    of_video = {video.name: video.scene for video in train.manifest.videos}
    first = {shard.video: int(train.starts[number]) for number, shard in reversed([*enumerate(train.manifest.shards)])}
    features: dict[str, list[np.ndarray]] = {}
    for video, sample in first.items():
        features.setdefault(of_video[video], []).append(train.read(np.array([sample])).scenes[0].numpy())
    means = {name: np.mean(own, axis=0) for name, own in sorted(features.items())}
    return list(means), np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means.values()])


def _tail_calibration(facts: dict[str, Any]) -> TailCalibration:
    """A TailCalibration from what JSON made of it."""
    moments = {name: tuple(pair) for name, pair in facts["by_scene"].items()}
    return TailCalibration(moments, tuple(facts["overall"]), tuple(facts["levels"]), facts["excess"])
