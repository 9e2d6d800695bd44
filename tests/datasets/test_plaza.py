"""The generated data set: repeatable, labelled truly, and not to be solved by the size of boxes or raw motion."""

import functools

import cv2
import numpy as np
import pytest
from scipy.ndimage import median_filter
from sklearn.metrics import roc_auc_score

from dist_vad.base.labels import interval_labels
from dist_vad.datasets.plaza import plaza
from dist_vad.datasets.plaza.casting import ANOMALIES, VIRTUAL_ANOMALIES
from dist_vad.datasets.plaza.scenes import SCENES
from dist_vad.settings.data import PlazaSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.background import median_background
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.detectors.motion import MotionDetector

SMALL = {"train_videos": 3, "test_videos": 2, "virtual_videos": 4, "frames": 60}
IDENTITIES = ["7de91c5e", "0b1a4901"]
"""Of the first and the last of the small videos: shards that were made of them stay valid."""
KINDS = {"scene_independent", "scene_dependent", "unseen"}


def small(**changes):
    return plaza(PlazaSettings(**{**SMALL, **changes}))


def of_split(videos, split):
    return [video for video in videos if video.split == split]


def first_frames(videos, count=12):
    return [frame.tobytes() for video in videos for frame, _ in zip(video.open(), range(count))]


def moving_boxes(video, frames):
    """float32 [n, 5] for each of the frames: what the motion detector finds in them."""
    settings = DetectorSettings()
    filtered = FilteredDetector(settings, MotionDetector(settings, median_background(video.open())))
    return [boxes.values for boxes in filtered(list(range(len(frames))), frames)]


@functools.cache
def watched():
    """The default test split seen by the motion detector: (video, labels, boxes and grey frames) of each."""
    result = []
    for video in of_split(plaza(PlazaSettings()), "test"):
        frames = list(video.open())
        boxes = moving_boxes(video, frames)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
        result.append((video, interval_labels(video.labels["frames"], len(frames)), boxes, grey))
    return result


def test_the_same_seed_gives_the_same_bytes():
    assert first_frames(small()) == first_frames(small())


def test_another_seed_gives_other_bytes():
    pairs = zip(first_frames(small()), first_frames(small(seed=1)))
    assert all(one != other for one, other in pairs)


def test_iterating_again_gives_the_same_frames():
    for video in small()[::3]:
        frames = video.open()
        assert [frame.tobytes() for frame in frames] == [frame.tobytes() for frame in frames]


def test_a_video_yields_as_many_frames_as_it_says_of_the_size_it_says():
    for video in small():
        frames = video.open()
        shapes = [(frame.shape, frame.dtype) for frame in frames]
        assert shapes == [((frames.height, frames.width, 3), np.uint8)] * len(frames)


def test_names_and_identities_are_unique_and_depend_on_the_settings():
    videos = small()
    assert len({video.name for video in videos}) == len(videos)
    assert not {video.identity for video in videos} & {video.identity for video in small(frames=61)}


def test_training_video_has_neither_labels_nor_events():
    assert all(not video.labels and not video.events for video in of_split(small(), "train"))


def test_a_smaller_number_of_videos_does_not_change_the_first_ones():
    few, many = of_split(small(test_videos=2), "test"), of_split(small(test_videos=5), "test")
    assert first_frames(few) == first_frames(many[:2])


def test_the_same_life_goes_on_with_and_without_an_anomaly():
    """Outside its events a test video shows nothing but the crowd: as many boxes as in training video."""

    def boxes_per_frame(video):
        return [len(boxes) for boxes in moving_boxes(video, list(video.open()))]

    train = [boxes_per_frame(video) for video in of_split(plaza(PlazaSettings(train_videos=6)), "train")]
    test = [len(found) for _, labels, boxes, _ in watched() for found, label in zip(boxes, labels) if label == 0]
    assert 2 <= np.mean(train) <= 6
    assert np.mean(test) == pytest.approx(np.mean(train), rel=0.2)


@pytest.mark.parametrize("settings", [SMALL, {}, {"test_videos": 7, "frames": 240}])
def test_all_three_kinds_occur(settings):
    events = [event for video in of_split(plaza(PlazaSettings(**settings)), "test") for event in video.events]
    assert {event.kind for event in events} == KINDS


def test_every_anomaly_and_every_scene_occur_by_default():
    videos = of_split(plaza(PlazaSettings()), "test")
    assert {event.name for video in videos for event in video.events} == set(ANOMALIES)
    assert {video.scene for video in videos} == set(SCENES)


def test_a_cart_is_no_anomaly_where_carts_belong():
    videos = of_split(plaza(PlazaSettings(test_videos=24)), "test")
    scenes = {video.scene for video in videos for event in video.events if event.name == "cart"}
    assert scenes and not any(SCENES[scene].vehicles for scene in scenes)


@pytest.mark.parametrize("frames", [60, 61, 120, 300])
@pytest.mark.parametrize("seed", range(3))
def test_a_box_for_each_frame_of_an_event_within_the_picture(frames, seed):
    for video in of_split(small(test_videos=12, frames=frames, seed=seed), "test"):
        shown = video.open()
        for event in video.events:
            assert 0 <= event.start < event.end <= frames
            boxes = np.array(event.boxes)
            assert boxes.shape == (event.end - event.start, 4)
            assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (shown.width, shown.height)).all()
            assert (boxes[:, 2:] - boxes[:, :2] > 3).all()


@pytest.mark.parametrize("frames", [60, 120, 300])
def test_labels_are_the_union_of_the_events(frames):
    for video in of_split(small(test_videos=12, frames=frames), "test"):
        expected = np.zeros(frames, np.uint8)
        for event in video.events:
            expected[event.start : event.end] = 1
        np.testing.assert_array_equal(interval_labels(video.labels["frames"], frames), expected)


@pytest.mark.parametrize("seed", range(5))
def test_about_a_third_to_a_half_of_a_test_video_is_anomalous(seed):
    for video in of_split(plaza(PlazaSettings(seed=seed)), "test"):
        assert 0.2 <= interval_labels(video.labels["frames"], 120).mean() <= 0.6


def test_a_runner_is_tall_enough_to_be_recognised():
    videos = of_split(plaza(PlazaSettings()), "test")
    heights = [
        box[3] - box[1] for video in videos for event in video.events for box in event.boxes if event.name == "runner"
    ]
    assert min(heights) >= 24


def test_anomalies_are_found_by_the_motion_detector():
    for video, _, boxes, _ in watched():
        for event in video.events:
            found = [overlaps(truth, boxes[event.start + number]) for number, truth in enumerate(event.boxes)]
            assert np.mean(found) >= 0.8, (video.name, event.name)


def overlaps(truth, boxes):
    """Whether a detected box covers most of the true one or fits it well."""
    low, high = np.maximum(boxes[:, :2], truth[:2]), np.minimum(boxes[:, 2:4], truth[2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    area = (truth[2] - truth[0]) * (truth[3] - truth[1])
    union = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) + area - common
    return bool(((common / area > 0.6) | (common / union > 0.4)).any())


def test_neither_the_size_of_boxes_nor_raw_motion_solves_it():
    scores, labels = [], []
    for _, label, boxes, grey in watched():
        change = [np.abs(now - before) for now, before in zip(grey, [grey[1], *grey])]
        rows = np.array([no_learning(found, difference) for found, difference in zip(boxes, change)])
        scores.append(median_filter(rows, (17, 1)))
        labels.append(label)
    truth = np.concatenate(labels)
    aucs = [roc_auc_score(truth, column) for column in np.concatenate(scores).T]
    assert max(aucs) <= 0.75, aucs


def no_learning(boxes, change):
    """Widest, largest and highest box; change of the frame, of a box, and that times its area."""
    sizes = boxes[:, 2:4] - boxes[:, :2]
    within = [change[y1:y2, x1:x2].mean() for x1, y1, x2, y2 in boxes[:, :4].astype(int)]
    columns = [sizes[:, 0], sizes.prod(axis=1), sizes[:, 1], [change.mean()], within, within * sizes.prod(axis=1)]
    return [max(column, default=0.0) for column in columns]


def test_virtual_anomalies_are_other_ones_than_those_of_the_test_split():
    assert not set(VIRTUAL_ANOMALIES) & set(ANOMALIES)


def test_half_of_the_virtual_videos_are_anomalous_in_every_scene():
    videos = of_split(plaza(PlazaSettings()), "virtual")
    anomalous = [video for video in videos if video.labels["virtual"]]
    assert len(anomalous) == len(videos) // 2
    assert {video.scene for video in anomalous} == {video.scene for video in videos if not video.labels["virtual"]}
    assert {event.name for video in anomalous for event in video.events} == set(VIRTUAL_ANOMALIES)


def test_background_of_a_camera_is_the_same_in_all_its_videos():
    square = [video for video in plaza(PlazaSettings()) if video.scene == "square"][:4]
    backgrounds = np.stack([median_background(video.open()) for video in square]).astype(int)
    spread = backgrounds.max(axis=0) - backgrounds.min(axis=0)
    assert np.mean(spread.max(axis=-1) < 16) > 0.9  # all but the flag and where somebody stood for long


def test_each_look_is_a_scene_of_its_own_in_which_the_same_life_goes_on():
    plain, seen = small(train_videos=12), small(train_videos=12, looks=4)
    assert [video.name for video in plain] == [video.name for video in seen]
    scenes = [video.scene for video in of_split(seen, "train")]
    assert len({*scenes}) == 12 and scenes[:3] == [*SCENES]
    boxes = [
        [len(moving_boxes(video, [*video.open()])[0]) for video in of_split(some, "train")] for some in (plain, seen)
    ]
    assert sum(boxes[0]) == pytest.approx(sum(boxes[1]), rel=0.3)


def test_without_looks_videos_are_those_that_they_were_before_there_were_any():
    videos = small()
    assert [video.identity[:8] for video in (videos[0], videos[-1])] == IDENTITIES
    looks = small(looks=2)
    assert first_frames(looks[:3]) == first_frames(videos[:3]), "the first look of each scene changes nothing"
