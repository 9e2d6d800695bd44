"""Every kind of file that is read: how one comes about, and what a reader makes of it."""

import functools
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from miniature import settings_of

from dist_vad.base.sealed import read_lines, read_or, read_sealed, sealed_line, write_sealed
from dist_vad.base.sealed_arrays import read_arrays, sealed_arrays
from dist_vad.base.tensors import tensors_digest
from dist_vad.curriculum import heads
from dist_vad.curriculum.state import MODEL, STATE, State, read_state, save_state, save_tensors
from dist_vad.data.cache import ShardCache
from dist_vad.data.manifest import INDEX_DTYPE, MANIFEST, Manifest, ShardInfo, index_path, tar_path
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import LocalStore, Store, open_store
from dist_vad.evaluation.score_files import ScoreFiles, score_file_name
from dist_vad.inference.detector import CALIBRATION, Detector
from dist_vad.inference.engines import FILES
from dist_vad.inference.export import export
from dist_vad.inference.exported import EXPORTED, ExportedDetector
from dist_vad.judge.frame_files import PARQUET, read_frame_file, write_frame_scores
from dist_vad.metrics.results_file import METRICS, read_metrics, write_metrics
from dist_vad.producer.plan import make_plans
from dist_vad.producer.progress_records import read_record, record_name, write_record
from dist_vad.report import Row
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.stream import StreamSettings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import build_network
from dist_vad.training.checkpoint import CHECKPOINT, TENSORS, Checkpoint, Checkpoints
from dist_vad.watch.answers import Answers
from dist_vad.watch.journal import Journal


def untrained_state(run: Path, sets: Path, data: DataSettings) -> State:
    """A state that scores though nothing was learned: its weights are as they are drawn, so it costs no training.

    Of the task `prediction`, in the folder of a run over some shard sets.
    """
    settings = Settings(
        run=str(run), shards=str(sets), data=data, model=ModelSettings(width=4, embedding=16),
        stream=StreamSettings(streams=8), score=ScoreSettings(batch=4, calibration=16, refit=0),
        curriculum={"perception": StageSettings(tasks={"prediction": 1.0}, global_batch=8, steps=2)},
    )  # fmt: skip
    tasks = make_tasks({"prediction": 1.0}, settings.task)
    size = Manifest.load(sets / "cube-train").scene_size
    network = build_network(tasks.values(), width=4, embedding=16, scene_size=size, seed=0)
    facts = {"key": "k", "stage": "perception", "lineage": [], "tasks": [*tasks], "recipe": {}, "metrics": {}}
    write_sealed(run / "run.json", provenance(settings))
    return save_state(run / "states/perception-1", dict(network.state_dict()), **facts)


@dataclass(frozen=True)
class Kind:
    """One kind of file that is read: how it comes about, and how it is read."""

    path: Path
    read: Callable[[], Any]
    """What a reader makes of it, to compare."""
    instead: Any = None
    """What a reader gives where the file does not read and can be done without."""


class Elsewhere(LocalStore):
    """A folder that stands for a bucket: shards are read through the cache."""


def samples(shards: ShardSet) -> tuple[bytes, ...]:
    batch = shards.read(np.arange(len(shards)))
    return batch.clips.numpy().tobytes(), batch.scenes.numpy().tobytes(), batch.labels.numpy().tobytes()


def shard_set(sets: Path, folder: Path) -> Path:
    return Path(shutil.copytree(sets / "cube-train", folder / "cube-train"))


def manifest_file(sets, dataset, folder):
    copy = shard_set(sets, folder)
    return Kind(copy / MANIFEST, lambda: Manifest.load(copy))


def index_file(sets, dataset, folder):
    copy = shard_set(sets, folder)
    return Kind(index_path(copy, Manifest.load(copy).shards[0]), lambda: samples(ShardSet(copy)))


def tar_file(sets, dataset, folder):
    copy = shard_set(sets, folder)
    return Kind(tar_path(copy, Manifest.load(copy).shards[0]), lambda: samples(ShardSet(copy)))


def cached_tar(sets, dataset, folder):
    """A copy in the cache of a shard that is well in its bucket."""
    cache = ShardCache(folder / "cache", 10**9)
    remote: Store = Elsewhere(sets / "cube-train")
    shards = ShardSet(remote, cache)
    shards._cache = cache
    shard = shards.manifest.shards[0]
    path = cache.path(remote, shard)

    def read() -> tuple[bytes, ...]:
        shards._open.cache_clear()
        return samples(shards)

    return Kind(path, read)


def progress_record(sets, dataset, folder):
    plan = make_plans(dataset, folder / "out")[0]
    video = plan.videos[0]
    write_record(plan, video, {"video": {"name": video.name, "frames": 14, "fps": 25.0}, "shards": []})
    return Kind(folder / "out" / plan.name / record_name(video), lambda: read_record(plan, video))


def a_state(folder: Path) -> Path:
    facts = {"key": "k", "stage": "perception", "lineage": ["a"], "tasks": ["prediction"]}
    tensors = {"w": torch.linspace(0, 1, 40).reshape(5, 8), "b": torch.arange(3)}
    metrics = {"train": {"prediction": 0.25}, "val": {}}
    return save_state(folder / "state", tensors, **facts, recipe={"seed": 0}, metrics=metrics).folder


def read_a_state(folder: Path) -> Any:
    state = read_state(folder)
    return state, {name: tensor.tolist() for name, tensor in state.load().items()}


def state_file(sets, dataset, folder):
    state = a_state(folder)
    return Kind(state / STATE, lambda: read_a_state(state))


def weights_file(sets, dataset, folder):
    state = a_state(folder)
    return Kind(state / MODEL, lambda: read_a_state(state))


def checkpoint(folder: Path, name: str) -> Kind:
    """The newer one of two checkpoints: where it does not read, the older one is taken."""
    checkpoints = Checkpoints(open_store(folder / "stage"), keep=2)
    for step in (10, 20):
        facts = {"skipped": 1, "losses": {"prediction": 0.5}, "best": 0.25}
        checkpoints.save(Checkpoint(step, {"weights": {"w": torch.full((4, 3), float(step))}}, facts))
    checkpoints.wait()

    def read() -> Any:
        found = checkpoints.latest()
        assert found is not None
        return found.step, found.facts, [t.tolist() for t in found.groups["weights"].values()]

    older = (10, {"skipped": 1, "losses": {"prediction": 0.5}, "best": 0.25}, [torch.full((4, 3), 10.0).tolist()])
    return Kind(folder / "stage/step-00000020" / name, read, older)


def checkpoint_file(sets, dataset, folder):
    return checkpoint(folder, CHECKPOINT)


def checkpoint_tensors(sets, dataset, folder):
    return checkpoint(folder, TENSORS)


def score_file(sets, dataset, folder):
    shard = ShardInfo(name="v-0000", video="v", samples=9, bytes=1, sha256="ab" * 32, index_sha256="cd" * 32)
    files = ScoreFiles(open_store(folder), "inference", ["key"])
    index = np.zeros(9, INDEX_DTYPE)
    index["frame"], index["box"] = np.arange(9), np.linspace(0, 30, 36).reshape(9, 4)
    files.write(shard, index, {"fused": np.linspace(0.1, 4, 9)})
    columns = ["frame", "object", "x1", "y1", "x2", "y2", "fused"]
    path = next(folder.rglob(score_file_name(shard)))
    return Kind(path, lambda: next(files.read([shard], columns)).to_pydict())


def record(folder: Path, name: str, facts: dict) -> Kind:
    path = folder / name
    write_sealed(path, facts)
    return Kind(path, lambda: read_or(path, {}), {})


def data_json(sets, dataset, folder):
    return record(folder, "data.json", {"shards/cube-train": "0123456789abcdef"})


def micro_batch_json(sets, dataset, folder):
    return record(folder, "micro_batch.json", {"perception-0123456789ab": 16})


def measured_json(sets, dataset, folder):
    return record(folder, "measured.json", {"rows": [{"scorer": "fused", "micro_auc": 0.9125, "note": ""}]})


def run_json(sets, dataset, folder):
    path = folder / "run.json"
    write_sealed(path, {"command": "dist-vad train", "settings": {"seed": 3, "train": {"checkpoints": None}}})
    return Kind(path, lambda: read_sealed(path, ("command", "settings")))


def progress_json(sets, dataset, folder):
    path = folder / "progress.json"
    write_sealed(path, {"stage": "perception", "step": 10, "loss": {"prediction": 0.5}, "seconds_left": 3.0})
    return Kind(path, lambda: read_sealed(path))


def times_jsonl(sets, dataset, folder):
    path = folder / "times.jsonl"
    path.write_bytes(sealed_line({"what": "measure", "amount": 512, "seconds": 3.25}))
    return Kind(path, lambda: read_lines(path, ("what", "amount", "seconds")), [])


def event_lines(sets, dataset, folder):
    """The journal of a service that watches cameras."""
    journal = Journal(folder)
    journal.write({"type": "end", "id": "door-1", "time": "2026-11-26T10:00:00.000Z", "begin": "x", "score": 3.5})
    return Kind(folder / "events/2026-11-26.jsonl", lambda: [*Journal(folder).lines()], [])


def answers_jsonl(sets, dataset, folder):
    event = {"id": "door-1", "score": 3.5, "camera": "door", "threshold": 2.0, "snapshot": "media/x/door-1.jpg"}
    Answers(folder).give(event, "false_alarm")
    nobody = {"false_alarms": 0, "anomalies": 0, "lowest_anomaly": None, "false_alarms_below_it": None}
    return Kind(folder / "answers.jsonl", lambda: Answers(folder).summary(), nobody)


def kept_calibration(sets, dataset, folder):
    """What is beside a state, beneath its reader: arrays and facts."""
    path = folder / "calibration.safetensors"
    path.write_bytes(sealed_arrays({"memory.a": np.linspace(0, 1, 50), "scenes": np.eye(3)}, '{"weights": {"a": 0.5}}'))

    def read() -> Any:
        arrays, facts = read_arrays(path)
        return {name: array.tolist() for name, array in arrays.items()}, facts

    return Kind(path, read)


def fitted_heads(sets, dataset, folder):
    weights = {"heads.a": torch.linspace(0, 1, 40)}
    path = folder / "untrained.safetensors"
    save_tensors(path, weights, {heads.DIGEST: tensors_digest(weights)})
    return Kind(path, lambda: {name: one.tolist() for name, one in heads.read_fitted(path).items()})


def frame_scores(sets, dataset, folder):
    manifest = Manifest.load(sets / "cube-test")
    scores = {video.name: np.linspace(0, 2, video.frames) for video in manifest.videos}
    row = Row(group="", phase="inference", scorer="fused", smoothing="none", micro_auc=0.5)
    given = {"inference": {"fused": scores}}
    write_frame_scores(folder, manifest, given, [row], row, 10, {"command": "dist-vad evaluate"})

    def read() -> Any:
        file = read_frame_file(folder / PARQUET)
        columns = {one.name: {name: own.tolist() for name, own in one.scores.items()} for one in file.columns}
        return columns, file.videos, file.provenance, file.headline

    return Kind(folder / PARQUET, read)


def metrics_json(sets, dataset, folder):
    """As `dist_vad.evaluate`, the model card and the tracker of experiments read it."""
    row = {"phase": "inference", "scorer": "fused", "micro_auc": 0.9125, "micro_auc_interval": [0.88, math.nan]}
    write_metrics(folder, final=row, rows=[row], provenance={"data": {"test": {"content digest": "ab12"}}})
    return Kind(folder / METRICS, lambda: read_metrics(folder / METRICS))


def calibration_of_a_state(sets, dataset, folder):
    """What a detector has beside its weights, on a machine without the shards to make it anew of."""
    state = untrained_state(folder / "run", sets, dataset)
    Detector.load(state, "cpu")
    (folder / "run/run.json").unlink()

    def read() -> Any:
        own = Detector.load(state, "cpu")
        return own.normal["fused"][0].tolist(), own.calibration.weights, [one.tolist() for one in own.scenes.values()]

    return Kind(state.folder / CALIBRATION, read)


@functools.cache
def export_of(sets: Path, root: Path) -> Path:
    """A folder with a state for both engines; made once."""
    folder = sets.with_name(f"{sets.name}-exported")
    detector = Detector.load(untrained_state(folder / "run", sets, settings_of(root)), "cpu")
    for form in FILES:
        export(detector, form, folder / "exported")
    return folder / "exported"


def exported(sets: Path, dataset: DataSettings, folder: Path, engine: str, name: str) -> Kind:
    """A file of an exported state, and how that scores."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    copy = Path(shutil.copytree(export_of(sets, Path(dataset.root or "")), folder / "exported"))
    size = dataset.cube_size
    clips = np.arange(4 * dataset.clip_length * size * size * 3, dtype=np.int64) % 251
    clips = clips.astype(np.uint8).reshape(4, dataset.clip_length, size, size, 3)

    def read() -> Any:
        own = ExportedDetector.load(copy, engine)
        scene, feature = next(iter(own.scenes.items()))
        return own.scores(clips, feature, scene)["fused"].tolist()

    return Kind(copy / name, read)


def onnx_graph(sets, dataset, folder):
    return exported(sets, dataset, folder, "onnx", "heads.onnx")


def openvino_graph(sets, dataset, folder):
    return exported(sets, dataset, folder, "openvino", "heads.xml")


def openvino_weights(sets, dataset, folder):
    return exported(sets, dataset, folder, "openvino", "heads.bin")


def exported_facts(sets, dataset, folder):
    return exported(sets, dataset, folder, "onnx", EXPORTED)


KINDS = [
    metrics_json, calibration_of_a_state, onnx_graph, openvino_graph, openvino_weights, exported_facts,
    times_jsonl, event_lines, answers_jsonl, kept_calibration, fitted_heads, frame_scores,
    manifest_file, index_file, tar_file, cached_tar, progress_record, state_file, weights_file, checkpoint_file,
    checkpoint_tensors, score_file, data_json, micro_batch_json, measured_json, run_json, progress_json,
]  # fmt: skip


EXPORTS = (onnx_graph, openvino_graph, openvino_weights, exported_facts)
