"""A state with all that scoring any video needs, in one folder that can be copied to a machine without shards.

Beside a state's `model.safetensors` and `state.json` lies `calibration.safetensors`: what is normal (the memory, the
rarities, the weights of the heads), the frame scores of held-out normal video, the scene features of the training
scenes, and the settings with which cubes were cut and scored. It is made once, from the run's shard sets.
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
from dist_vad.base.progress import progress_bar
from dist_vad.curriculum.state import State, tensors_digest
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.scoring.calibration import SCORING_VERSION, Calibration, calibrate
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.tail_calibration import Rarity
from dist_vad.settings.data import DataSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.run import Settings, TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import Measured, make_tasks
from dist_vad.tasks.network import build_network, load_weights

CALIBRATION = "calibration.safetensors"
RUN = "run.json"
DEPLOYED_VERSION = 1
NORMAL_CUBES = 20_000
"""Most held-out normal cubes that are scored to set the level of events; whole videos, evenly spaced."""


@dataclass(frozen=True)
class DeployedState:
    """A state that can score cubes of any video."""

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

    def scores(self, clips: np.ndarray, feature: np.ndarray, scene: str) -> dict[str, np.ndarray]:
        """Scores of cubes of one video: float64 [N] by the names of Calibration.scores.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            feature: f_scene of the video, float32 [D_B].
            scene: the training scene by whose normal cubes they are judged; any other name = all scenes together.
        """
        measured = self.scorer.measure_clips(clips, feature)
        return self.calibration.scores(measured, scene, self.scorer.settings.neighbours)

    def nearest_scene(self, feature: np.ndarray) -> tuple[str, float]:
        """(name, cosine) of the training scene that looks most like a video's f_scene."""
        likeness = {name: float(feature @ known) for name, known in self.scenes.items()}
        name = max(likeness, key=lambda some: likeness[some])
        return name, likeness[name]


def open_deployed(state: State, device: torch.device, batch: int | None = None) -> DeployedState:
    """A state ready to score; its calibration is read, or made and written where it is not there yet.

    Args:
        batch: score so many cubes at once instead of as many as at calibration.

    Raises InputError where there is no calibration of these weights and it cannot be made.
    """
    path = state.folder / CALIBRATION
    if not path.is_file():
        _make(state, path, device)
    arrays, facts = _read(path, state)
    data, score = settings_of(DataSettings, facts["data"], path), settings_of(ScoreSettings, facts["score"], path)
    model, task = settings_of(ModelSettings, facts["model"], path), settings_of(TaskSettings, facts["task"], path)
    score = dataclasses.replace(score, batch=batch or score.batch)
    scorer = _scorer(state, model, task, score, facts["scene_size"], facts["seed"], device)
    places = arrays["memory_scenes"]
    calibration = Calibration(
        {task: Measured(arrays[f"memory.{task}"], places) for task in state.tasks},
        {task: _rarity(facts["rarities"][task]) for task in state.tasks},
        facts["weights"],
        facts["floors"],
    )
    normal = {
        name: np.split(arrays[f"normal.{name}"], np.cumsum(facts["normal_lengths"])[:-1]) for name in facts["floors"]
    }
    scenes = dict(zip(facts["scene_names"], arrays["scenes"]))
    return DeployedState(state, scorer, calibration, data, scenes, normal, facts["normal_seconds"])


def run_settings(state: State) -> Settings:
    """The settings of the run that a state belongs to. Raises InputError where they are not at hand."""
    path = state.folder.parent.parent / RUN
    if not path.is_file():
        raise InputError(
            f"state {state.folder} has no {CALIBRATION}, and without {path} it cannot be made: score a video once on "
            f"the machine that trained the state, where the run's folder and its shards are, then copy the state's "
            f"folder with the {CALIBRATION} in it"
        )
    return settings_of(Settings, json.loads(path.read_text())["settings"], path)


def _make(state: State, path: Path, device: torch.device) -> None:
    """Calibrate a state by the run's shard sets, and write that down."""
    settings = run_settings(state)
    root = open_store(settings.shards)
    train, val = (open_set(settings, shard_store(root, "cube", split)) for split in ("train", "val"))
    facts = train.manifest
    print(f"calibrating {state.folder.name} on normal video of {settings.shards}, once", flush=True)
    scorer = _scorer(state, settings.model, settings.task, settings.score, facts.scene_size, settings.seed, device)
    calibration = calibrate(scorer, train, val)
    lengths, seconds, normal = _normal_scores(scorer, calibration, val)
    names, scenes = _scene_features(train)
    arrays = {
        "memory_scenes": next(iter(calibration.memory.values())).scenes,
        **{f"memory.{task}": measured.values for task, measured in calibration.memory.items()},
        **{f"normal.{name}": values for name, values in normal.items()},
        "scenes": scenes,
    }
    kept = {
        "version": [DEPLOYED_VERSION, SCORING_VERSION],
        "weights_digest": state.digest,
        "data": facts.settings,
        "model": dataclasses.asdict(settings.model),
        "task": dataclasses.asdict(settings.task),
        "score": dataclasses.asdict(settings.score),
        "scene_size": facts.scene_size,
        "seed": settings.seed,
        "shards": {"train": facts.content_digest, "val": val.manifest.content_digest},
        "rarities": {task: dataclasses.asdict(rarity) for task, rarity in calibration.rarities.items()},
        "weights": calibration.weights,
        "floors": calibration.floors,
        "normal_lengths": lengths,
        "normal_seconds": seconds,
        "scene_names": names,
    }
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    write_bytes(path, save(contiguous, {"facts": json.dumps(kept)}))


def _read(path: Path, state: State) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of a calibration. Raises InputError where it is damaged, or of other weights or versions."""
    again = "delete it and score again on the machine that has the run's shards, which makes it anew"
    try:
        with safe_open(path, "numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not read: {error}; {again}") from error
    if facts["version"] != [DEPLOYED_VERSION, SCORING_VERSION]:
        raise InputError(f"{path} was written by another version of dist_vad; {again}")
    if facts["weights_digest"] != state.digest:
        raise InputError(
            f"{path} is of weights {facts['weights_digest'][:12]}, the state's are {state.digest[:12]}; {again}"
        )
    return arrays, facts


def _scorer(
    state: State,
    model: ModelSettings,
    task: TaskSettings,
    score: ScoreSettings,
    scene_size: int,
    seed: int,
    device: torch.device,
) -> Scorer:
    """The network of a state as an evaluation builds it."""
    made = make_tasks(state.tasks, task).values()
    network = build_network(made, **dataclasses.asdict(model), scene_size=scene_size, seed=seed)
    load_weights(network, state.load(), made)
    return Scorer(network, state.tasks, tensors_digest(network.state_dict()), score, task, device)


def _normal_scores(
    scorer: Scorer, calibration: Calibration, val: ShardSet
) -> tuple[list[int], float, dict[str, np.ndarray]]:
    """(frames of each video, seconds of all, score -> their raw frame scores end to end) of held-out normal video."""
    manifest = val.manifest
    videos = manifest.videos[:: max(1, len(val) // NORMAL_CUBES)]
    frames: dict[str, list[np.ndarray]] = {name: [] for name in calibration.floors}
    for video in progress_bar(videos, desc="score held-out normal video", unit=" videos"):
        numbers = [number for number, shard in enumerate(manifest.shards) if shard.video == video.name]
        found: dict[str, list[np.ndarray]] = {name: [np.zeros(0)] for name in frames}
        places = [np.zeros(0, np.int64)]
        for number in numbers:
            ids = np.arange(val.starts[number], val.starts[number + 1])
            scores = calibration.scores(scorer.measure(val, ids), video.scene, scorer.settings.neighbours)
            places.append(val.index(number)["frame"].astype(np.int64))
            for name, some in found.items():
                some.append(scores[name])
        for name, some in found.items():
            frames[name].append(
                metrics.frame_scores(
                    np.concatenate(places),
                    np.concatenate(some),
                    length=video.frames,
                    stride=manifest.stride,
                    margin=manifest.clip_length // 2,
                    floor=calibration.floors[name],
                )
            )
    seconds = sum(video.frames / video.fps for video in videos)
    return [video.frames for video in videos], seconds, {name: np.concatenate(some) for name, some in frames.items()}


def _scene_features(train: ShardSet) -> tuple[list[str], np.ndarray]:
    """Names of the training scenes, and the mean f_scene of their videos as unit vectors: float32 [S, D_B]."""
    of_video = {video.name: video.scene for video in train.manifest.videos}
    first = {shard.video: int(train.starts[number]) for number, shard in reversed([*enumerate(train.manifest.shards)])}
    features: dict[str, list[np.ndarray]] = {}
    for video, sample in first.items():
        features.setdefault(of_video[video], []).append(train.read(np.array([sample])).scenes[0].numpy())
    means = {name: np.mean(some, axis=0) for name, some in sorted(features.items())}
    return list(means), np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means.values()])


def _rarity(facts: dict[str, Any]) -> Rarity:
    """A Rarity from what JSON made of it."""
    moments = {name: tuple(some) for name, some in facts["by_scene"].items()}
    return Rarity(moments, tuple(facts["overall"]), tuple(facts["levels"]), facts["excess"])
