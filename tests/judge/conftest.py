"""A small data set of which only the labels are there, and scores for it."""

from pathlib import Path

import numpy as np
import pytest

LENGTHS = {"01_0014": 90, "01_0015": 61, "02_0128": 120, "12_0142": 75}


@pytest.fixture
def annotations(tmp_path) -> Path:
    """Labels in the form of ShanghaiTech's: a file of 0 and 1 for each video; the last one is normal."""
    folder = tmp_path / "data" / "test_frame_mask"
    folder.mkdir(parents=True)
    for number, (name, length) in enumerate(LENGTHS.items()):
        labels = np.zeros(length, np.uint8)
        if number < 3:
            labels[20 + number : 45] = 1
        np.save(folder / f"{name}.npy", labels)
    return folder.parent


@pytest.fixture
def scores() -> dict[str, np.ndarray]:
    """A score of every frame, by video."""
    draw = np.random.default_rng(0)
    return {
        name: draw.normal(size=length) + 1.5 * ((np.arange(length) >= 20) & (np.arange(length) < 45))
        for name, length in LENGTHS.items()
    }
