"""As frames come, boxes have the features that they have in the whole video, as far as they can be followed."""

import numpy as np
import pytest
from fake_cameras import street
from hypothesis import given, settings
from hypothesis import strategies as st
from watching import RedScorer

from dist_vad.inference.following import FollowedBoxes
from dist_vad.inference.online import OnlineCubes
from dist_vad.scoring.geometry import features_of_video, known_speeds
from dist_vad.video.detectors.base import Boxes

REACH = 4


def wanderers(seed: int, stride: int, count: int = 14) -> dict[int, Boxes]:
    """Boxes of several things that go about, are lost at times, and now and then overlap."""
    draw, found = np.random.default_rng(seed), {}
    left = draw.uniform(0, 200, (5, 2))
    for step in range(count):
        left = left + draw.normal(0, 1.5 * stride, (5, 2))
        seen = draw.random(5) < 0.8
        rows = np.concatenate([left, left + 25, np.ones((5, 1))], axis=1)[seen].astype(np.float32)
        found[stride * step] = Boxes(rows, ["moving"] * len(rows))
    return found


def as_they_come(found: dict[int, Boxes], stride: int, ahead: int = REACH) -> dict[int, np.ndarray]:
    """The features of each frame's boxes, once `ahead` more frames have come."""
    followed, features = FollowedBoxes(stride, REACH), {}
    for number in found:
        for own in range(number, number + ahead + 1, stride):
            if own in found and own not in followed:
                followed.add(own, found[own])
        features[number] = followed.features(number)
    return features


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 4]))
@settings(deadline=None, max_examples=50)
def test_as_frames_come_boxes_have_the_features_of_the_whole_video(seed, stride):
    """But for the speed of what is not seen again: that is the median of what was measured so far."""
    found = wanderers(seed, stride)
    frames = np.repeat([*found], [len(boxes) for boxes in found.values()])
    values = np.concatenate([boxes.values[:, :4] for boxes in found.values()])
    known = np.isfinite(known_speeds(frames, values.astype(np.float64), stride, REACH))
    whole = features_of_video(frames, values, stride, REACH)
    online = np.concatenate([*as_they_come(found, stride).values()])
    assert online[known].tolist() == whole[known].tolist() and known.any()
    assert online[:, :4].tolist() == whole[:, :4].tolist() and np.isfinite(online).all()


def test_with_a_large_stride_a_box_is_followed_back_alone():
    lefts = {0: 0, 8: 8, 16: 32}
    moving = {at: Boxes(np.array([[x, 0, x + 80, 40, 1]], np.float32), ["moving"]) for at, x in lefts.items()}
    features = as_they_come(moving, stride=8)
    assert [features[number][0, 4] for number in lefts] == [0.0, 1.0, 3.0]


def test_nothing_is_followed_over_a_gap_and_old_boxes_are_dropped():
    boxes = Boxes(np.array([[0, 0, 40, 40, 1]], np.float32), ["moving"])
    moved = Boxes(boxes.values + np.array([10, 0, 10, 0, 0], np.float32), ["moving"])
    followed = FollowedBoxes(2, REACH)
    followed.add(0, boxes)
    followed.clear()
    followed.add(2, moved)
    assert followed.features(2)[0, 4] == 0.0
    for number in range(4, 400, 2):
        followed.add(number, moved)
    assert sum(number in followed for number in range(400)) <= 2 * REACH


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_moment_of_a_stream_has_the_features_of_the_whole_video(stride):
    """Something that goes faster and faster: who looks back alone finds it slower."""
    scorer = RedScorer()
    scorer.stride = stride
    cubes = OnlineCubes(scorer, "street", 10.0)  # pyright: ignore[reportArgumentType]
    moments = []
    for number in range(60):
        picture, left = street(400, 96), max(0, number - 10) ** 2 // 12
        picture[40:60, left : left + 60] = (230, 200, 90)
        moments.append(cubes.see(picture))
    found = [moment for moment in moments if moment and moment.samples]
    frames = np.array([sample.frame for moment in found for sample in moment.samples])
    boxes = np.array([sample.box for moment in found for sample in moment.samples])
    whole = features_of_video(frames, boxes, stride, REACH)
    seen = frames < frames[-1] - REACH  # a whole video ends with its last cubes, a stream goes on
    online = np.concatenate([moment.boxes for moment in found])
    assert online[seen].tolist() == whole[seen].tolist() and len(set(whole[seen, 4].tolist())) > 5
