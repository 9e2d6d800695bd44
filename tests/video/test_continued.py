"""Two thresholds of confidence: one for an object to appear, a lower one for it to stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors.base import Boxes
from dist_vad.video.detectors.continued import MOST_FRAMES
from dist_vad.video.detectors.filtered import FilteredDetector

FRAME = np.zeros((144, 192, 3), np.uint8)
SETTINGS = DetectorSettings(name="boxes", boxes="boxes.json", min_confidence=0.5, continued_confidence=0.2)
CONFIDENCE = st.floats(0, 1, width=32)
ROWS = st.lists(st.tuples(st.integers(0, 6), CONFIDENCE), max_size=5)
VIDEOS = st.lists(ROWS, min_size=1, max_size=12)


class Listed:
    """A detector that finds given boxes: for each frame, rows of (place, confidence); places 0 to 6 lie apart."""

    def __init__(self, frames):
        self.frames = frames

    def __call__(self, numbers, frames):
        return [self._boxes(self.frames.get(number, [])) for number in numbers]

    @staticmethod
    def _boxes(rows):
        values = [(25 * place, 10, 25 * place + 20, 50, confidence) for place, confidence in sorted(rows)]
        return Boxes(np.array(values, np.float32).reshape(-1, 5), ["person"] * len(rows))


def kept(frames, settings=SETTINGS, at_once=1) -> dict[int, list[float]]:
    """Frame -> confidences of the objects in it, frames given in their order, so many at once."""
    detector, numbers, found = FilteredDetector(settings, Listed(frames)), sorted(frames), {}
    for start in range(0, len(numbers), at_once):
        own = numbers[start : start + at_once]
        found |= dict(zip(own, (boxes.values[:, 4].tolist() for boxes in detector(own, [FRAME] * len(own)))))
    return found


@given(VIDEOS)
def test_confident_boxes_are_always_objects_and_those_below_the_lower_threshold_never(video):
    for number, confidences in kept(dict(enumerate(video))).items():
        given_ = [confidence for _, confidence in video[number]]
        assert sum(c >= 0.5 for c in confidences) == sum(c >= 0.5 for c in given_)
        assert all(c >= np.float32(0.2) for c in confidences)


@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.floats(0.25, 0.4375, width=32)), max_size=5), max_size=12))
def test_unsure_boxes_alone_never_make_an_object(video):
    assert not any(kept(dict(enumerate(video))).values())


@given(st.integers(1, 2 * MOST_FRAMES))
def test_an_unsure_box_goes_on_a_confident_one_for_so_many_frames(gap):
    found = kept({0: [(3, 0.75)], gap: [(3, 0.25)]})
    assert found[gap] == ([0.25] if gap <= MOST_FRAMES else [])


def test_an_unsure_box_goes_on_an_unsure_one_that_was_an_object():
    video = {number: [(3, 0.75 if number == 0 else 0.25)] for number in range(0, 4 * MOST_FRAMES, MOST_FRAMES)}
    assert all(kept(video).values())


def test_an_unsure_box_elsewhere_is_left_out():
    assert kept({0: [(3, 0.75)], 1: [(4, 0.25)]})[1] == []


def test_an_object_that_has_a_confident_box_does_not_take_an_unsure_one_too():
    both = Boxes(np.array([(0, 0, 20, 40, 0.75), (4, 0, 24, 40, 0.25)], np.float32), ["person"] * 2)
    first = Boxes(both.values[:1], ["person"])
    detector = FilteredDetector(SETTINGS, lambda numbers, frames: [first, both])
    assert [len(boxes) for boxes in detector([0, 1], [FRAME] * 2)] == [1, 1]


@given(VIDEOS, st.integers(1, 12))
def test_how_many_frames_come_at_once_changes_nothing(video, at_once):
    frames = dict(enumerate(video))
    assert kept(frames, at_once=at_once) == kept(frames)


@pytest.mark.parametrize("value", [-0.1, 0.5, 0.7, float("nan")])
def test_the_lower_threshold_must_be_the_lower_one(value):
    with pytest.raises(ValueError, match=r"data\.detector\.continued_confidence"):
        DetectorSettings(name="boxes", boxes="boxes.json", min_confidence=0.5, continued_confidence=value)
