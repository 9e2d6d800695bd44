"""Detectors: the same rules for all of them, and the class of each box."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniature import QUIET, SIDE, corner, frame, make_folder

from dist_vad.base.log import set_up
from dist_vad.data.manifest import Manifest, index_path, tar_path
from dist_vad.producer.job import write_shards
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.cubes import cut_cubes
from dist_vad.video.detectors.base import Boxes
from dist_vad.video.detectors.filtered import FilteredDetector

PERSON = (10, 10, 30, 50, 0.6)
FRAME = np.zeros((144, 192, 3), np.uint8)


class Fixed:
    """Finds the same boxes in every frame: rows of x1, y1, x2, y2, confidence, all of one category."""

    def __init__(self, *rows, category="person"):
        self.boxes = Boxes(np.array(rows, np.float32).reshape(-1, 5), [category] * len(rows))

    def __call__(self, numbers, frames):
        return [self.boxes] * len(frames)


def objects(found, moving=None, **settings) -> list[tuple[str, list[int]]]:
    """(category, box in whole pixels) of the objects of a frame."""
    (boxes,) = FilteredDetector(DetectorSettings(**settings), found, moving)([0], [FRAME])
    return [(name, row.astype(int).tolist()[:4]) for name, row in zip(boxes.categories, boxes.values)]


# -- which boxes become objects


def test_boxes_of_little_confidence_are_left_out_and_those_at_the_threshold_kept():
    rows = [(10 * n, 0, 10 * n + 20, 20, confidence) for n, confidence in enumerate((0.39, 0.4, 0.9))]
    assert [box[0] for _, box in objects(Fixed(*rows), min_confidence=0.4)] == [10, 20]


@pytest.mark.parametrize(("name", "expected"), [("motion", 2), ("yolo", 1)])
def test_networks_have_a_least_confidence_unless_one_is_given(name, expected):
    rows = [(0, 0, 20, 20, 0.2), (30, 0, 50, 20, 0.3)]
    assert len(objects(Fixed(*rows), name=name)) == expected
    assert len(objects(Fixed(*rows), name=name, min_confidence=0.0)) == 2


def test_boxes_with_a_short_side_are_left_out():
    rows = [(0, 0, 11, 90, 1), (20, 0, 110, 11, 1), (40, 0, 52, 12, 1)]
    assert [box for _, box in objects(Fixed(*rows), min_size=12)] == [[40, 0, 52, 12]]


def test_boxes_of_other_classes_are_left_out():
    assert objects(Fixed(PERSON), name="yolo", classes=["car", "bus"]) == []
    assert len(objects(Fixed(PERSON), name="yolo", classes=["car", "person"])) == 1


@pytest.mark.parametrize(
    ("region", "missed"),
    [
        ((10, 10, 30, 50), False),  # the same
        ((15, 20, 27, 40), False),  # a part of the person: a moving arm
        ((0, 10, 40, 50), True),  # twice as wide: half is covered, and no more
        ((0, 10, 39, 50), False),  # a little more than half is covered
        ((100, 60, 120, 100), True),
    ],
)
def test_a_moving_region_is_added_if_no_box_covers_more_than_half_of_it(region, missed):
    found = objects(Fixed(PERSON), Fixed((*region, 0.5), category="moving"), name="yolo", motion_union=True)
    assert (("moving", list(region)) in found) == missed and ("person", [10, 10, 30, 50]) in found


def test_a_region_is_missed_where_the_box_on_it_was_left_out_itself():
    moving = Fixed(PERSON, category="moving")
    assert [name for name, _ in objects(Fixed(PERSON), moving, name="yolo", min_confidence=0.7)] == ["moving"]


def test_added_regions_are_judged_by_size_and_neither_by_confidence_nor_by_class():
    moving = Fixed((60, 0, 90, 30, 0.1), (100, 0, 109, 30, 0.9), category="moving")
    found = objects(Fixed(PERSON), moving, name="yolo", min_confidence=0.5, classes=["person"])
    assert found == [("person", [10, 10, 30, 50]), ("moving", [60, 0, 90, 30])]


@given(st.lists(st.floats(0, 1, width=32), max_size=12), st.integers(1, 6))
def test_of_more_objects_than_the_bound_the_most_confident_are_kept_in_their_order_and_the_rest_counted(scores, limit):
    filtered = FilteredDetector(
        DetectorSettings(max_objects=limit), Fixed(*[(n, 0, n + 20, 20, s) for n, s in enumerate(scores)])
    )
    for boxes in filtered([0, 1], [FRAME, FRAME]):
        assert np.array_equal(np.sort(boxes.values[:, 4]), np.sort(np.array(scores, np.float32))[-limit:])
        assert boxes.values[:, 0].tolist() == sorted(boxes.values[:, 0])
    over = max(0, len(scores) - limit)
    assert (filtered.boxes_left_out, filtered.frames_bounded) == (2 * over, 2 * (over > 0))
    assert bool(filtered.note) == (over > 0)


# -- in the producer


@pytest.fixture
def listed(tmp_path):
    """A small data set with a file of boxes: three far from the square that moves, in each frame."""
    boxes = [[5 + 30 * n, 45, 20 + 30 * n, 65, 0.5 + n / 10] for n in range(3)]
    given = make_folder(tmp_path / "data")
    names = [*(f"a_{n}" for n in range(4)), "b_0"]
    (tmp_path / "boxes.json").write_text(json.dumps({name: [boxes] * 24 for name in names}))
    return dataclasses.replace(given, detector=DetectorSettings(name="boxes", boxes=str(tmp_path / "boxes.json")))


def test_the_class_of_each_box_is_stored_with_its_sample(listed, tmp_path):
    both = dataclasses.replace(listed, detector=dataclasses.replace(listed.detector, motion_union=True))
    folder = write_shards(both, tmp_path / "out", QUIET)["cube-test"]
    classes = {}
    for shard in Manifest.load(folder).shards:
        content = tar_path(folder, shard).read_bytes()
        for row in np.load(index_path(folder, shard)):
            offset, size = int(row["offset"][2]), int(row["size"][2])
            described = json.loads(content[offset : offset + size])
            square = abs(described["box"][0] - corner(described["frame"])[0]) <= 2 and described["box"][1] < 40
            classes.setdefault(described["class"], set()).add(square)
    assert classes == {"object": {False}, "moving": {True}}


def test_the_job_says_how_many_boxes_the_bound_left_out_of_which_video(listed, tmp_path, capfd):
    bounded = dataclasses.replace(listed, detector=dataclasses.replace(listed.detector, max_objects=2))
    set_up()
    write_shards(bounded, tmp_path / "out", QUIET)
    said = capfd.readouterr()
    assert "'test_b_0': detector.max_objects 2 left out 16 boxes in 16 frames" in said.out + said.err
    confidences = [row["confidence"] for row in np.load(next((tmp_path / "out/cube-test").glob("*.idx")))]
    assert min(confidences) > 0.55
    write_shards(listed, tmp_path / "unbounded", QUIET)
    assert "left out" not in capfd.readouterr().out


class Traced:
    """Frames of the moving square, and a detector that finds it and notes how many frames it was given at once."""

    fps, width, height = 25.0, 96, 72

    def __init__(self):
        self.batches = []

    def __len__(self):
        return 60

    def __iter__(self):
        return (frame(number) for number in range(60))

    def __call__(self, numbers, frames):
        self.batches.append(len(frames))
        assert all(np.array_equal(one, frame(number)) for number, one in zip(numbers, frames))
        corners = np.array([corner(number) for number in numbers], np.float32)
        rows = np.hstack([corners, corners + SIDE, np.ones((len(frames), 1), np.float32)])
        return [Boxes(row[None], ["square"]) for row in rows]


@pytest.mark.parametrize("stride", [1, 4, 20])
@pytest.mark.parametrize("batch", [3, 8, 100])
def test_the_detector_sees_whole_batches_and_their_size_changes_no_sample(stride, batch):
    options = {"length": 9, "size": 16, "context": 0.1, "stride": stride}
    one, many = Traced(), Traced()
    expected = list(cut_cubes(one, one, **options))
    found = list(cut_cubes(many, many, frames_at_once=batch, **options))
    assert [(s.frame, s.object, s.category) for s in found] == [(s.frame, s.object, s.category) for s in expected]
    assert all(np.array_equal(a.clip, b.clip) for a, b in zip(found, expected))
    full, rest = divmod(len(expected), batch)
    assert many.batches == [batch] * full + [rest] * (rest > 0)


# -- settings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"name": "darknet", "weights": "w", "cfg": "c"}, r"detector\.names is None.*a path.*`darknet`"),
        ({"name": "motion", "motion_union": True}, "motion_union is True.*finds all moving regions"),
        ({"name": "boxes", "boxes": "b", "classes": ["car"]}, r"classes is \['car'\].*have no classes"),
        ({"batch": 0}, "batch is 0"),
        ({"max_objects": -1}, "max_objects is -1"),
        ({"input_size": 400}, "input_size is 400"),
        ({"min_confidence": 1.5}, r"min_confidence is 1\.5"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, named):
    with pytest.raises(ValueError, match=named):
        DetectorSettings(**settings)
