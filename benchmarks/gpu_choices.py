"""What might pay on a GPU and is not the default: each choice beside what is done today, in one run.

python benchmarks/gpu_choices.py [--steps N] [--width W] [--batch B]

Steps a second of a bare loop over one network: AdamW as it is, with one kernel for all parameters (`fused`), and with
the passes as CUDA graphs (torch.compile, mode reduce-overhead). JPEG strips a second: decoded by OpenCV on one core,
and by torchvision on the device (nvJPEG), where torchvision is installed. Without a GPU the same on the CPU, without
graphs. The last line is JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dist_vad.data.codec import decode_all, encode
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import Inputs, make_tasks
from dist_vad.tasks.network import build_network
from dist_vad.training.stage_module import StageModule

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
WARM = 3
SHAPE = (9, 48, 48, 3)


def per_second(work: Callable[[], Any], times: int) -> float:
    """How often a second the device does some work, after a warm-up."""
    began = 0.0
    for number in range(times + WARM):
        if number == WARM:
            _wait()
            began = time.perf_counter()
        work()
    _wait()
    return times / (time.perf_counter() - began)


def _wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def steps_per_second(width: int, batch: int, steps: int, *, fused: bool = False, graphs: bool = False) -> float:
    """Of forward, backward and optimizer in bf16, with data that lies on the device."""
    tasks = make_tasks(["prediction"], TaskSettings())
    network = build_network(tasks.values(), width=width, embedding=64, scene_size=6, seed=0)
    module = StageModule(network, ["prediction"], TaskSettings(), "bf16").to(DEVICE)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=fused)
    generator = torch.Generator().manual_seed(0)
    clip = torch.rand(batch, 3, *SHAPE[:3], generator=generator).to(DEVICE)
    inputs = {
        "cube": Inputs(clip, torch.rand(batch, 6, device=DEVICE), torch.zeros(batch, dtype=torch.int64, device=DEVICE))
    }
    draws = {"prediction": torch.zeros(batch, 0, device=DEVICE)}
    forward = torch.compile(module, mode="reduce-overhead") if graphs else module

    def step() -> None:
        forward(inputs, draws)["prediction"].mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return per_second(step, steps)


def strips_per_second(count: int) -> dict[str, float | None]:
    """JPEG strips that OpenCV decodes on one core, and torchvision on the device; None without torchvision."""
    clips = np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    strips = [encode(clip, "jpeg") for clip in clips]
    out, views = np.empty_like(clips), [memoryview(strip) for strip in strips]
    found: dict[str, float | None] = {"jpeg_opencv": count * per_second(lambda: decode_all(views, out, "jpeg"), 3)}
    try:
        from torchvision.io import decode_jpeg  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {**found, "jpeg_device": None}
    tensors = [torch.frombuffer(bytearray(strip), dtype=torch.uint8) for strip in strips]
    on_device = per_second(lambda: decode_jpeg(tensors, device=DEVICE.type), 3)
    return {**found, "jpeg_device": count * on_device}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    given = parser.parse_args()
    size = (given.width, given.batch, given.steps)
    plain = steps_per_second(*size)
    found = {"fused_vs_plain": steps_per_second(*size, fused=True) / plain}
    if DEVICE.type == "cuda":
        found["graphs_vs_plain"] = steps_per_second(*size, graphs=True) / plain
    rounded = {name: value and round(value, 3) for name, value in (found | strips_per_second(64)).items()}
    device = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU"
    print(json.dumps({"device": device, "steps_per_second": round(plain, 2), **rounded}))


if __name__ == "__main__":
    main()
