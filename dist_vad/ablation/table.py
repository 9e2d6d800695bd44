"""What was measured of a tree's states, as a table like the paper's."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from dist_vad.ablation.record import ROWS, Record
from dist_vad.ablation.tree import Branch
from dist_vad.model import PHASES
from dist_vad.settings.ablation import AblationSettings, RowSettings


@dataclass(frozen=True)
class Figure:
    """A micro AUC in percent: of one state, or the mean over seeds."""

    mean: float
    low: float | None
    high: float | None
    """Its 95 % interval: Student's t over seeds, or over resamples of the test videos where there is one seed."""
    seeds: int


@dataclass(frozen=True)
class Line:
    """One row of the table, as far as it has been measured."""

    row: RowSettings
    phases: tuple[Figure | None, ...]
    """After phases 1, 2 and 3."""
    final: Figure | None
    """At the end of the curriculum."""
    simultaneous: Figure | None
    left_out: str | None
    """Why the row cannot be run."""
    notes: tuple[str, ...] = ()
    """What must be said beside its figures."""


@dataclass(frozen=True)
class Table:
    """All rows, and what they are to be read against."""

    settings: AblationSettings
    dataset: str
    seeds: list[int]
    lines: list[Line]
    without_learning: dict[str, float] = field(default_factory=dict)
    """Baseline -> micro AUC in percent."""

    @property
    def smoothing(self) -> str:
        """Of frame scores over time."""
        return self.settings.base.evaluate.smoothing

    @property
    def paper(self) -> list[str]:
        """Data sets of which the paper has figures."""
        return list(dict.fromkeys(name for line in self.lines for name in line.row.paper))

    @property
    def remarks(self) -> list[str]:
        """Which rows were not run, and what must be said of those that were, with the reasons."""
        found: dict[str, list[str]] = {}
        for line in self.lines:
            reasons = [f"not run: {line.left_out}"] if line.left_out else line.notes
            for reason in reasons:
                found.setdefault(reason, []).append(line.row.name)
        return [f"{'; '.join(rows)}: {reason}" for reason, rows in found.items()]


def fill(settings: AblationSettings, record: Record) -> Table:
    """The table as far as it has been measured."""
    branches: dict[str, list[Branch]] = {}
    for branch in record.tree.branches:
        branches.setdefault(branch.row.name, []).append(branch)
    known = {node: record.measured(node) for node in record.wanted}

    def figure(some: list[Branch], node_of: Callable[[Branch], str | None]) -> Figure | None:
        nodes = [node_of(branch) for branch in some]
        return summary([row_of(known.get(node or ""), settings) for node in nodes])

    def column(number: int) -> Callable[[Branch], str | None]:
        return lambda branch: None if (stage := branch.columns[number]) is None else branch.stages[stage]

    lines = [
        Line(
            some[0].row,
            tuple(figure(some, column(number)) for number in range(len(PHASES))),
            figure(some, lambda branch: branch.stages[-1]),
            figure(some, lambda branch: branch.simultaneous),
            record.left_out.get(name),
            record.notes(name),
        )
        for name, some in branches.items()
    ]
    baselines = _baselines(record.baselines() or [], settings)
    seeds = list(dict.fromkeys(branch.seed for branch in record.tree.branches))
    return Table(settings, record.dataset, seeds, lines, baselines)


def row_of(rows: ROWS | None, settings: AblationSettings) -> dict[str, Any] | None:
    """The row that the table shows, under the first ground truth."""
    shown = (settings.scorer, settings.base.evaluate.smoothing)
    chosen = [row for row in rows or [] if (row["scorer"], row["smoothing"]) == shown]
    return chosen[0] if chosen and chosen[0]["micro_auc"] is not None else None


def summary(rows: list[dict[str, Any] | None]) -> Figure | None:
    """One figure of the same state under several seeds; None until all of them are there."""
    found = [row for row in rows if row is not None]
    if not found or len(found) < len(rows):
        return None
    aucs = 100 * np.array([row["micro_auc"] for row in found])
    if len(found) == 1:
        ends = [100 * end for end in found[0].get("micro_auc_interval") or () if end is not None]
        low, high = ends if len(ends) == 2 else (None, None)
        return Figure(float(aucs[0]), low, high, 1)
    half = float(stats.t.ppf(0.975, len(aucs) - 1) * aucs.std(ddof=1) / math.sqrt(len(aucs)))
    mean = float(aucs.mean())
    return Figure(mean, mean - half, mean + half, len(aucs))


def claims(table: Table) -> list[str]:
    """What the table says of the paper's claims, in sentences; nothing of what has not been measured."""
    found = []
    both = [line for line in table.lines if line.final and line.simultaneous]
    if both:
        wins = sum(line.final.mean > line.simultaneous.mean for line in both if line.final and line.simultaneous)
        says = f"progressive learning ends above simultaneous in {wins} of {len(both)} rows"
        found.append(says + "".join(_paper_wins(table, name) for name in table.paper))
    grown = [[some.mean for some in line.phases if some] for line in table.lines if line.final]
    if grown and table.settings.simultaneous:
        ups = sum(all(after >= before for before, after in pairwise(some)) for some in grown)
        found.append(f"the AUC never falls from phase to phase in {ups} of {len(grown)} rows")
    for name in table.paper:
        pairs = [
            (line.final.mean, line.row.paper[name][-1]) for line in table.lines if line.final and name in line.row.paper
        ]
        pairs = [(here, there) for here, there in pairs if there is not None]
        if len(pairs) >= 4:
            correlation = float(stats.spearmanr(np.array(pairs)).statistic)  # pyright: ignore[reportAttributeAccessIssue]
            found.append(f"rank correlation of the rows' final AUCs with the paper's on {name}: {correlation:+.2f}")
    return found


def table_json(table: Table) -> dict[str, Any]:
    """The table as a JSON-able value; figures in percent."""
    return {
        "table": table.settings.table,
        "title": table.settings.title,
        "dataset": table.dataset,
        "scorer": table.settings.scorer,
        "smoothing": table.smoothing,
        "seeds": table.seeds,
        "rows": [dataclasses.asdict(line) for line in table.lines],
        "without_learning": table.without_learning,
        "claims": claims(table),
    }


def _paper_wins(table: Table, name: str) -> str:
    rows = [line.row for line in table.lines if name in line.row.paper and name in line.row.paper_simultaneous]
    wins = sum((row.paper[name][-1] or 0) > row.paper_simultaneous[name] for row in rows)
    return f"; in the paper, on {name}, in {wins} of {len(rows)}" if rows else ""


def _baselines(rows: ROWS, settings: AblationSettings) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in rows:
        untrained = row["phase"] == "untrained"
        auc = row["micro_auc"] if row["smoothing"] == settings.base.evaluate.smoothing else None
        if auc is not None and (not untrained or row["scorer"] == settings.scorer):
            found.setdefault(f"untrained network, {settings.scorer}" if untrained else row["scorer"], 100 * auc)
    return found
