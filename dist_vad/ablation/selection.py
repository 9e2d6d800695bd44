"""Which rows, seeds and stages of a table are asked for."""

from dist_vad.ablation.record import Record
from dist_vad.ablation.tree import Tree
from dist_vad.base.errors import InputError
from dist_vad.curriculum.recipes import training_needs
from dist_vad.evaluation.run import evaluation_needs


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
