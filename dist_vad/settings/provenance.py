"""How a run came about: command, settings, versions, commit and machine."""

import dataclasses
import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from dist_vad.base.commit import commit
from dist_vad.base.machine import usable_cores, usable_memory
from dist_vad.base.text.redact import all_redacted, redacted
from dist_vad.settings.run import Settings

RUN_KEYS = ("command", "started", "commit", "settings", "versions", "python", "machine", "hardware", "ranks")
"""Keys of what `provenance` gives."""
VERSIONS = ("dist-vad", "torch", "accelerate", "deepspeed", "webdataset", "numpy")


def provenance(settings: Settings) -> dict[str, Any]:
    """How a run came about: command, settings, versions, commit, machine, time."""
    return {
        "command": redacted(shlex.join(sys.argv)),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "settings": all_redacted(dataclasses.asdict(settings)),
        "versions": {name: version(name) for name in VERSIONS if find_spec(name.replace("-", "_"))},
        "python": platform.python_version(),
        "machine": _machine(),
        "hardware": _hardware(),
        "ranks": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {torch.get_num_threads()} threads"


def _hardware() -> dict[str, Any]:
    """What the run was started on: this machine, and all of its GPUs."""
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return {
        "host": platform.node(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_gb": round(usable_memory() / 1e9, 1),
        "gpus": [{"name": gpu.name, "memory_gb": round(gpu.total_memory / 1e9, 1)} for gpu in gpus],
        "cuda": torch.version.cuda if gpus else None,
    }


def _cpu_name() -> str:
    """As the system knows it; where it does not say, the kind of processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
