"""What every entry point does first: check the settings, make missing shards, note down how the run was started."""

import dataclasses
import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from dist_vad.accelerators import make_accelerator
from dist_vad.commandline import CONFIGS
from dist_vad.config import Settings
from dist_vad.curriculum import check_tasks
from dist_vad.errors import InputError
from dist_vad.manifest import MANIFEST, Manifest
from dist_vad.stages import remarks, stages_of
from dist_vad.storage import write_json
from dist_vad.store import open_store
from dist_vad.tasks import TASKS
from shards.job import write_shards

DATA = "data.json"
"""In a run's folder: the digests of the shard sets that it read first."""
VERSIONS = ("dist-vad", "torch", "accelerate", "deepspeed", "webdataset", "numpy")
DEFAULT_CONFIG = CONFIGS / "default.yaml"


def open_run(settings: Settings, needs: list[str]) -> Accelerator:
    """Check the settings, write the shard sets among `needs` that are missing, write `run.json`.

    Args:
        needs: shard sets such as `cube-train` that the caller is going to read.
    """
    check_tasks(settings)
    run = Path(settings.run)
    accelerator = make_accelerator(settings.train, run)
    if accelerator.is_main_process:
        for remark in remarks(stages_of(settings)):
            print(f"remark: {remark}", flush=True)
        _make_missing_shards(settings, needs)
        _check_unchanged(settings, needs)
        write_json(run / "run.json", provenance(settings))
    accelerator.wait_for_everyone()
    accelerator.init_trackers("dist_vad")
    return accelerator


def training_needs(settings: Settings) -> list[str]:
    """The shard sets that the curriculum reads."""
    kinds = {TASKS[task].kind for stage in stages_of(settings).values() for task in stage.tasks}
    return ["cube-train", "cube-val", *(f"{kind}-train" for kind in sorted(kinds - {"cube"}))]


def provenance(settings: Settings) -> dict[str, Any]:
    """How a run came about: command, settings, versions, commit, machine, time."""
    return {
        "command": shlex.join(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "settings": dataclasses.asdict(settings),
        "versions": {name: version(name) for name in VERSIONS if find_spec(name.replace("-", "_"))},
        "python": platform.python_version(),
        "machine": _machine(),
        "hardware": _hardware(),
        "ranks": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _make_missing_shards(settings: Settings, needs: list[str]) -> None:
    root = settings.shards
    store = open_store(root)
    missing = [name for name in needs if store.child(name).size(MANIFEST) is None]
    if missing:
        print(
            f"shard sets missing in {root}: {', '.join(missing)}; writing them now ({settings.data.dataset})",
            flush=True,
        )
        write_shards(settings.data, root)


def _check_unchanged(settings: Settings, needs: list[str]) -> None:
    """Refuse shard sets that hold other samples than when this run first read them: half of what was trained, or of
    what was scored, would be of the one and half of the other."""
    path = Path(settings.run) / DATA
    then = json.loads(path.read_text()) if path.is_file() else {}
    now = {
        f"{root}/{name}": Manifest.load(store).content_digest
        for root, place in ((root, open_store(root)) for root in [settings.shards, *settings.mix])
        for name in needs
        if (store := place.child(name)).size(MANIFEST) is not None
    }
    changed = [name for name in now if then.get(name, now[name]) != now[name]]
    if changed:
        how = "; ".join(f"{name} was {then[name][:12]}, now {now[name][:12]}" for name in changed)
        raise InputError(
            f"shard sets changed since {settings.run} began: {how}; choose another --run, or bring back the shards "
            f"that it began with"
        )
    write_json(path, {**then, **now})


def _commit() -> str:
    """The git commit of the code, with a + where the tree has changes; `unknown` outside a checkout."""
    here = Path(__file__).resolve().parent
    ask = ["git", "-C", str(here)]
    try:
        commit = subprocess.run([*ask, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*ask, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")


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
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
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
