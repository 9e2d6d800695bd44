"""From the heads' outputs to the scores of objects, in numpy alone: the same for a network of torch as for an exported
one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dist_vad.base.head_scores import HeadOutput, HeadScore
from dist_vad.scoring.tail_calibration import TailCalibration

FUSED = "fused"
ORDER = 3
"""Of the norm by which several scores become one. A sum (order 1) thins out what one score alone has seen, and a
maximum (order infinity) believes every single false alarm; chosen by synthetic anomalies (docs/EXPERIMENTS.md, 11)."""


def calibrated_name(task: str) -> str:
    """The column of a task's calibrated anomaly scores."""
    return f"rarity_{task}"


def fuse(weights: Mapping[str, float], calibrated: Mapping[str, np.ndarray]) -> np.ndarray:
    """The norm of order ORDER of several calibrated anomaly scores, each times its weight: float64 [B], 0 or more.

    >>> fuse({"prediction": 0.5, "virtual": 0.5}, {"prediction": np.array([4.0]), "virtual": np.array([0.0])})
    array([2.])
    """
    weighted = [weight * calibrated[name] for name, weight in weights.items()]
    return np.linalg.norm(weighted, ORDER, axis=0)


def raw_scores(
    kinds: Mapping[str, type[HeadScore]], outputs: Mapping[str, HeadOutput], banks: Mapping[str, Any], neighbours: int
) -> dict[str, np.ndarray]:
    """The score of each task, float64 [B], by its kind and with its memory bank."""
    return {name: kinds[name].score(own, banks[name], neighbours) for name, own in outputs.items()}


def fusion_inputs(
    kinds: Mapping[str, type[HeadScore]], outputs: Mapping[str, HeadOutput], raw: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What of each task is calibrated and enters `fused`: float64 [B]."""
    return {name: kinds[name].fusion_input(own, raw[name]) for name, own in outputs.items()}


def columns(
    raw: Mapping[str, np.ndarray], calibrated: Mapping[str, np.ndarray], weights: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """All scores of some objects by the names of their columns: by task, `rarity_TASK`, `fused`."""
    named = {calibrated_name(name): value for name, value in calibrated.items()}
    return {**raw, **named, FUSED: fuse(weights, calibrated)}


def scene_scores(
    inputs: Mapping[str, np.ndarray],
    tails: Mapping[str, TailCalibration],
    scenes: str | np.ndarray,
    places: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Calibrated anomaly scores by task of cubes of one scene, or of several, named one by one: float64 [B]; places as
    `TailCalibration` takes them."""
    if isinstance(scenes, str):
        return {name: tails[name](value, scenes, places) for name, value in inputs.items()}
    return {name: tails[name].each(value, scenes, places) for name, value in inputs.items()}
