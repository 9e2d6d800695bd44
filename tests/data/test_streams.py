"""Promises 1 and 2 of the streams: a batch is a function of its step, whoever reads it."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.cli.explain import main
from dist_vad.data.shardset import ShardSet
from dist_vad.data.streams import Streams
from dist_vad.settings.stream import StreamSettings


@st.composite
def streams(draw):
    count = draw(st.sampled_from([1, 2, 8, 16]))
    shards = draw(st.lists(st.integers(0, 90), min_size=1, max_size=12))  # a shard may be empty
    shards[0] += count
    how = StreamSettings(streams=count, block=draw(st.integers(1, 100)), window=draw(st.integers(1, 100)))
    arguments = (shards, count * draw(st.integers(1, 4)), how, (draw(st.integers(0, 9)), "cube"), "cube")
    made = Streams(*arguments)
    made.arguments = arguments  # pyright: ignore[reportAttributeAccessIssue] - to make the same again
    return made


@settings(deadline=None)
@given(streams(), st.integers(0, 5))
def test_every_sample_comes_once_an_epoch_except_those_whose_turn_it_is_to_rest(s, epoch):
    positions = np.arange(epoch * s.epoch_length, (epoch + 1) * s.epoch_length)
    steps = np.unique(positions // s.per_step)
    row = np.concatenate([s.global_batch(int(step)) for step in steps], axis=1)
    first = positions[0] - steps[0] * s.per_step
    seen = row[:, first : first + s.epoch_length].ravel()
    expected = np.setdiff1d(np.arange(s.samples), s.left_out(epoch))
    assert np.array_equal(np.sort(seen), expected)


@settings(deadline=None)
@given(streams())
def test_those_who_rest_take_turns(s):
    rest = s.samples % s.count
    if rest:
        turns = np.concatenate([s.left_out(epoch) for epoch in range(-(-s.samples // rest))])
        assert set(turns) == set(range(s.samples))


@settings(deadline=None)
@given(streams(), st.integers(0, 400))
def test_ranks_only_divide_the_global_batch(s, step):
    whole = s.global_batch(step).ravel()
    for world in (w for w in (1, 2, 4, 8, 16) if s.count % w == 0):
        parts = [s.rank_batch(step, rank, world) for rank in range(world)]
        gathered = np.full(whole.size, -1)
        for ids, positions in parts:
            assert len(ids) == whole.size // world, "no rank may wait for another's samples"
            gathered[positions] = ids
        assert np.array_equal(gathered, whole)


@settings(deadline=None)
@given(streams(), st.integers(0, 300))
def test_a_resume_is_a_seek(s, step):
    uninterrupted = [s.global_batch(earlier) for earlier in range(step + 1)][-1]
    restarted = Streams(*s.arguments).global_batch(step)
    assert np.array_equal(uninterrupted, restarted)


def test_epochs_and_keys_give_other_orders():
    how = StreamSettings(streams=4, block=8, window=16)
    a = Streams([100, 60], 4, how, (0, "cube"), "cube")
    b = Streams([100, 60], 4, how, (1, "cube"), "cube")
    first_epoch = np.stack([a.global_batch(i) for i in range(40)])
    assert not np.array_equal(first_epoch, np.stack([a.global_batch(i + 40) for i in range(40)]))
    assert not np.array_equal(first_epoch, np.stack([b.global_batch(i) for i in range(40)]))


@pytest.mark.parametrize(
    ("shards", "share", "message"),
    [
        ([100], 6, "does not divide over 4 streams"),
        ([3], 4, "fewer than the 4 streams"),
        ([0], 4, "there are no samples in it"),
    ],
)
def test_what_cannot_work_is_refused_with_the_numbers(shards, share, message):
    with pytest.raises(InputError, match=message):
        Streams(shards, share, StreamSettings(streams=4), (0,), "cube")


def test_ranks_that_do_not_divide_the_streams_are_refused():
    s = Streams([100], 4, StreamSettings(streams=4), (0,), "cube")
    with pytest.raises(InputError, match="3 ranks do not divide the 4 streams"):
        s.rank_batch(0, 0, 3)


def test_explain_prints_every_sample_of_a_batch_and_the_rank_that_reads_it(
    monkeypatch, capfd, tiny_config, tiny_shards
):
    arguments = [
        "stream",
        "--config",
        str(tiny_config),
        "--phase",
        "inference",
        "--step",
        "5",
        "--ranks",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    head, facts, _, *rows = capfd.readouterr().out.splitlines()
    assert head == "stage inference, step 5 of 6, 2 ranks" and facts.startswith(
        f"virtual of {tiny_shards}/virtual-train: 8 of "
    )
    shards = ShardSet(tiny_shards / "virtual-train")
    keys = {shards.key(sample) for sample in range(len(shards))}
    printed = [row.split() for row in rows]
    assert [int(row[0]) for row in printed] == list(range(8)) and all(row[3] in keys for row in printed)
    assert [int(row[2]) for row in printed] == [0, 1] * 4
    assert all(row[3].startswith(row[4].rsplit("-", 1)[0]) for row in printed), "sample and shard are of one video"
