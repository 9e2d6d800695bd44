"""One pass over a test set for all models: each cube is read and decoded once, each shard's scores are written once."""

from collections.abc import Sequence

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from tqdm import tqdm

from dist_vad.base.progress import progress_bar
from dist_vad.base.side_by_side import side_by_side
from dist_vad.data.shardset import ShardSet
from dist_vad.evaluation.score_files import ScoreFiles
from dist_vad.evaluation.scored_model import Scoring
from dist_vad.scoring.measuring import Outputs, measure_portions


def write_missing(
    scorings: Sequence[Scoring], files: Sequence[ScoreFiles], test: ShardSet, accelerator: Accelerator, batch: int
) -> None:
    """Write this rank's share of the score files of a test set that are not there yet.

    What is missing is shared out anew at every start, so a run that was killed is made up for by all ranks; the
    first rank looks for all, since others would already see files that it has made meanwhile.

    Args:
        scorings, files: the models, and where the scores of each go.
        batch: samples that a network is given at once.
    """
    shards = test.manifest.shards
    missing = [[own.missing(shards) for own in files] if accelerator.is_main_process else []]
    broadcast_object_list(missing)
    lacking: dict[int, list[int]] = {}
    for model, numbers in enumerate(missing[0]):
        for number in numbers:
            lacking.setdefault(number, []).append(model)
    mine = sorted(lacking)[accelerator.process_index :: accelerator.num_processes]
    by_models: dict[tuple[int, ...], list[int]] = {}
    for number in mine:
        by_models.setdefault(tuple(lacking[number]), []).append(number)
    names = ", ".join(dict.fromkeys(scoring.model.name for scoring in scorings))
    with progress_bar(
        total=len(mine), desc=f"score {names}", unit=" shards", disable=not accelerator.is_main_process
    ) as bar:
        for models, numbers in by_models.items():
            chosen = [scorings[model] for model in models], [files[model] for model in models]
            write_shards_scores(*chosen, test, numbers, batch, bar)


def write_shards_scores(
    scorings: Sequence[Scoring],
    files: Sequence[ScoreFiles],
    test: ShardSet,
    numbers: Sequence[int],
    batch: int,
    bar: tqdm | None = None,
) -> None:
    """Write the score files of some shards, by their numbers, for all of some models."""

    def write(measured: tuple[int, list[Outputs]]) -> None:
        number, outputs = measured
        for scoring, own, said in zip(scorings, files, outputs):
            own.write(test.manifest.shards[number], test.index(number), scoring.scores(number, said))

    for portion in measure_portions([scoring.network for scoring in scorings], test, numbers, batch):
        written = len([*side_by_side(write, portion)])
        if bar is not None:
            bar.update(written)
