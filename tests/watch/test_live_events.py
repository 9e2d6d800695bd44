"""Events while they happen: the same stretches as `find_events` sees afterwards, told as they begin, go on and end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.inference.events import find_events
from dist_vad.settings.watch import WatchEventSettings
from dist_vad.watch.live_events import LiveEvents

FPS, START = 10, 1.7e9


def told(scores: list[float], join: float = 1.0, update: float = 1000.0) -> list:
    live = LiveEvents("door", 1.0, WatchEventSettings(join=join, update=update))
    changes = [live.see(START + number / FPS, score, []) for number, score in enumerate(scores)]
    return [*(change for change in [*changes, live.close("over")] if change)]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), max_size=80), st.integers(1, 12))
def test_events_as_they_happen_are_those_that_are_found_afterwards(scores, join):
    values = np.array(scores, np.float64)
    found = find_events(values, values, 1.0, join)
    ends = [change.event for change in told(scores, join=(join - 0.5) / FPS) if change.kind == "end"]
    stretches = [(round((e.begin - START) * FPS), round((e.above - START) * FPS) + 1, e.score) for e in ends]
    assert stretches == [(event.start, event.end, event.score) for event in found]


@given(st.lists(st.sampled_from([0.0, 2.0]), max_size=80))
def test_every_event_begins_and_ends_once_in_that_order(scores):
    open_event = None
    for change in told(scores, join=0.35):
        assert (change.kind == "begin") == (open_event is None)
        open_event = None if change.kind == "end" else change.event.id
    assert open_event is None


def test_an_event_that_goes_on_is_told_of_at_first_often_then_seldom():
    changes = told([2.0] * (FPS * 600), update=5.0)
    updates = [change.time - START for change in changes if change.kind == "update"]
    assert np.allclose(np.diff(updates[:11]), 5.0) and np.allclose(np.diff(updates[-5:]), 60.0)


def test_the_line_of_an_event_holds_the_objects_of_its_highest_frame():
    live = LiveEvents("door", 1.0, WatchEventSettings())
    for number, score in enumerate([2.0, 5.0, 3.0]):
        live.see(START + number, score, [score])  # pyright: ignore
    change = live.close("")
    assert change and change.event.objects == [5.0] and change.event.peak == START + 1
