"""A stage's samples on the device: what every step reads, and the random draws that go with it."""

import math
from dataclasses import replace

import numpy as np
import torch

from dist_vad.base import counters
from dist_vad.curriculum.recipes import Stage, shares
from dist_vad.data.loader import Source
from dist_vad.data.shard_sets import open_set
from dist_vad.data.shardset import Batch
from dist_vad.data.streams import Streams
from dist_vad.settings.run import Settings
from dist_vad.tasks import PARTNER, DrawKey, Inputs
from dist_vad.training.stage_module import StageModule


def open_sources(settings: Settings, stage: Stage, kind: str) -> list[Source]:
    """The training samples of a kind, with the streams of a stage: those of `shards`, then those of each of `mix`.

    PARTNER is a kind too: the cubes once more, in an order of their own.
    """
    sources, first = [], 0
    stored = "cube" if kind == PARTNER else kind
    for number, (store, share) in enumerate(shares(settings, stage.settings.global_batch, stored)):
        shards = open_set(settings, store)
        samples = [shard.samples for shard in shards.manifest.shards]
        key = (settings.seed, stage.key, kind, *([number] if number else []))
        # Each source has as many streams as divide both its share and what was planned for.
        stream_settings = replace(settings.stream, streams=math.gcd(settings.stream.streams, share))
        streams = Streams(samples, share, stream_settings, key, f"{kind} of {shards.where}")
        sources.append(Source(shards, streams, first))
        first += share
    return sources


class BatchPreparer:
    """Prepares batches: from samples as they are stored to the inputs and the random draws of a stage's module."""

    def __init__(self, settings: Settings, stage: Stage, module: StageModule, device: torch.device) -> None:
        self.settings, self.stage, self.tasks, self.device = settings, stage, module.tasks, device

    def inputs(self, step: int, batches: dict[str, Batch]) -> dict[str, Inputs]:
        """Samples on the device by kind, augmented as the settings say."""
        inputs = {kind: self.input(batch) for kind, batch in batches.items()}
        if self.settings.augment == "mirror":
            for kind, batch in batches.items():
                key = (self.settings.seed, self.stage.key, "mirror", kind, step, batch.positions)
                inputs[kind] = inputs[kind].mirrored(counters.uniform(*key) < 0.5)
        return inputs

    def input(self, batch: Batch) -> Inputs:
        """Samples of one kind on the device, as they were stored."""
        return Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)

    def draws(self, step: int, batches: dict[str, Batch]) -> dict[str, torch.Tensor]:
        """Task -> its random draws for a step, on the device; the first axis is that of the samples."""
        return {name: self.draw(name, name, step, batches[task.kind]) for name, task in self.tasks.items()}

    def draw(self, name: str, label: str, step: int, batch: Batch) -> torch.Tensor:
        """The draws of one task, from counters keyed by `label`, step and the samples' positions."""
        key = DrawKey(self.settings.seed, self.stage.key, label, step, batch.positions)
        return self.tasks[name].draw(key, batch.clips.shape[1]).to(self.device)


def sample_keys(sources: list[Source], step: int, positions: np.ndarray) -> list[str]:
    """The names of samples at some positions of the global batch of a step."""
    keys = []
    for source in sources:
        ids, own = source.streams.rank_batch(step, 0, 1)
        by_position = dict(zip((source.first + own).tolist(), ids.tolist()))
        keys += [source.shards.key(by_position[position]) for position in positions.tolist() if position in by_position]
    return keys
