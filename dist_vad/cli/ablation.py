"""Train and measure all rows of a table as one job. Started again, it skips what is done.

accelerate launch launch/ablation.py [--config FILE] [--dry-run] [--seeds 0,1,2] [--only ROW] [--dotted.overrides ...]
"""

import json
import os

from dist_vad.ablation.job import Job
from dist_vad.ablation.record import Record
from dist_vad.ablation.text import outline, stages_json
from dist_vad.ablation.tree import Tree, grow
from dist_vad.base.errors import InputError, entry_point
from dist_vad.cli.session import open_run
from dist_vad.curriculum.recipes import training_needs
from dist_vad.evaluation.run import evaluation_needs
from dist_vad.settings.ablation import AblationSettings
from dist_vad.settings.parsing import CONFIGS, Option, parse
from dist_vad.settings.provenance import provenance

OPTIONS = (
    Option("dry-run", bool, False, "print the tree, what exists of it and what the rest costs; train nothing"),
    Option("list", str | None, None, "json: print the stages in their order, each with key, parent's key, name, done"),
    Option("seeds", str | None, None, "seeds of every row, such as 0,1,2; without it, that of the base"),
    Option("only", str | None, None, "name of a row: train and measure no other; the table shows what is known of all"),
    Option("stage", str | None, None, "key of a stage, as --list prints it: train and measure no other"),
)


def open_record(tree: Tree) -> Record:
    """What the run's folder holds of a tree."""
    needs = {need for node in tree.nodes.values() for need in training_needs(node.settings)}
    return Record(tree, sorted(needs | set(evaluation_needs())))


def chosen_stages(record: Record, row: str | None, stage: str | None) -> list[str]:
    """Ids of the stages to train and measure, parents before their children."""
    tree = record.tree
    if row is not None and row not in (names := [branch.row.name for branch in tree.branches]):
        raise InputError(f"--only is {row!r}; allowed: {'; '.join(dict.fromkeys(names))}")
    if row in record.left_out:
        raise InputError(f"--only {row!r}: {record.left_out[row]}")
    if stage is not None and stage not in record.wanted:
        raise InputError(f"--stage is {stage!r}; allowed: {', '.join(record.wanted)}")
    nodes = [node for node in record.wanted if row is None or row in tree.rows_of(node)]
    nodes = [node for node in nodes if stage is None or node == stage]
    if not nodes:
        raise InputError("no row can be run: " + "; ".join(f"{name}: {why}" for name, why in record.left_out.items()))
    return nodes


def read_seeds(given: str | None, own: int) -> list[int]:
    """Seeds from `0,1,2`."""
    try:
        seeds = [own] if given is None else [int(seed) for seed in given.split(",")]
    except ValueError:
        raise InputError(f"--seeds is {given!r}; allowed: whole numbers such as 0,1,2") from None
    return list(dict.fromkeys(seeds))


@entry_point
def main() -> None:
    table, options = parse(AblationSettings, "Train and measure a table.", CONFIGS / "ablation/table3.yaml", OPTIONS)
    tree = grow(table, table.rows, read_seeds(options.seeds, table.base.seed))
    record = open_record(tree)
    chosen = chosen_stages(record, options.only, options.stage)
    if options.list is not None:
        if options.list != "json":
            raise InputError(f"--list is {options.list!r}; allowed: json")
        print(json.dumps(stages_json(record, chosen), indent=1))
        return
    if int(os.environ.get("RANK", "0")) == 0:
        print(outline(record), flush=True)
    if options.dry_run:
        return
    accelerator = open_run(table.base, record.needs)
    record = open_record(tree)  # the shards are there now
    job = Job(table, record, accelerator, lambda: provenance(table.base))
    job.run(chosen)
    accelerator.print(f"table: {record.folder / table.table}.json and .html")
    accelerator.end_training()
