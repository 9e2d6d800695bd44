"""The table of results as plain values for the page, and the headline above it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dist_vad.report.content import LEARNED, NO_LEARNING, Report, Row, best_values, metric, row_name, words

METRICS = {
    "micro_auc": ("Micro AUC", "ROC AUC over all frames of all videos laid end to end"),
    "macro_auc": ("Macro AUC", "Mean of the videos' own AUCs, over videos that have both classes"),
    "macro_auc_padded": ("Macro, padded", "Mean over all videos, each padded with one frame of either class"),
    "average_precision": ("AP", "Average precision, anomalous frames being the ones to find"),
    "equal_error_rate": ("EER", "Equal error rate: as many false alarms as misses; lower is better"),
    "rbdc": ("RBDC", "Region-based detection: area under detected regions against false ones per frame; unsmoothed"),
    "tbdc": ("TBDC", "Track-based detection: area under detected tracks against false regions per frame; unsmoothed"),
}
OPTIONAL = ("macro_auc_padded", "rbdc", "tbdc")
"""Shown where some row has them."""
GROUPS = {LEARNED: ("Learned", "learned"), NO_LEARNING: ("Without learning", "unlearned")}
"""Group of rows -> its heading and its CSS class."""
LEAST_GAP = 0.0005
"""What rounds to a gap of 0.000 is none."""


@dataclass(frozen=True)
class Cell:
    """A metric in a table."""

    value: float
    best: bool
    """Of its column, among what it may be compared with."""
    interval: tuple[float, float] | None = None
    """95 %."""


@dataclass(frozen=True)
class Column:
    """A metric as the heading of a column; the title says what it is."""

    name: str
    label: str
    title: str


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    row: Row
    final: bool
    """Whether it is the headline's."""
    cells: list[Cell]


@dataclass(frozen=True)
class Body:
    """The rows of one group under their own heading."""

    label: str
    style: str
    lines: list[Line]


@dataclass(frozen=True)
class Tile:
    """A number of the headline."""

    label: str
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Rival:
    """The best scorer without learning, and how the headline stands to it."""

    auc: float
    name: str
    stand: str


@dataclass(frozen=True)
class Filter:
    """A choice between the values that a field of the rows has."""

    field: str
    label: str
    chosen: str
    choices: list[str]


def tiles(row: Row) -> list[Tile]:
    """The numbers of the final result, the main one first."""
    return [
        Tile("Micro AUC", row.micro_auc, interval(row, "micro_auc")),
        Tile("Macro AUC", row.macro_auc, interval(row, "macro_auc")),
        Tile("Average precision", row.average_precision, None),
        Tile("Equal error rate", row.equal_error_rate, None),
    ]


def rival(report: Report) -> Rival | None:
    """Against what the headline number has to be read; None where there is nothing."""
    rivals = [(row.micro_auc, row_name(row)) for row in report.comparable(NO_LEARNING) if math.isfinite(row.micro_auc)]
    if not rivals:
        return None
    auc, name = max(rivals)
    gap = report.headline.micro_auc - auc
    stand = "no better than" if abs(gap) < LEAST_GAP else f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}"
    return Rival(auc, name, stand)


def filters(report: Report) -> list[Filter]:
    """One for the smoothing and one for the ground truth, where there is a choice."""
    final = report.headline
    found = [Filter("smoothing", "Smoothing", final.smoothing, _distinct(row.smoothing for row in report.rows))]
    if several_truths(report):
        truths = _distinct(row.ground_truth for row in report.rows)
        found.append(Filter("ground_truth", "Ground truth", final.ground_truth, truths))
    return found


def several_truths(report: Report) -> bool:
    """Whether there is more than one ground truth, so that it must be named."""
    return len({row.ground_truth for row in report.rows}) > 1


def columns(report: Report) -> list[Column]:
    """The metrics, and the kinds of event."""
    known = {name for name in OPTIONAL if any(math.isfinite(metric(row, name)) for row in report.rows)}
    shown = [Column(name, *METRICS[name]) for name in METRICS if name not in OPTIONAL or name in known]
    return shown + [
        Column(kind, words(kind), f"Micro AUC of {words(kind)} events against normal frames") for kind in report.kinds()
    ]


def bodies(report: Report) -> list[Body]:
    """All rows by group; the script shows those of one smoothing and ground truth at a time."""
    names = [column.name for column in columns(report)]
    best = best_values(report.rows, names)
    grouped = {group: [row for row in report.rows if row.group == group] for group in GROUPS}
    return [
        Body(*GROUPS[group], [Line(row, row == report.headline, _cells(row, names, best)) for row in rows])
        for group, rows in grouped.items()
        if rows
    ]


def interval(row: Row, column: str) -> tuple[float, float] | None:
    """The 95 % interval of a metric; None where there is none."""
    ends = {"micro_auc": row.micro_auc_interval, "macro_auc": row.macro_auc_interval}.get(column)
    return ends if ends and all(map(math.isfinite, ends)) else None


def _cells(row: Row, names: Sequence[str], best: dict[tuple[str, str, str], float]) -> list[Cell]:
    values = {name: metric(row, name) for name in names}
    return [
        Cell(value, best.get((row.ground_truth, row.smoothing, name)) == value, interval(row, name))
        for name, value in values.items()
    ]


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
