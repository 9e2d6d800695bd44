"""The table of results as plain text, for a terminal or a log."""

import math
from collections.abc import Sequence

from dist_vad.base.text.columns import hanging, terminal_width
from dist_vad.report.content import LEARNED, NO_LEARNING, Row, best_values, metric

GAP = "  "
METRICS = ("micro_auc", "macro_auc", "average_precision", "equal_error_rate")
REGIONS = ("rbdc", "tbdc")
NAMES = ("phase", "scorer")
HEADS = {
    "micro_auc": ("micro", "AUC"),
    "macro_auc": ("macro", "AUC"),
    "average_precision": ("", "AP"),
    "equal_error_rate": ("", "EER"),
    "rbdc": ("", "RBDC"),
    "tbdc": ("", "TBDC"),
    "scene_independent": ("scene", "indep."),
    "scene_dependent": ("scene", "dep."),
}
"""Column -> its two lines of heading, where the name alone would be too wide."""
NARROWEST, WIDEST = 7, 10
TEXT_LIMIT = 24


def format_table(rows: Sequence[Row], width: int | None = None) -> str:
    """The rows as aligned text, at most `width` columns wide (None: as wide as the terminal), learned and unlearned
    ones apart, each smoothing under its own heading.

    `*` marks the best value of a column among all rows of the same ground truth and smoothing, `-` what is undefined
    or has no labels. Columns that do not fit are left out and counted below.
    """
    width = width or terminal_width()
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.kinds))
    where_annotated = [name for name in REGIONS if any(math.isfinite(metric(row, name)) for row in rows)]
    texts = [_text_width(rows, name) for name in NAMES]
    columns, left_out = _fitting([*METRICS, *where_annotated, *kinds], width - sum(texts) - len(GAP))
    best = best_values(rows, columns)
    lines = _heading(columns, texts)
    rule = "-" * len(lines[-1])
    for heading, chosen in _grouped(rows):
        lines += [rule, heading, *(_line(row, columns, texts, best) for row in chosen)]
    labelled = any(row.ground_truth for row in rows)
    nothing = "all labels are of one class: no metrics" if labelled else "no labels, no metrics"
    notes = ["* best of its column under the same smoothing and ground truth"] if best else [nothing]
    notes += [f"not shown for want of room: {left_out}; a wider terminal and the report have it"] if left_out else []
    lines += [rule, *(part for note in notes for part in hanging(note, width))]
    return "\n".join(line.rstrip() for line in lines)


def _grouped(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The rows by ground truth, group and smoothing, each lot under what it is called."""
    lots: list[tuple[str, list[Row]]] = []
    for truth in dict.fromkeys(row.ground_truth for row in rows):
        for group in (LEARNED, NO_LEARNING):
            own = [row for row in rows if (row.ground_truth, row.group) == (truth, group)]
            for smoothing in sorted(dict.fromkeys(row.smoothing for row in own), key=lambda name: name == "none"):
                said = "not smoothed" if smoothing == "none" else smoothing
                heading = f"{group}, {said}" + (f", ground truth {truth}" if truth else "")
                lots.append((heading, [row for row in own if row.smoothing == smoothing]))
    return lots


def _text_width(rows: Sequence[Row], name: str) -> int:
    return min(max([len(name), *(len(getattr(row, name)) for row in rows)]), TEXT_LIMIT)


def _fitting(columns: list[str], room: int) -> tuple[list[str], str]:
    """The columns of numbers that fit into the room, and the names of those that do not."""
    fitting = []
    for column in columns:
        room -= _width(column)
        if room < 0:
            break
        fitting.append(column)
    return fitting, ", ".join(name.replace("_", " ") for name in columns[len(fitting) :])


def _head(column: str) -> tuple[str, str]:
    if column in HEADS:
        return HEADS[column]
    first, _, second = column.rpartition("_")
    return first[:WIDEST], second[:WIDEST]


def _width(column: str) -> int:
    return max(NARROWEST, *(len(part) + 2 for part in _head(column)))


def _heading(columns: list[str], texts: list[int]) -> list[str]:
    return [
        GAP.join(text.ljust(width) for text, width in zip(names, texts))
        + "".join(f"{_head(column)[line]} ".rjust(_width(column)) for column in columns)
        for line, names in enumerate((("",) * len(texts), NAMES))
    ]


def _line(row: Row, columns: list[str], texts: list[int], best: dict[tuple[str, str, str], float]) -> str:
    numbers = []
    for column in columns:
        value = metric(row, column)
        mark = "*" if best.get((row.ground_truth, row.smoothing, column)) == value else " "
        numbers.append(("- " if math.isnan(value) else f"{value:.3f}{mark}").rjust(_width(column)))
    return GAP.join(_cut(getattr(row, name), width) for name, width in zip(NAMES, texts)) + "".join(numbers)


def _cut(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)
