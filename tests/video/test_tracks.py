"""Track ids: which boxes are taken to be of one object."""

import json
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import QUIET, contents, make_folder, settings_of

from dist_vad.data.manifest import Manifest
from dist_vad.producer.job import write_shards
from dist_vad.producer.verify import verify_set
from dist_vad.video.cubes import Sample
from dist_vad.video.tracks import MOST_MISSED, with_tracks

SIDE = 20
CLIP = np.zeros((3, 4, 4, 3), np.uint8)


def samples(places: dict[int, list[tuple[float, float]]]) -> list[Sample]:
    """Squares of SIDE pixels, given by frame as their left and top edges; numbered from left to right."""
    return [
        Sample(frame, number, CLIP, np.array([x, y, x + SIDE, y + SIDE], np.float32), 1.0, "square")
        for frame, some in sorted(places.items())
        for number, (x, y) in enumerate(sorted(some))
    ]


def tracks(places: dict[int, list[tuple[float, float]]], stride: int = 1) -> dict[tuple[int, float], int | None]:
    """(frame, top edge) -> track id: the squares of these tests keep their height."""
    return {(s.frame, float(s.box[1])): s.track for s in with_tracks(samples(places), stride)}


@pytest.mark.parametrize("stride", [1, 3])
def test_squares_that_cross_keep_their_ids(stride):
    frames = range(0, 40 * stride, stride)
    places = {f: [(2.0 * f / stride, 0.0), (80 - 2.0 * f / stride, 8.0)] for f in frames}
    found = tracks(places, stride)
    # The one that starts on the left is the first object of the first frame, and stays 0 when it is on the right.
    assert all(found[f, 0.0] == 0 and found[f, 8.0] == 1 for f in frames)


def test_pairs_are_chosen_together_not_one_after_another():
    # The first box overlaps the other's track most, too: taken first come, first served, it would take it.
    found = tracks({0: [(0.0, 0.0), (9.0, 1.0)], 1: [(5.0, 2.0), (10.0, 1.0)]})
    assert found[1, 2.0] == 0 and found[1, 1.0] == 1


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize(("missed", "expected"), [(0, 0), (1, 0), (MOST_MISSED, 0), (MOST_MISSED + 1, 1)])
def test_a_short_gap_keeps_the_id_and_a_long_one_does_not(stride, missed, expected):
    after = stride * (missed + 1)
    assert tracks({0: [(5.0, 5.0)], after: [(6.0, 5.0)]}, stride)[after, 5.0] == expected


def test_an_object_that_goes_on_during_anothers_gap_does_not_keep_that_one_alive():
    other = {f: [(100.0, 50.0)] for f in range(1, 20)}
    places = {0: [(5.0, 5.0), (100.0, 50.0)], **other, 20: [(5.0, 5.0), (100.0, 50.0)]}
    found = tracks(places)
    assert found[20, 50.0] == 1 and found[20, 5.0] == 2


def test_a_box_far_away_is_another_object():
    assert tracks({0: [(0.0, 0.0)], 1: [(15.0, 0.0)]})[1, 0.0] == 1


place = st.tuples(st.floats(0, 60), st.floats(0, 60))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 30), st.lists(place, min_size=1, max_size=6), max_size=12))
def test_ids_are_unique_in_a_frame_and_count_from_0_by_appearance(places):
    given_samples = samples(places)
    found = list(with_tracks(given_samples, 1))
    assert [(s.frame, s.object) for s in found] == [(s.frame, s.object) for s in given_samples]
    for frame in places:
        ids = [s.track for s in found if s.frame == frame]
        assert len(set(ids)) == len(ids)
    assert list(dict.fromkeys(s.track for s in found)) == list(range(len({s.track for s in found})))


def described(folder) -> list[dict]:
    """The json of every sample of a set."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            found += [json.load(tar.extractfile(m)) for m in tar if m.name.endswith(".json")]  # pyright: ignore
    return found


def test_tracks_are_written_where_they_are_asked_for_and_nowhere_else(tmp_path):
    make_folder(tmp_path / "data", train=2)
    plain = write_shards(settings_of(tmp_path / "data"), tmp_path / "plain", QUIET)
    tracked = write_shards(settings_of(tmp_path / "data", tracks=True), tmp_path / "tracked", QUIET)
    assert all("track" not in sample for sample in described(plain["cube-test"]))
    with_ids = described(tracked["cube-test"])
    assert with_ids and all(isinstance(sample.pop("track"), int) for sample in with_ids)
    assert with_ids == described(plain["cube-test"])
    assert [line for folder in tracked.values() for line in verify_set(folder)] == []
    before = Manifest.load(plain["cube-test"]).fingerprint
    assert Manifest.load(tracked["cube-test"]).fingerprint != before
    write_shards(settings_of(tmp_path / "data", tracks=False), tmp_path / "again", QUIET)
    assert contents(tmp_path / "again") == contents(tmp_path / "plain")
    with pytest.raises(ValueError, match="tracks was False, now True"):
        write_shards(settings_of(tmp_path / "data", tracks=True), tmp_path / "plain", QUIET)
    with pytest.raises(ValueError, match="tracks was True, now False"):
        write_shards(settings_of(tmp_path / "data"), tmp_path / "tracked", QUIET)
