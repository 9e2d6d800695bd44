"""The table of results as plain text, for a terminal or a log."""

import math
from collections.abc import Sequence

from dist_vad.report.content import LEARNED, NO_LEARNING, Row, best_values, metric

WIDTH = 110
GAP = "  "
METRICS = ("micro_auc", "macro_auc", "average_precision", "equal_error_rate")
REGIONS = ("rbdc", "tbdc")
NAMES = ("phase", "scorer", "smoothing")
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
NARROWEST, WIDEST = 6, 10
TEXT_LIMIT = 24


def format_table(rows: Sequence[Row]) -> str:
    """The rows as aligned text, at most WIDTH columns wide, learned and unlearned ones apart.

    `*` marks the best value of a column among all rows of the same ground truth and smoothing, `-` what is undefined
    or has no labels. Kinds of event that do not fit are left out and counted below.
    """
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.kinds))
    where_annotated = [name for name in REGIONS if any(math.isfinite(metric(row, name)) for row in rows)]
    texts = [_text_width(rows, name) for name in NAMES]
    columns, left_out = _fitting([*METRICS, *where_annotated, *kinds], sum(texts) + len(GAP) * (len(texts) - 1))
    best = best_values(rows, columns)
    lines = _heading(columns, texts)
    rule = "-" * len(lines[-1])
    for truth in dict.fromkeys(row.ground_truth for row in rows):
        for group in (LEARNED, NO_LEARNING):
            chosen = [row for row in rows if (row.ground_truth, row.group) == (truth, group)]
            if chosen:
                lines += [rule, group + (f", ground truth {truth}" if truth else "")]
                lines += [_line(row, columns, texts, best) for row in chosen]
    labelled = any(row.ground_truth for row in rows)
    nothing = "all labels are of one class: no metrics" if labelled else "no labels, no metrics"
    notes = ["* best of its column under the same smoothing and ground truth"] if best else [nothing]
    notes += [f"{left_out} more kinds of event do not fit here; the report shows them"] if left_out else []
    return "\n".join(line[:WIDTH].rstrip() for line in [*lines, rule, *notes])


def _text_width(rows: Sequence[Row], name: str) -> int:
    return min(max([len(name), *(len(getattr(row, name)) for row in rows)]), TEXT_LIMIT)


def _fitting(columns: list[str], used: int) -> tuple[list[str], int]:
    """The columns of numbers that fit beside `used` columns of text, and how many do not."""
    fitting = []
    for column in columns:
        used += len(GAP) + _width(column)
        if used <= WIDTH:
            fitting.append(column)
    return fitting, len(columns) - len(fitting)


def _head(column: str) -> tuple[str, str]:
    if column in HEADS:
        return HEADS[column]
    first, _, second = column.rpartition("_")
    return first[:WIDEST], second[:WIDEST]


def _width(column: str) -> int:
    return max(NARROWEST, *(len(part) + 1 for part in _head(column)))


def _heading(columns: list[str], texts: list[int]) -> list[str]:
    upper = ["".ljust(width) for width in texts] + [
        (_head(column)[0] + " ").rjust(_width(column)) for column in columns
    ]
    lower = [name.ljust(width) for name, width in zip(NAMES, texts)]
    lower += [(_head(column)[1] + " ").rjust(_width(column)) for column in columns]
    return [GAP.join(upper), GAP.join(lower)]


def _line(row: Row, columns: list[str], texts: list[int], best: dict[tuple[str, str, str], float]) -> str:
    cells = [_cut(getattr(row, name), width) for name, width in zip(NAMES, texts)]
    for column in columns:
        value = metric(row, column)
        mark = "*" if best.get((row.ground_truth, row.smoothing, column)) == value else " "
        cells.append(("- " if math.isnan(value) else f"{value:.3f}{mark}").rjust(_width(column)))
    return GAP.join(cells)


def _cut(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").ljust(width)
