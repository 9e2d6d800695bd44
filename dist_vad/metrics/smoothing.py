"""Frame scores of one video, smoothed over time."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter1d, median_filter

from dist_vad.base.errors import InputError

MEDIAN_WIDTH = 17
GAUSSIAN_SIGMA, GAUSSIAN_REACH = 4.0, 16
"""Deviation of the Gaussian, and where it is cut off, in frames."""

WHOLE_TEST_VIDEO_MINMAX = "whole_test_video_minmax"
"""Not a way of smoothing that could be deployed: each test video's scores are stretched to [0, 1] by its own lowest and
highest, so its first frame already knows its last, and a normal video is made to alarm. Papers report it unsaid."""


def smooth(scores: np.ndarray, method: str) -> np.ndarray:
    """Frame scores [T] of one video, smoothed over time, float64 [T].

    none             as they are
    median17         the paper's median filter of width 17, centred: 8 frames back and 8 ahead
    gaussian4        weights exp(-k^2 / 2 sigma^2) with sigma = 4 frames, centred, up to 16 frames away
    ..._causal       the same of the present frame and those before it (17 each), for what must not wait
    whole_test_video_minmax   median17, then (s - min) / (max - min) over the whole test video: see its constant

    Beyond the ends the first and last value are repeated, also where the video is shorter than the filter. Raises
    InputError for any other name.
    """
    values = np.asarray(scores, np.float64)
    if method not in _METHODS:
        raise InputError(f"unknown smoothing {method!r}; known are {', '.join(_METHODS)}")
    return values.copy() if len(values) == 0 else _METHODS[method](values)


def _median17(values: np.ndarray) -> np.ndarray:
    return median_filter(values, size=MEDIAN_WIDTH, mode="nearest")


def _median17_causal(values: np.ndarray) -> np.ndarray:
    return median_filter(values, size=MEDIAN_WIDTH, mode="nearest", origin=MEDIAN_WIDTH // 2)


def _gaussian4(values: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(values, GAUSSIAN_SIGMA, mode="nearest", radius=GAUSSIAN_REACH)


def _gaussian4_causal(values: np.ndarray) -> np.ndarray:
    back = np.arange(-GAUSSIAN_REACH, GAUSSIAN_REACH + 1)
    weights = np.where(back <= 0, np.exp(-0.5 * (back / GAUSSIAN_SIGMA) ** 2), 0.0)
    return correlate1d(values, weights / weights.sum(), mode="nearest")


def _minmax(values: np.ndarray) -> np.ndarray:
    smoothed = _median17(values)
    low, high = smoothed.min(), smoothed.max()
    return (smoothed - low) / (high - low) if high > low else np.zeros_like(smoothed)


_METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": np.copy,
    "median17": _median17,
    "median17_causal": _median17_causal,
    "gaussian4": _gaussian4,
    "gaussian4_causal": _gaussian4_causal,
    WHOLE_TEST_VIDEO_MINMAX: _minmax,
}
SMOOTHINGS = tuple(name for name in _METHODS if name != WHOLE_TEST_VIDEO_MINMAX)
"""The smoothings that a headline may have."""
