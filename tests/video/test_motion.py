"""The background and what moves before it."""

import dataclasses

import numpy as np
import pytest

from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.background import median_background
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.detectors.motion import MotionDetector

BACKGROUND = np.full((144, 192, 3), (120, 130, 140), np.uint8)


@dataclasses.dataclass
class ListedFrames:
    """Frames held in a list; notes how many were read."""

    frames: list[np.ndarray]
    fps: float = 25.0
    width: int = 192
    height: int = 144
    read: int = 0

    def __len__(self):
        return len(self.frames)

    def __iter__(self):
        for frame in self.frames:
            self.read += 1
            yield frame


def painted(*boxes, colour=(30, 40, 50)):
    frame = BACKGROUND.copy()
    for x1, y1, x2, y2 in boxes:
        frame[y1:y2, x1:x2] = colour
    return frame


def detect(frame, **settings):
    given = DetectorSettings(**settings)
    (boxes,) = FilteredDetector(given, MotionDetector(given, BACKGROUND))([0], [frame])
    assert boxes.categories == ["moving"] * len(boxes)
    return boxes.values


def test_background_of_a_static_scene_is_recovered():
    passing = ListedFrames([painted((4 * t, 40, 4 * t + 12, 70)) for t in range(40)])
    np.testing.assert_array_equal(median_background(passing), BACKGROUND)


@pytest.mark.parametrize("length", [1, 2, 24, 25, 26, 300])
def test_background_needs_no_more_frames_than_its_samples(length):
    frames = ListedFrames([BACKGROUND] * length)
    np.testing.assert_array_equal(median_background(frames, samples=5), BACKGROUND)
    assert frames.read <= length


def test_background_without_frames_is_refused():
    with pytest.raises(ValueError, match="0 frames"):
        median_background(ListedFrames([]))


def test_a_still_scene_with_sensor_noise_has_no_objects():
    noise = np.random.default_rng(0).normal(0, 4, BACKGROUND.shape)
    assert detect(np.clip(BACKGROUND + noise, 0, 255).astype(np.uint8)).shape == (0, 5)


def test_an_object_is_boxed_where_it_is():
    boxes = detect(painted((50, 60, 70, 110)))
    assert boxes.shape == (1, 5) and boxes.dtype == np.float32
    np.testing.assert_allclose(boxes[0, :4], (50, 60, 70, 110), atol=1)
    assert boxes[0, 4] > 0.9


def test_a_change_of_a_single_channel_counts():
    assert len(detect(painted((50, 60, 70, 110), colour=(120, 130, 170)))) == 1


def test_a_change_up_to_the_threshold_does_not_count():
    frame = painted((50, 60, 70, 110), colour=(142, 130, 140))
    assert len(detect(frame, threshold=22)) == 0
    assert len(detect(frame, threshold=21)) == 1


def test_the_parts_of_one_body_are_one_box():
    head, trunk, left_leg, right_leg = (54, 50, 62, 58), (52, 61, 66, 84), (50, 86, 56, 108), (62, 86, 68, 108)
    assert len(detect(painted(head, trunk, left_leg, right_leg))) == 1


def test_two_apart_are_two_boxes_from_left_to_right():
    boxes = detect(painted((120, 20, 140, 60), (20, 70, 40, 120)))
    assert boxes[:, 0].tolist() == sorted(boxes[:, 0].tolist()) and len(boxes) == 2


def test_small_boxes_are_left_out():
    frame = painted((50, 60, 56, 110))
    assert len(detect(frame, min_size=4)) == 1
    assert len(detect(frame, min_size=12)) == 0


def test_boxes_of_little_confidence_are_left_out():
    ring = painted((40, 40, 100, 100))
    ring[46:94, 46:94] = BACKGROUND[0, 0]
    assert len(detect(ring)) == 1
    assert len(detect(ring, min_confidence=0.6)) == 0


def test_boxes_stay_within_the_frame():
    boxes = detect(painted((0, 0, 20, 40), (170, 110, 192, 144)))
    assert len(boxes) == 2
    assert boxes[:, :2].min() >= 0 and (boxes[:, 2:4] <= (192, 144)).all()


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(ValueError, match="shape"):
        detect(BACKGROUND[:100])
