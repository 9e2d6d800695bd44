"""Calibrations as arrays and facts: what is kept of them beside a state, and in an exported one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dist_vad.base.head_scores import HeadOutput, HeadScore
from dist_vad.scoring.calibration import Calibration
from dist_vad.scoring.combined import Combined
from dist_vad.scoring.geometry import GEOMETRY, Geometry
from dist_vad.scoring.tail_calibration import TailCalibration
from dist_vad.scoring.velocity import VELOCITY, Velocity

ARRAYS = ("memory", "rarities", GEOMETRY, VELOCITY)
"""What begins the names of the arrays."""


def packed(calibration: Calibration) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and facts as JSON has them."""
    arrays = {"memory_scenes": next(iter(calibration.normal.values())).scenes}
    arrays |= {f"memory.{task}": outputs.values for task, outputs in calibration.normal.items()}
    for task, tail in calibration.tails.items():
        arrays |= {f"rarities.{task}.{part}": values for part, values in tail.arrays.items()}
    combined = calibration.combined
    unlearned = {GEOMETRY: combined.geometry, VELOCITY: combined.velocity} if combined else {}
    for name, neighbours in unlearned.items():
        arrays |= {f"{name}.{part}": values for part, values in neighbours.arrays.items()}
    facts = {
        "rarities": {task: tail.facts for task, tail in calibration.tails.items()},
        "weights": calibration.weights,
        "floors": calibration.least,
        "shares": calibration.shares,
        "trials": calibration.synthetic_auc,
        **{name: unlearned[name].facts if combined else None for name in (GEOMETRY, VELOCITY)},
    }
    return arrays, facts


def unpacked(
    kinds: Mapping[str, type[HeadScore]], arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> Calibration:
    """The calibration that `packed` took apart; `kinds`: how each of its tasks makes its scores. Raises KeyError,
    TypeError, AttributeError or ValueError for what is none."""
    normal = {name: HeadOutput(arrays[f"memory.{name}"], arrays["memory_scenes"]) for name in facts["rarities"]}
    tails = {
        name: TailCalibration.of_facts(own, _named(arrays, f"rarities.{name}"))
        for name, own in facts["rarities"].items()
    }
    combined = None
    if facts[GEOMETRY] and facts[VELOCITY]:
        geometry = Geometry.of_arrays(_named(arrays, GEOMETRY), facts[GEOMETRY])
        combined = Combined(facts["shares"], geometry, Velocity.of_arrays(_named(arrays, VELOCITY), facts[VELOCITY]))
    return Calibration(kinds, normal, tails, facts["weights"], facts["floors"], facts["trials"], combined)


def _named(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with one, by what follows."""
    head = f"{name}."
    return {key.removeprefix(head): values for key, values in arrays.items() if key.startswith(head)}
