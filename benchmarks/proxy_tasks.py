"""Each proxy task alone: what its head says after its own training, beside the same head on an untrained backbone.

python benchmarks/proxy_tasks.py --config configs/ucsd/tasks.yaml --data.root PED2 [--seeds 0,1,2] [--out FILE.json]

Every stage of the configuration's curriculum is trained from nothing, and its head's score is measured. The untrained
twin has the backbone at its initial weights and the head fitted for `score.refit` steps. A second start goes on where
the first stopped; the file of results is written after every task.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.curriculum.heads import UNTRAINED, Asked
from dist_vad.curriculum.recipes import finished_state, plan
from dist_vad.curriculum.stages import stages_of
from dist_vad.evaluation.evaluator import Evaluation, ScoredModel
from dist_vad.evaluation.object_auc import object_auc
from dist_vad.evaluation.results import rows_of
from dist_vad.settings.parsing import CONFIGS, Command, Option, parse
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings

SEEDS = Option("seeds", str, "0,1,2", "seeds, each with networks of its own")
OUT = Option("out", str, "docs/results/tasks_ped2.json", "file of the results")
MEASURES = ("micro", "macro", "object")
SETS = (("cube", "train"), ("cube", "val"), ("cube", "test"), ("virtual", "train"))
COMMAND = Command(Settings, "Each proxy task alone, trained and untrained.", CONFIGS / "ucsd/tasks.yaml", (SEEDS, OUT))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if not set(options.seeds) <= set("0123456789,"):
        raise InputError(f"--seeds is {options.seeds!r}; expected whole numbers, such as 0,1,2")
    if settings.init:
        raise InputError(f"init is {settings.init!r}, but here every task is trained from nothing; leave it out")
    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.recipes import training_needs

    accelerator = open_run(settings, [*training_needs(settings), "cube-test"])
    rows: list[dict[str, Any]] = []
    for seed in map(int, options.seeds.split(",")):
        for task in stages_of(settings):
            rows += _measured(_alone(settings, task, seed), task, accelerator)
            data = {"commit": provenance(settings).get("commit"), "data": _digests(settings), "rows": rows}
            write_json(Path(options.out), data)
    print(_table(rows))
    print(json.dumps({"rows": len(rows), "out": options.out}))
    accelerator.end_training()


def _alone(settings: Settings, task: str, seed: int) -> Settings:
    stage = stages_of(settings)[task]
    run = f"{settings.run}/{task}-{seed}"
    return dataclasses.replace(settings, seed=seed, curriculum={task: stage}, run=run)


def _measured(settings: Settings, task: str, accelerator: Accelerator) -> list[dict[str, Any]]:
    from dist_vad.training.refit import fit_heads
    from dist_vad.training.trainer import train_stage

    (stage,) = plan(settings)
    state = finished_state(settings, stage) or train_stage(settings, stage, None, accelerator)
    fit_heads(settings, [Asked(UNTRAINED, None, (task,), ())], accelerator)
    evaluation = Evaluation(settings, accelerator)
    untrained = next(model for model in evaluation.score_without_learning([task]) if model.name == UNTRAINED)
    return [
        _row(evaluation, model, task, settings.seed, trained)
        for model, trained in ((untrained, False), (evaluation.score_alone(state), True))
    ]


def _row(evaluation: Evaluation, model: ScoredModel, task: str, seed: int, trained: bool) -> dict[str, Any]:
    how = evaluation.settings.evaluate.smoothing
    row = next(row for row in rows_of(evaluation, model) if row["scorer"] == task and row["smoothing"] == how)
    of_objects = object_auc(evaluation, model, task)
    return {
        "task": task, "seed": seed, "trained": trained, "micro": row["micro_auc"], "macro": row["macro_auc"],
        "object": of_objects, "validation": model.synthetic_auc.get(task, {}),
    }  # fmt: skip


def _digests(settings: Settings) -> dict[str, str]:
    from dist_vad.data.manifest import Manifest
    from dist_vad.data.shard_sets import shard_store

    sets = {f"{kind}-{split}": shard_store(settings.shards, kind, split) for kind, split in SETS}
    return {name: Manifest.load(store).content_digest for name, store in sets.items()}


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'task':26} {'':10}" + "".join(f"{key:>16}" for key in MEASURES)]
    for task in dict.fromkeys(row["task"] for row in rows):
        for trained in (False, True):
            own = [row for row in rows if row["task"] == task and row["trained"] == trained]
            values = [[row[key] for row in own] for key in MEASURES]
            cells = "".join(f"{np.mean(of_seeds):10.3f} ± {np.std(of_seeds):.2f}" for of_seeds in values)
            lines.append(f"{task:26} {'trained' if trained else 'untrained':10}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
