"""What `train.precision: auto` stands for: chosen once for a run, and kept with it."""

import dataclasses
from pathlib import Path

import torch

from dist_vad.base.machine import has_bf16
from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.settings.run import Settings

PRECISION = "precision.json"
"""In a run's folder: what `auto` chose. States are named by it, so a restart on another machine takes the same."""


def chosen_precision(settings: Settings) -> str:
    """The precision in which a run computes: what its settings say, and for `auto` what the run began with, or else
    what pays for itself on this machine."""
    if settings.train.precision != "auto":
        return settings.train.precision
    path = Path(settings.run) / PRECISION
    return read_sealed(path)["precision"] if path.is_file() else fast_precision()


def keep_precision(settings: Settings) -> str:
    """Note down in the run's folder what `auto` chose; returns the precision of the run. The main process calls it
    before any other asks."""
    chosen = chosen_precision(settings)
    if settings.train.precision == "auto":
        write_sealed(Path(settings.run) / PRECISION, {"precision": chosen})
    return chosen


def with_scoring_precision(settings: Settings) -> Settings:
    """The settings with what `score.precision: auto` stands for in this run."""
    if settings.score.precision != "auto":
        return settings
    chosen = "bf16" if chosen_precision(settings) == "bf16" else "no"
    return dataclasses.replace(settings, score=dataclasses.replace(settings.score, precision=chosen))


def fast_precision() -> str:
    """bf16 where this machine has units for its products, on the GPU or the CPU; else `no`, fp32."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "no"
    return "bf16" if has_bf16() else "no"
