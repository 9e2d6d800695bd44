"""f_scene, the feature that tells one scene from another."""

import cv2
import numpy as np


def background_feature(background: np.ndarray, grid: int) -> np.ndarray:
    """The background as a unit vector: float32 [3 * grid * grid].

    The median background, uint8 [H, W, 3], holds no foreground, so nothing has to be masked. It is averaged over a grid
    of fixed size, so that the length does not depend on the resolution; its mean is taken away, so that scenes
    differ by more than their brightness.
    """
    cells = cv2.resize(background.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA).ravel()
    cells -= cells.mean()
    return (cells / max(float(np.linalg.norm(cells)), 1e-12)).astype(np.float32)
