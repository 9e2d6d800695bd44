"""The real annotations: each gives a random scorer an AUC of one half."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dist_vad.base.labels import interval_labels
from dist_vad.datasets.avenue import read_masks
from dist_vad.datasets.shanghaitech import read_mask
from dist_vad.datasets.ucf_crime import TEST_LIST, read_test_list
from dist_vad.datasets.ucsd import read_m_file, read_mat_file
from dist_vad.metrics import Pairs

Labels = list[np.ndarray]


def ped1(folder: Path) -> Labels:
    return [interval_labels(clip, 200) for clip in read_m_file(folder / "annotations/ucsd/UCSDped1.m")]


def ped2(folder: Path) -> Labels:
    lengths = (180, 180, 150, 180, 150, 180)
    return [interval_labels(clip, length) for clip, length in zip(read_mat_file(folder / "ped2/ped2.mat"), lengths)]


def avenue_pixel_masks(folder: Path) -> Labels:
    return [read_masks(folder / f"annotations/avenue/{number}_label.mat") for number in range(1, 22)]


def shanghaitech(folder: Path) -> Labels:
    return [read_mask(path) for path in sorted((folder / "annotations/shanghaitech/test_frame_mask").glob("*.npy"))]


def ucf_crime(folder: Path) -> Labels:
    """The annotation does not say how long videos are: 1.11 million frames, shared out evenly where they suffice."""
    rows = read_test_list(folder / "annotations/ucf_crime" / TEST_LIST)
    ends = [max((end for _, end in row.intervals), default=0) for row in rows]
    return [interval_labels(row.intervals, max(end, 3828)) for row, end in zip(rows, ends)]


@pytest.mark.parametrize(
    ("read", "videos", "frames", "anomalous"),
    [
        (ped1, 36, 7200, 4045),
        (ped2, 6, 1020, 790),
        pytest.param(avenue_pixel_masks, 21, 15_324, 3_712, marks=pytest.mark.slow),
        (shanghaitech, 107, 40_791, 17_326),
        pytest.param(ucf_crime, 290, None, 84_345, marks=pytest.mark.slow),
    ],
)
def test_a_random_scorer_has_half_the_pairs_right_on_the_real_labels(
    shared, read: Callable[[Path], Labels], videos: int, frames: int | None, anomalous: int
):
    """20 seeds, micro and macro."""
    labels = read(shared / "data")
    assert len(labels) == videos and sum(int(np.count_nonzero(label)) for label in labels) == anomalous
    assert frames is None or sum(map(len, labels)) == frames
    aucs = []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        pairs = Pairs(labels, [draw.random(len(label)) for label in labels])
        aucs.append((pairs.auc(), pairs.macro_auc()))
    micro, macro = np.mean(aucs, axis=0)
    assert abs(micro - 0.5) < 0.01
    # A video with a handful of frames of one class weighs as much as any other in the macro mean.
    assert abs(macro - 0.5) < (0.01 if videos > 30 else 0.02)
