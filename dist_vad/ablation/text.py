"""An ablation in words: the tree with what it costs, and the table, for a terminal or a log."""

from typing import Any

from dist_vad.ablation.record import Record
from dist_vad.ablation.table import Figure, Line, Table, claims
from dist_vad.ablation.tree import Node
from dist_vad.base.progress import duration
from dist_vad.base.text.columns import hanging, terminal_width

NOTHING = "-"


def outline(record: Record) -> str:
    """The tree, what exists of it, and the cost of the rest."""
    tree = record.tree
    rows = list(dict.fromkeys(branch.row.name for branch in tree.branches))
    seeds = len({branch.seed for branch in tree.branches})
    times = f" x {seeds} seeds" if seeds > 1 else ""
    first = f"{len(rows)} rows{times}: {len(tree.in_rows)} of {tree.stages} stages, a common beginning is trained once"
    columns = sum(branch.simultaneous is not None for branch in tree.branches)
    first += f"; {len(tree.beside)} more for {columns} simultaneous columns" if columns else ""
    lines = [first]
    lines += [_branch(record, tree.nodes[node]) for node in tree.depth_first()]
    lines += [f"{row}: not run: {why}" for row, why in record.left_out.items()]
    return "\n".join([*lines, _rest(record)])


def stages_json(record: Record, chosen: list[str]) -> list[dict[str, Any]]:
    """Some stages, parents before their children, for programs that launch them one by one."""
    nodes = [record.tree.nodes[node] for node in chosen]
    return [
        {
            "key": node.id,
            "parent": node.parent,
            "name": node.name,
            "curriculum": node.line,
            "seed": node.settings.seed,
            "steps": node.stage.steps,
            "rows": record.tree.rows_of(node.id),
            "done": record.measured(node.id) is not None,
            "trained": record.state(node.id) is not None,
        }
        for node in nodes
    ]


def _branch(record: Record, node: Node) -> str:
    depth = len(record.tree.descent(node.id)) - 1
    name = node.line.rpartition(" > ")[2]
    status = "left out" if node.id not in record.wanted else "to train"
    if record.state(node.id):
        status = "measured" if record.measured(node.id) else "trained"
    seed = f" seed {node.settings.seed}" if len({b.seed for b in record.tree.branches}) > 1 else ""
    return f"  {node.id}  {'  ' * depth + name:44} {node.stage.steps:7} steps  {status}{seed}"


def _rest(record: Record) -> str:
    rest = [record.tree.nodes[node] for node in record.wanted if not record.state(node)]
    unmeasured = sum(record.measured(node) is None for node in record.wanted)
    if not unmeasured:
        return "nothing is left to do"
    steps, samples = sum(node.stage.steps for node in rest), sum(node.samples for node in rest)
    says = f"left: {len(rest)} stages to train, {steps} steps, {samples} samples through a loss; "
    says += f"{unmeasured} states to measure"
    known = [record.training_seconds(node) for node in rest]
    seconds = [some for some in [*known, record.measuring_seconds()] if some is not None]
    if len(seconds) == len(rest) + 1:
        says += f"; {duration(sum(seconds[:-1]) + unmeasured * seconds[-1])} by the rates of this run so far"
    else:
        says += "; this run has trained nothing yet, so there is no measured rate to tell hours by"
    if record.missing_shards:
        says += (
            f"\nno shards yet in {record.settings.shards}: {', '.join(record.missing_shards)}; a run writes them first"
        )
    return says


def format_table(table: Table, width: int | None = None) -> str:
    """The table as far as it has been measured, with the paper's figures beside it, or below where there is no room.

    `width`: most columns of text; None: as wide as the terminal.
    """
    width = width or terminal_width()
    seeds = ", ".join(map(str, table.seeds))
    about = (
        f"{table.dataset}, micro AUC in %, {table.settings.scorer}, {table.smoothing}, seed {seeds}; under the name "
    )
    about += "of a data set: the paper"
    head = [
        part for text in (f"{table.settings.table}: {table.settings.title}", about) for part in hanging(text, width)
    ]
    lines = [*head]
    for block in _blocks(table, width):
        rule = "-" * max(map(len, block))
        lines += [block[0], rule, *block[1:], rule]
    if table.without_learning:
        aucs = ", ".join(f"{name} {auc:.1f}" for name, auc in table.without_learning.items())
        lines += hanging(f"without learning: {aucs}", width)
    return "\n".join([*lines, *(part for said in [*claims(table), *table.remarks] for part in hanging(said, width))])


def _blocks(table: Table, width: int) -> list[list[str]]:
    """The columns in blocks that fit, each with the curricula before it: a heading and a line for each row."""
    names = ["curriculum", *(line.row.name for line in table.lines)]
    first = [name.ljust(max(map(len, names))) for name in names]
    blocks: list[list[str]] = []
    for column in _columns(table):
        own = [f"  {cell.rjust(max(map(len, column)))}" for cell in column]
        if not blocks or len(blocks[-1][0]) + len(own[0]) > width:
            blocks.append(first)
        blocks[-1] = [line + cell for line, cell in zip(blocks[-1], own)]
    return [[line.rstrip() for line in block] for block in blocks]


def _columns(table: Table) -> list[list[str]]:
    """The columns of figures, each with its heading first."""
    phases = table.settings.simultaneous
    heads = [*(["phase 1", "phase 2", "phase 3"] if phases else ["    AUC"]), "95 % interval"]
    heads += ["simult."] if phases else []
    heads += [f"{name}  sim." if phases else name for name in table.paper]
    return [[head, *cells] for head, cells in zip(heads, zip(*(_cells(table, line) for line in table.lines)))]


def _cells(table: Table, line: Line) -> list[str]:
    phases = table.settings.simultaneous
    cells = [*map(_auc, line.phases if phases else [line.final]), _interval(line.final)]
    cells += [_auc(line.simultaneous)] if phases else []
    for name in table.paper:
        aucs = " / ".join(NOTHING if auc is None else f"{auc:.1f}" for auc in line.row.paper.get(name, []))
        beside = line.row.paper_simultaneous.get(name)
        cells.append(f"{aucs or NOTHING}" + (f"  {beside:.1f}" if beside is not None else ""))
    return cells


def _auc(figure: Figure | None) -> str:
    return NOTHING if figure is None else f"{figure.mean:.1f}"


def _interval(figure: Figure | None) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return NOTHING
    return f"{figure.low:.1f} .. {figure.high:.1f}"
