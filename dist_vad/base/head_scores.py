"""From what a head says of objects to their anomaly scores, in numpy alone: who only scores needs no torch."""

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg  # noqa: F401  (scipy has a BLAS of its own: loaded here, so that the controller finds it)
from threadpoolctl import ThreadpoolController

from dist_vad.base.spacing import evenly_spaced

one_thread = ThreadpoolController().wrap(limits=1, user_api="blas")
"""Decorates a function whose matrix products must not be shared out over threads, which changes how they are summed:
the same bits whatever the number of cores."""


class HeadOutput(NamedTuple):
    """What a head says of some cubes, and the scenes in which they are."""

    values: np.ndarray
    """float32 [B, M], as `Task.measure` gives it."""
    scenes: np.ndarray
    """float32 [B, D_B]: f_scene."""


class HeadScore:
    """The anomaly score of a proxy task: by default the first of its head's values."""

    @staticmethod
    def memory_bank(normal: HeadOutput) -> Any:
        """What `score` compares with, made once from the outputs for normal training cubes; nothing by default."""
        return None

    @staticmethod
    def score(outputs: HeadOutput, bank: Any, neighbours: int) -> np.ndarray:
        """Anomaly score, higher = more unusual: float64 [B].

        Args:
            outputs: of the head, for the objects to score.
            bank: the memory bank, which `memory_bank` made of normal training cubes.
            neighbours: for tasks that compare with their nearest normal cubes.
        """
        return outputs.values[:, 0].astype(np.float64)

    @staticmethod
    def fusion_input(outputs: HeadOutput, score: np.ndarray) -> np.ndarray:
        """What is calibrated on normal cubes and enters `fused`: float64 [B]; by default its score.

        A task whose score is fixed by a paper can say here what tells more; it then has a `score_without_objects`.
        """
        return score


class ErrorScore(HeadScore):
    """The first value, an error; the second, a relative error, is what enters `fused`."""

    @staticmethod
    def fusion_input(outputs: HeadOutput, score: np.ndarray) -> np.ndarray:
        return outputs.values[:, 1].astype(np.float64)


class MeanScore(HeadScore):
    """The mean of the values."""

    @staticmethod
    def score(outputs: HeadOutput, bank: None, neighbours: int) -> np.ndarray:
        return outputs.values.astype(np.float64).mean(axis=1)


class StandardisedScore(HeadScore):
    """The sum of the values, each standardised by those of normal cubes."""

    @staticmethod
    def memory_bank(normal: HeadOutput) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each value: float64 [M] each."""
        values = normal.values.astype(np.float64)
        return values.mean(axis=0), values.std(axis=0) + 1e-6

    @staticmethod
    def score(outputs: HeadOutput, bank: tuple[np.ndarray, np.ndarray], neighbours: int) -> np.ndarray:
        mean, deviation = bank
        return ((outputs.values - mean) / deviation).sum(axis=1)


class NearestScore(HeadScore):
    """The distance to the nearest normal cubes by all values but the last, plus the last; both standardised."""

    @staticmethod
    def memory_bank(normal: HeadOutput) -> "MemoryBank":
        return MemoryBank(normal)

    @staticmethod
    @one_thread
    def score(outputs: HeadOutput, bank: "MemoryBank", neighbours: int) -> np.ndarray:
        (far, spread), distance = bank.moments(neighbours), bank.distances(outputs, neighbours)
        mean, deviation = bank.last
        return (distance - far) / spread + (outputs.values[:, -1].astype(np.float64) - mean) / deviation


class MemoryBank:
    """Normal cubes as points in the space of their standardised features and of the scene features beside them.

    Args:
        normal: the features, and in the last column what is not compared but standardised.
    """

    SAMPLE = 512
    """Of so many of the cubes the distances to the others are measured."""

    def __init__(self, normal: HeadOutput) -> None:
        features, last = normal.values[:, :-1], normal.values[:, -1].astype(np.float64)
        self._mean, self._deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
        # The scene weighs half as much as the features, whose standardised values have a norm of about sqrt(M).
        self._weight = 0.5 * np.sqrt(features.shape[1])
        self._points = self._positions(normal)
        self._norms = np.square(self._points).sum(axis=1)
        self._normal = normal
        self._moments: dict[int, tuple[float, float]] = {}
        self.last = float(last.mean()), float(last.std() + 1e-9)

    def distances(self, outputs: HeadOutput, neighbours: int, *, but: int = 0) -> np.ndarray:
        """Mean distance of each object to its nearest normal cubes, the `but` nearest left out: float64 [B]."""
        points = self._positions(outputs)
        squared = np.square(points).sum(axis=1)[:, None] + self._norms - 2 * points @ self._points.T
        last = min(neighbours + but, squared.shape[1])
        nearest = np.sort(np.partition(squared, last - 1, axis=1)[:, :last], axis=1)[:, min(but, last - 1) :]
        return np.sqrt(np.maximum(nearest, 0).mean(axis=1, dtype=np.float64))

    def moments(self, neighbours: int) -> tuple[float, float]:
        """Mean and deviation of the distance of normal cubes to the others."""
        if neighbours not in self._moments:
            chosen = evenly_spaced(len(self._points), self.SAMPLE)
            some = HeadOutput(*(part[chosen] for part in self._normal))
            distance = self.distances(some, neighbours, but=1)
            self._moments[neighbours] = float(distance.mean()), float(distance.std() + 1e-9)
        return self._moments[neighbours]

    def _positions(self, outputs: HeadOutput) -> np.ndarray:
        standard = (outputs.values[:, :-1] - self._mean) / self._deviation
        return np.concatenate([standard, self._weight * outputs.scenes], axis=1).astype(np.float32)


HEAD_SCORES = {kind.__name__: kind for kind in (HeadScore, ErrorScore, MeanScore, StandardisedScore, NearestScore)}
"""By the names that an exported state knows them by."""
