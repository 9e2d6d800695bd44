"""RBDC and TBDC against their definition, threshold by threshold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base.boxes import overlaps
from dist_vad.base.labels import Event
from dist_vad.metrics import RegionScores, annotated_regions, held_from
from dist_vad.metrics.regions import ALPHA, BETA

LENGTH = 12
BOX = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8), st.integers(1, 8)).map(
    lambda b: [float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3])]
)
EVENT = st.tuples(st.integers(0, LENGTH - 1), st.lists(BOX, min_size=1, max_size=5)).map(
    lambda e: Event(start=e[0], end=min(LENGTH, e[0] + len(e[1])), name="", kind="", boxes=e[1][: LENGTH - e[0]])
)
OBJECT = st.tuples(st.integers(0, LENGTH - 1), BOX, st.integers(0, 5))


def iou(a, b) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def by_definition(videos, stride: int, margin: int) -> tuple[float, ...]:
    """The curve point by point, as the paper says it."""
    source = held_from(LENGTH, stride=stride, margin=margin)
    thresholds = sorted({score for _, objects in videos for _, _, score in objects}, reverse=True)
    points = [(0.0, 0.0, 0.0)]
    for threshold in thresholds:
        false, found, regions, tracks, tracked = 0, 0, 0, 0, 0
        for events, objects in videos:
            high = [(frame, box) for frame, box, score in objects if score >= threshold]
            boxes = {f: [box for frame, box in high if frame == source[f]] for f in range(LENGTH)}
            for event in events:
                hits = [
                    any(iou(box, region) >= BETA for box in boxes[event.start + n])
                    for n, region in enumerate(event.boxes)
                ]
                found, regions = found + sum(hits), regions + len(hits)
                tracked, tracks = tracked + (sum(hits) / len(hits) >= ALPHA), tracks + 1
            for f in range(LENGTH):
                truth = [e.boxes[f - e.start] for e in events if e.start <= f < e.end]
                false += sum(all(iou(box, region) < BETA for region in truth) for box in boxes[f])
        points.append((false / (LENGTH * len(videos)), found / regions, tracked / tracks))
    x, rbdr, tbdr = np.array([point for point in points if point[0] <= 1]).T
    x = np.append(x, 1.0)
    by_region, by_track = (float(np.trapezoid(np.append(rate, rate[-1]), x)) for rate in (rbdr, tbdr))
    return by_region, by_track


def measured(videos, stride: int, margin: int, batch: int = 7) -> list[tuple[float, ...]]:
    """By the score, and by the negative of its negative in a second column."""
    scores = RegionScores(LENGTH * len(videos), 2)
    for events, objects in videos:
        regions = annotated_regions(events, np.ones(LENGTH))
        assert regions is not None
        video = scores.video(regions, length=LENGTH, stride=stride, margin=margin)
        for start in range(0, len(objects), batch):
            some = objects[start : start + batch]
            frames, boxes = np.array([o[0] for o in some]), np.array([o[1] for o in some], float)
            value = np.array([o[2] for o in some], float)
            video.add(frames, boxes, np.stack([value, value * 2 - 9], axis=1))
    return [(float(by_region), float(by_track)) for by_region, by_track in scores.rates()]


@settings(deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(0, 2))
def test_the_criteria_agree_with_their_definition_point_by_point(data, stride, margin):
    source = set(held_from(LENGTH, stride=stride, margin=margin).tolist())
    video = st.tuples(
        st.lists(EVENT, min_size=1, max_size=3),
        st.lists(OBJECT, max_size=60).map(lambda objects: [o for o in objects if o[0] in source]),
    )
    videos = data.draw(st.lists(video, min_size=1, max_size=3))
    expected = by_definition(videos, stride, margin)
    for found in measured(videos, stride, margin):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_only_the_false_positives_that_matter_are_kept_and_the_criteria_stay_exact():
    """Hundreds of false positives over 12 frames, in batches, so that the lowest are dropped many times."""
    draw = np.random.default_rng(0)
    event = Event(start=0, end=LENGTH, name="", kind="", boxes=[[0, 0, 5, 5]] * LENGTH)
    false = [(int(f), [20, 20, 25, 25], int(s)) for f, s in draw.integers((0, 0), (LENGTH, 60), (400, 2))]
    found = [(int(f), [0, 0, 5, 5], int(s)) for f, s in draw.integers((0, 50), (LENGTH, 62), (10, 2))]
    objects = [[*false, *found][i] for i in draw.permutation(410)]
    videos = [([event], objects)]
    expected = by_definition(videos, 1, 0)
    assert 0 < expected[0] < 1
    for found in measured(videos, 1, 0, batch=10):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_perfect_detector_reaches_one_and_a_blind_one_nothing():
    event = Event(start=2, end=4, name="", kind="", boxes=[[0, 0, 4, 4], [1, 0, 5, 4]])
    seen = [(2, [0, 0, 4, 4], 9), (3, [1, 0, 5, 4], 9)]
    assert measured([([event], seen)], 1, 0)[0] == (1, 1)
    assert measured([([event], [(2, [10, 10, 12, 12], 9)])], 1, 0)[0] == (0, 0)
    assert measured([([event], [])], 1, 0)[0] == (0, 0)


def test_a_track_is_detected_by_a_tenth_of_its_regions():
    """Ten regions, one of them found: a share of exactly alpha."""
    event = Event(start=0, end=10, name="", kind="", boxes=[[0, 0, 4, 4]] * 10)
    rbdc, tbdc = measured([([event], [(5, [0, 0, 4, 4], 1)])], 1, 0)[0]
    assert (rbdc, tbdc) == (pytest.approx(0.1), 1)


def test_without_regions_the_criteria_are_undefined():
    scores = RegionScores(LENGTH, 1)
    assert all(math.isnan(value) for value in scores.rates()[0])
    normal = annotated_regions([], np.zeros(LENGTH))
    assert normal is not None, "a normal video is annotated: it has no region"
    scores.video(normal, length=LENGTH, stride=1, margin=0)
    assert all(math.isnan(value) for value in scores.rates()[0])


def test_an_anomaly_without_boxes_is_not_annotated():
    bare, boxed = Event(start=0, end=1, name="", kind=""), Event(start=0, end=1, name="", kind="", boxes=[[0, 0, 1, 1]])
    assert annotated_regions([bare, boxed], np.ones(1)) is None
    assert annotated_regions([], np.ones(1)) is None


@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=9))
def test_overlap_is_the_share_of_common_pixels(pairs):
    grid = np.arange(25) + 0.5

    def inside(box) -> np.ndarray:
        return ((grid > box[0]) & (grid < box[2]))[None] & ((grid > box[1]) & (grid < box[3]))[:, None]

    expected = [np.sum(inside(a) & inside(b)) / np.sum(inside(a) | inside(b)) for a, b in pairs]
    found = overlaps(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    np.testing.assert_allclose(found, expected, atol=1e-12)
