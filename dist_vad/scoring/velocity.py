"""`velocity`: does an object move as is normal in its scene? Optical flow within its cube, without any network."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dist_vad.base.head_scores import HeadOutput
from dist_vad.scoring.neighbours import Neighbours

if TYPE_CHECKING:
    from dist_vad.data.shardset import Batch
    from dist_vad.scoring.measuring import Measures, Outputs

VELOCITY = "velocity"
DIRECTIONS = 8
NEIGHBOURS = 3
OFFSET = 0.02
"""Added to speeds, in cubes a frame, before their logarithm: far below it, differences are noise of the flow."""


class Velocity(Neighbours):
    """How objects of normal training video move; features are those of `flow_features`.

    After the velocity features of attribute-based detection (Reiss & Hoshen, 2022), with Farnebäck's optical flow in
    place of a network's, and within the cube, so that it is measured in sizes of the object.
    """

    @classmethod
    def of(cls, outputs: HeadOutput, scenes: np.ndarray, folds: np.ndarray, places: np.ndarray) -> "Velocity":
        """From what OpticalFlow says of normal training cubes, and the places of their boxes."""
        return cls.fit(outputs.values.astype(np.float64), scenes, folds, NEIGHBOURS, places)


class OpticalFlow:
    """Says of every cube how it moves: VELOCITY -> float32 [B, DIRECTIONS + 2]."""

    def __init__(self) -> None:
        self._last = threading.local()

    def outputs(self, batches: "Mapping[str, Batch]") -> "dict[str, Outputs]":
        """As a network's. Asked by several networks for the same batches, one after another, it works once."""
        if getattr(self._last, "batches", None) is not batches:
            self._last.said = {
                name: {VELOCITY: HeadOutput(flow_features(batch.clips.numpy()), batch.scenes.numpy())}
                for name, batch in batches.items()
            }
            self._last.batches = batches
        return self._last.said


class WithVelocity:
    """A network that says beside what its heads say how each cube moves."""

    def __init__(self, network: "Measures", flow: OpticalFlow) -> None:
        self._network, self._flow = network, flow

    def outputs(self, batches: "Mapping[str, Batch]") -> "dict[str, Outputs]":
        """The network's outputs by task, and VELOCITY."""
        flow, said = self._flow.outputs(batches), self._network.outputs(batches)
        return {name: {**own, **flow[name]} for name, own in said.items()}


def flow_features(clips: np.ndarray) -> np.ndarray:
    """Logarithms of how much moves in each of 8 directions, of the mean speed, and of the speed that a tenth exceeds.

    The flow from the frame before the middle one, and to the one after it, averaged, in sizes of the cube a frame.

    Args:
        clips: uint8 [B, T, S, S, 3], RGB; T is 3 or more.

    Returns float32 [B, DIRECTIONS + 2].
    """
    middle, size = clips.shape[1] // 2, clips.shape[2]
    features = np.empty((len(clips), DIRECTIONS + 2), np.float32)
    for row, clip in enumerate(clips):
        before, now, after = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip[middle - 1 : middle + 2])
        flow = (_flow(before, now) + _flow(now, after)) / (2 * size)
        speed = np.hypot(flow[..., 0], flow[..., 1])
        turn = (np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) + 0.5) * DIRECTIONS
        direction = turn.astype(np.int64).ravel() % DIRECTIONS
        features[row, :DIRECTIONS] = np.bincount(direction, speed.ravel(), DIRECTIONS) / speed.size
        features[row, DIRECTIONS:] = speed.mean(), np.quantile(speed, 0.9)
    return np.log(features + OFFSET)


def _flow(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Farnebäck's optical flow between two grey pictures, pixels: float32 [S, S, 2]."""
    return cv2.calcOpticalFlowFarneback(earlier, later, None, 0.5, 2, 9, 2, 5, 1.1, 0)  # pyright: ignore
