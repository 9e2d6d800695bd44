"""What computes the heads' outputs of an exported state: ONNX Runtime or OpenVINO, without torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.machine import usable_cores

FILES = {"onnx": "heads.onnx", "openvino": "heads.xml"}
"""Engine -> the file of its graph in the folder of an exported state."""
GRAPHS = {"onnx": ("heads.onnx",), "openvino": ("heads.xml", "heads.bin")}
"""Engine -> all files of its graph."""
Engine = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]
"""Clips uint8 [B, T, S, S, 3] and scene features float32 [B, D_B] -> the output of each head, float32 [B, M]."""


def open_engine(name: str, folder: Path) -> Engine:
    """The engine of an exported state. Raises InputError where its package or its graph is missing."""
    path = folder / FILES[name]
    if not path.is_file():
        raise InputError(f"{path} is missing; `dist-vad export STATE --format {name}` writes it")
    return {"onnx": _onnx, "openvino": _openvino}[name](path)


def _onnx(path: Path) -> Engine:
    runtime = _package("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda clips, scenes: session.run(None, _given(names, clips, scenes))


def _openvino(path: Path) -> Engine:
    openvino = _package("openvino", "openvino")
    # Said outright: on some machines its own choice is bfloat16.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": usable_cores()}
    model = openvino.Core().compile_model(str(path), "CPU", settings)
    names = [one.get_any_name() for one in model.inputs]

    def run(clips: np.ndarray, scenes: np.ndarray) -> list[np.ndarray]:
        answer = model(_given(names, clips, scenes))
        return [np.array(answer[output]) for output in model.outputs]

    return run


def _given(names: list[str], clips: np.ndarray, scenes: np.ndarray) -> dict[str, np.ndarray]:
    """The inputs by name; a graph whose heads ask for no scene has none."""
    return {name: value for name, value in (("clips", clips), ("scenes", scenes)) if name in names}


def _package(name: str, extra: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise InputError(
            f"--engine {extra} needs the package {name}, which is not installed ({error}): pip install {name}"
        ) from error
