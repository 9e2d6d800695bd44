"""Samples through several networks at once: each is read and decoded a single time, whoever asks for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from dist_vad.base.side_by_side import side_by_side
from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.tasks import HeadOutput

Outputs = dict[str, HeadOutput]
"""Task -> what its head says of some samples."""
Change = Callable[[Batch], Batch]

AS_THEY_ARE: dict[str, Change | None] = {"": None}
PORTION = 32
"""Batches that are made of whole shards at once: only the last one is filled up with repeated samples."""


class Measures(Protocol):
    """What says something of every sample of a batch: a network, or a baseline."""

    def outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        """Outputs by task, for a batch in several forms, by the names of those."""
        ...


def measure(
    measures: Sequence[Measures],
    shards: ShardSet,
    ids: np.ndarray,
    batch: int,
    changes: Mapping[str, Change | None] = AS_THEY_ARE,
) -> list[dict[str, Outputs]]:
    """What each of several networks says of samples in several forms: for each network, form -> task -> outputs.

    Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
    another batch size.

    Args:
        ids: of the samples, int64 [N], N at least 1.
        batch: samples of a batch.
        changes: name of a form -> what makes it of the stored samples; None = as they are.
    """

    def work(chosen: np.ndarray) -> list[dict[str, Outputs]]:
        stored = shards.read(chosen, positions=chosen)
        forms = {name: change(stored) if change else stored for name, change in changes.items()}
        return [network.outputs(forms) for network in measures]

    padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % batch)])
    parts = [*side_by_side(work, padded.reshape(-1, batch))]
    return [
        {name: joined([part[number][name] for part in parts], len(ids)) for name in changes}
        for number in range(len(measures))
    ]


def measure_portions(
    measures: Sequence[Measures], shards: ShardSet, numbers: Sequence[int], batch: int
) -> Iterator[list[tuple[int, list[Outputs]]]]:
    """What each of several networks says of the samples of some shards: (number of the shard, outputs by network), a
    portion of shards at a time."""
    for portion in _portions(shards, numbers, batch * PORTION):
        ids = [np.arange(shards.starts[number], shards.starts[number + 1]) for number in portion]
        measured = measure(measures, shards, np.concatenate(ids), batch)
        ends = np.cumsum([len(own) for own in ids]).tolist()
        rows = [slice(end - len(own), end) for own, end in zip(ids, ends)]
        yield [(number, [_slice(forms[""], own) for forms in measured]) for number, own in zip(portion, rows)]


def joined(parts: Sequence[Outputs], count: int) -> Outputs:
    """The first `count` outputs of several batches laid end to end."""
    return {
        name: HeadOutput(*(np.concatenate(arrays)[:count] for arrays in zip(*(part[name] for part in parts))))
        for name in parts[0]
    }


def _portions(shards: ShardSet, numbers: Sequence[int], least: int) -> Iterator[list[int]]:
    """The numbers in their order, in runs of shards that have `least` samples or a few more."""
    portion, samples = [], 0
    for number in numbers:
        portion.append(number)
        samples += shards.manifest.shards[number].samples
        if samples >= least:
            yield portion
            portion, samples = [], 0
    if samples:
        yield portion


def _slice(outputs: Outputs, rows: slice) -> Outputs:
    return {name: HeadOutput(*(array[rows] for array in output)) for name, output in outputs.items()}
