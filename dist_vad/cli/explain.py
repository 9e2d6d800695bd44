"""Show which samples make up a global batch and which rank reads them.

python -m dist_vad.stream explain --step N [--phase NAME] [--ranks W] [--config FILE] [--dotted.overrides ...]
"""

import sys
from collections.abc import Iterator

import numpy as np

from dist_vad.base.errors import InputError, entry_point
from dist_vad.curriculum.recipes import Stage, plan
from dist_vad.data.loader import Source
from dist_vad.settings.parsing import CONFIGS, Option, parse
from dist_vad.settings.run import Settings
from dist_vad.training.trainer import open_sources

OPTIONS = (
    Option("step", int, 0, "step of the stage, counted from 0"),
    Option("phase", str | None, None, "name of the stage; without it, the first"),
    Option("ranks", int, 1, "number of ranks that share the batch"),
)


def explain(source: Source, kind: str, step: int, ranks: int) -> Iterator[str]:
    """The lines that say what a step reads of one source."""
    streams, shards = source.streams, source.shards
    first = step * streams.per_step
    epoch, place = divmod(first, streams.epoch_length)
    last = divmod(first + streams.per_step - 1, streams.epoch_length)[0]
    epochs = f"epoch {epoch}" if last == epoch else f"epochs {epoch} and {last}"
    yield (
        f"{kind} of {shards.where}: {streams.share} of {streams.samples} samples, "
        f"{streams.per_step} from each of {streams.count} streams; {epochs}, "
        f"place {place} of {streams.epoch_length} in every stream"
    )
    yield f"{'position':>8} {'stream':>6} {'rank':>4}  {'sample':36} shard"
    owner = np.empty(streams.share, np.int64)
    for rank in range(ranks):
        owner[streams.rank_batch(step, rank, ranks)[1]] = rank
    for position, sample in enumerate(streams.batch(step).ravel()):
        number = int(np.searchsorted(shards.starts, sample, side="right")) - 1
        shard = shards.manifest.shards[number].name
        stream = position // streams.per_step
        yield f"{source.first + position:8} {stream:6} {owner[position]:4}  {shards.key(int(sample)):36} {shard}"


def _stage(stages: list[Stage], name: str | None) -> Stage:
    chosen = next((stage for stage in stages if name in (None, stage.name)), None)
    if chosen is None:
        raise InputError(f"--phase is {name!r}; allowed: {', '.join(stage.name for stage in stages)}")
    return chosen


@entry_point
def main() -> None:
    if sys.argv[1:2] != ["explain"]:
        raise InputError("usage: python -m dist_vad.stream explain --step N; --help after explain shows all options")
    del sys.argv[1]
    settings, options = parse(Settings, "Show what makes up a global batch.", CONFIGS / "default.yaml", OPTIONS)
    if options.step < 0 or options.ranks < 1:
        raise InputError(f"--step is {options.step}, --ranks is {options.ranks}; allowed: 0 or more, 1 or more")
    stage = _stage(plan(settings), options.phase)
    print(f"stage {stage.name}, step {options.step} of {stage.settings.steps}, {options.ranks} ranks")
    for kind in stage.kinds:
        for source in open_sources(settings, stage, kind):
            print("\n".join(explain(source, kind, options.step, options.ranks)))
