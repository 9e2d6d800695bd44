"""Calibrations kept beside the states that they belong to: made once, and good wherever a state is copied to."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import write_bytes
from dist_vad.base.log import log
from dist_vad.base.sealed_arrays import read_arrays, sealed_arrays
from dist_vad.base.tensors import tensors_digest
from dist_vad.scoring.calibrating import calibrate_all
from dist_vad.scoring.calibration import SCORING_VERSION, Calibration
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.packed import ARRAYS, packed, unpacked
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import TASKS

CALIBRATION = "calibration.safetensors"
"""The file in a state's folder."""
SETTINGS = {"score": ScoreSettings, "task": TaskSettings}
"""The parts of a basis that are settings. One that came after a calibration was made had its default then."""
VERSION = [3, SCORING_VERSION]
"""Of the file, and of what scores mean."""


@dataclass(frozen=True)
class KeptCalibration:
    """A calibration, what it depends on, and what else its file holds."""

    calibration: Calibration
    basis: dict[str, Any]
    """`basis_of` the scorer and the normal video that it was made with."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class UnfitError(Exception):
    """A file that holds no calibration, or one of something else; says why."""


def basis_of(scorer: Scorer, normal: NormalVideo) -> dict[str, Any]:
    """All that a calibration depends on, as JSON has it; no digests of normal video that is not at hand."""
    basis = {
        "version": VERSION,
        "weights": tensors_digest(scorer.network.state_dict()),
        "tasks": [*scorer.tasks],
        "score": dataclasses.asdict(scorer.settings),
        "task": dataclasses.asdict(scorer.task_settings),
        "kind": normal.kind,
        "normal video": normal.digests,
    }
    return json.loads(json.dumps(basis))


def read_fitting(path: Path, basis: dict[str, Any]) -> KeptCalibration:
    """The calibration at `path`. Raises UnfitError where there is none that was made on that basis; where the basis has
    no normal video, that of the file is taken as it is."""
    kept = read(path)
    for part, expected in basis.items():
        actual = kept.basis.get(part)
        if part in SETTINGS and isinstance(actual, dict):
            actual = {**json.loads(json.dumps(dataclasses.asdict(SETTINGS[part]()))), **actual}
        if actual != expected and not (part == "normal video" and not expected):
            shown = [str(value)[:60] for value in (actual, expected)]
            raise UnfitError(f"is of {part} {shown[0]}, the state's are {shown[1]}")
    return kept


def calibrations(scorers: Sequence[Scorer], paths: Sequence[Path], normal: NormalVideo) -> list[KeptCalibration]:
    """The calibration of each scorer, kept at its path; those that are missing, damaged or of something else are made.

    Raises InputError where that is not possible, since the normal video is not at hand.
    """
    found: dict[int, KeptCalibration] = {}
    bases, reasons = [basis_of(scorer, normal) for scorer in scorers], {}
    for number, (path, basis) in enumerate(zip(paths, bases)):
        try:
            found[number] = read_fitting(path, basis)
        except UnfitError as error:
            reasons[number] = str(error)
    if reasons and not normal.is_there:
        number, reason = next(iter(reasons.items()))
        raise InputError(
            f"{paths[number]} {reason}, and the normal video to make it anew is not at {normal.settings.shards}; "
            "evaluate or score once on the machine that trained the state, where the run's folder and its shards are, "
            f"then copy the state's folder with the {CALIBRATION} in it"
        )
    if reasons:
        made = calibrate_all([scorers[number] for number in reasons], normal.train, normal.val, normal.geometry)
        for number, calibration in zip(reasons, made):
            found[number] = KeptCalibration(calibration, bases[number])
            write(paths[number], found[number])
    return [found[number] for number in range(len(scorers))]


def write(path: Path, kept: KeptCalibration) -> None:
    """Keep a calibration at `path`, whole or not at all; where that is not allowed, say so."""
    arrays, facts = packed(kept.calibration)
    arrays |= {name: value for name, value in kept.arrays.items() if not name.startswith(ARRAYS)}
    facts = {**kept.facts, "basis": kept.basis, **facts}
    try:
        write_bytes(path, sealed_arrays(arrays, json.dumps(facts)))
    except PermissionError as error:
        log.warning("warning: the calibration cannot be kept (%s); it is made anew each time", error)


def read(path: Path) -> KeptCalibration:
    """The calibration at `path`, whatever it was made of. Raises UnfitError where there is no whole one, or one of
    another version."""
    try:
        arrays, text = read_arrays(path)
        facts = json.loads(text)
        if facts["basis"]["version"] != VERSION:
            raise UnfitError("was written by another version of dist_vad")
        calibration = unpacked(TASKS, arrays, facts)
    except FileNotFoundError:
        raise UnfitError("does not exist") from None
    except Damaged as error:
        raise UnfitError(str(error).removeprefix(f"{path} ")) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnfitError(f"does not read: {error}") from error
    return KeptCalibration(calibration, facts["basis"], arrays, facts)
