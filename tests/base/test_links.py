"""Which boxes of neighbouring frames are of one object: many frames at once, as frame by frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base import boxes as module
from dist_vad.base.boxes import links, matches


def frame_by_frame(frames: np.ndarray, boxes: np.ndarray, stride: int) -> tuple[list[int], list[int]]:
    later, earlier = np.full(len(frames), -1), np.full(len(frames), -1)
    for frame in np.unique(frames):
        rows, others = np.flatnonzero(frames == frame), np.flatnonzero(frames == frame + stride)
        for row, other in matches(boxes[rows], boxes[others]).items():
            later[rows[row]], earlier[others[other]] = others[other], rows[row]
    return later.tolist(), earlier.tolist()


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 60), span=st.integers(1, 12), stride=st.integers(1, 3))
def test_many_frames_at_once_as_frame_by_frame(seed, count, span, stride):
    draw = np.random.default_rng(seed)
    frames = np.sort(draw.integers(0, span, count)) * draw.choice([1, stride])
    corner = draw.integers(0, 60, (count, 2)).astype(float)  # close together: many overlap several
    boxes = np.concatenate([corner, corner + draw.integers(0, 40, (count, 2))], axis=1)
    later, earlier = links(frames, boxes, stride)
    assert (later.tolist(), earlier.tolist()) == frame_by_frame(frames, boxes, stride)


@pytest.mark.parametrize("most", [1, 7, 10**6])
def test_how_many_pairs_are_taken_at_once_does_not_matter(monkeypatch, most):
    draw = np.random.default_rng(0)
    frames = np.repeat(np.arange(20), 5)
    corner = draw.integers(0, 100, (100, 2)).astype(float)
    boxes = np.concatenate([corner, corner + 30], axis=1)
    monkeypatch.setattr(module, "MOST_PAIRS", most)
    assert [each.tolist() for each in links(frames, boxes, 1)] == [*frame_by_frame(frames, boxes, 1)]
