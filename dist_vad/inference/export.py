"""A state without torch: the outputs of all its heads as one graph, and beside it all that scores are made of."""

import contextlib
import dataclasses
import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import atomic_folder, bytes_sha256, write_bytes
from dist_vad.base.head_scores import HEAD_SCORES
from dist_vad.base.sealed_arrays import sealed_arrays
from dist_vad.inference.detector import Detector
from dist_vad.inference.engines import FILES, open_engine
from dist_vad.inference.exported import EXPORTED, VERSION, read_exported
from dist_vad.scoring.packed import packed
from dist_vad.tasks import TASKS, Inputs, Task

TOLERANCE = 1e-4
"""Most by which an output of the graph may differ from the network's, relative to the largest of that head."""


class Heads(nn.Module):
    """The outputs of all heads, from clips uint8 [B, T, S, S, 3] and scene features float32 [B, D_B]."""

    def __init__(self, network: nn.Module, tasks: dict[str, Task]) -> None:
        super().__init__()
        self.network, self.tasks = network, tasks

    def forward(self, clips: torch.Tensor, scenes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        labels = torch.full((clips.shape[0],), -1)
        inputs = Inputs.from_stored(clips, scenes, labels, torch.device("cpu"))
        backbone, heads = self.network.get_submodule("backbone"), self.network.get_submodule("heads")
        return tuple(
            task.measure(backbone, heads.get_submodule(task.phase), inputs).float() for task in self.tasks.values()
        )


def export(detector: Detector, form: str, folder: Path, batch: int | None = None) -> list[Path]:
    """Write a state for an engine (`onnx` or `openvino`) into a folder; returns the files.

    The graph takes `batch` objects at once, as many as at calibration where nothing is said; fewer are padded to it.

    The graph is run beside the network before it is written. Raises InputError where they differ, where a task has a
    way of its own to make scores, where the state is calibrated in bf16, and where a package is missing.
    """
    if detector.scorer.settings.precision != "no":
        raise InputError(
            f"{detector.state.folder.name} is calibrated in bf16, and an exported graph computes in fp32; evaluate "
            "once with --score.precision no, which calibrates it anew, and export it then"
        )
    kinds = {name: _kind(name) for name in detector.scorer.tasks}
    data, size = detector.data, len(next(iter(detector.scenes.values())))
    batch = batch or detector.scorer.settings.batch
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 256, (batch, data.clip_length, data.cube_size, data.cube_size, 3), np.uint8)
    scenes = draw.standard_normal((batch, size)).astype(np.float32)
    heads = Heads(detector.scorer.network.cpu(), detector.scorer.tasks).eval()
    content = _onnx_graph(heads, clips, scenes)
    with atomic_folder(folder.with_name(f"{folder.name}.new")) as partial:
        _write_graph(form, content, partial)
        expected = heads(torch.from_numpy(clips), torch.from_numpy(scenes))
        for name, own, graph in zip(kinds, expected, open_engine(form, partial)(clips, scenes)):
            _check_equal(name, own.detach().numpy(), graph)
        files = {path.name: path.read_bytes() for path in partial.iterdir()}
    for path in folder.with_name(f"{folder.name}.new").iterdir():
        path.unlink()
    folder.with_name(f"{folder.name}.new").rmdir()
    graphs = {name: bytes_sha256(content) for name, content in files.items()}
    files[EXPORTED] = _facts(detector, kinds, batch, {**_other_graphs(folder, detector, batch), **graphs})
    for name, content in files.items():
        write_bytes(folder / name, content)
    return [folder / name for name in files]


def _kind(task: str) -> str:
    """The name of the HeadScore by which a task makes its scores."""
    own = TASKS[task]
    methods = ("memory_bank", "score", "fusion_input")
    for name, kind in HEAD_SCORES.items():
        if all(getattr(own, method) is getattr(kind, method) for method in methods):
            return name
    raise InputError(
        f"the task {task} makes its scores by code of its own, which cannot be exported; let it inherit memory_bank, "
        f"score and fusion_input from one of {', '.join(HEAD_SCORES)} (dist_vad/base/head_scores.py)"
    )


def _onnx_graph(heads: Heads, clips: np.ndarray, scenes: np.ndarray) -> bytes:
    """The graph as ONNX has it, for batches of just that size."""
    example = (torch.from_numpy(clips), torch.from_numpy(scenes))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                heads, example, dynamo=True, input_names=["clips", "scenes"], output_names=[*heads.tasks],
                verbose=False,
            )  # fmt: skip
    except ImportError as error:
        raise InputError(f"export needs packages that are missing ({error}): pip install onnx onnxscript") from error
    assert program is not None
    return program.model_proto.SerializeToString()


def _write_graph(form: str, content: bytes, folder: Path) -> None:
    """The graph in the file of its engine."""
    onnx = folder / FILES["onnx"]
    onnx.write_bytes(content)
    if form == "onnx":
        return
    try:
        import openvino
    except ImportError as error:
        raise InputError("--format openvino needs openvino, which is not installed: pip install openvino") from error
    openvino.save_model(openvino.convert_model(str(onnx)), str(folder / FILES["openvino"]), compress_to_fp16=False)
    onnx.unlink()


def _check_equal(task: str, network: np.ndarray, graph: np.ndarray) -> None:
    apart = float(np.abs(network - graph).max() / max(float(np.abs(network).max()), 1e-12))
    if not apart <= TOLERANCE:
        raise InputError(f"the exported graph of {task} is {apart:.1e} apart from the network; nothing was written")


def _other_graphs(folder: Path, detector: Detector, batch: int) -> dict[str, str]:
    """Digests of the graphs of other engines that the same state was exported for, with the same batch."""
    try:
        facts = read_exported(folder / EXPORTED)[1]
    except (FileNotFoundError, Damaged, InputError):
        return {}
    same = facts["digest"] == detector.state.digest and facts["score"]["batch"] == batch
    return facts["graphs"] if same else {}


def _facts(detector: Detector, kinds: dict[str, str], batch: int, graphs: dict[str, str]) -> bytes:
    """What `ExportedDetector.load` reads."""
    arrays, calibration = packed(detector.calibration)
    arrays |= {
        **{f"normal.{name}": np.concatenate(parts) for name, parts in detector.normal.items()},
        "scenes": np.stack([*detector.scenes.values()]),
    }
    facts = {
        **calibration,
        "version": VERSION,
        "state": detector.state.folder.name,
        "digest": detector.state.digest,
        "kinds": kinds,
        "graphs": graphs,
        "data": dataclasses.asdict(detector.data),
        "score": {**dataclasses.asdict(detector.scorer.settings), "batch": batch},
        "normal_lengths": [len(part) for part in next(iter(detector.normal.values()))],
        "normal_seconds": detector.normal_seconds,
        "scene_names": [*detector.scenes],
    }
    return sealed_arrays(arrays, json.dumps(facts))
