"""What a plan says that a rank reads is what it reads."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.data.reads import reads_of_ranks, shards_of_streams
from dist_vad.data.streams import Streams
from dist_vad.settings.stream import StreamSettings


@given(
    shards=st.lists(st.integers(1, 40), min_size=2, max_size=12).filter(lambda sizes: sum(sizes) >= 8),
    world=st.sampled_from([1, 2, 4, 8]),
    start=st.integers(0, 30),
    steps=st.integers(1, 12),
)
@settings(max_examples=40, deadline=None)
def test_a_plan_counts_the_shards_and_bytes_that_the_batches_of_a_rank_come_from(shards, world, start, steps):
    streams = Streams(shards, 16, StreamSettings(streams=8, block=8, window=4), (0, "stage", "cube"), "set")
    sizes = [100 + number for number in range(len(shards))]
    seen = shards_of_streams(streams, shards, start, start + steps)
    for rank, planned in enumerate(reads_of_ranks(streams, seen, sizes, steps, world)):
        ids = np.concatenate([streams.rank_batch(step, rank, world)[0] for step in range(start, start + steps)])
        owners = {next(n for n, end in enumerate(np.cumsum(shards)) if sample < end) for sample in ids.tolist()}
        assert (planned.samples, planned.shards) == (len(ids), len(owners))
        assert planned.bytes == sum(sizes[owner] for owner in owners)
