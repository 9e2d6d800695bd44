"""The table of results as HTML, and the headline above it."""

import math
from collections.abc import Sequence

from dist_vad.report.content import LEARNED, NO_LEARNING, Report, Row, best_values, metric, row_name, words
from dist_vad.report.markup import NOTHING, number, text

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
INTERVALS = {"micro_auc": "micro_auc_interval", "macro_auc": "macro_auc_interval"}
NO_LABELS = (
    '<p class="nolabels"><strong>No labels.</strong> The test videos come without ground truth, so there is no AUC: '
    "this page shows the scores, and the objects that score highest.</p>"
)
NO_INTERVAL = '<span class="interval">&nbsp;</span>'
"""Keeps the numbers of one line on one height."""
GROUPS = {LEARNED: "Learned", NO_LEARNING: "Without learning"}


def table(report: Report) -> str:
    """<table> of all rows; the script shows those of one smoothing and ground truth at a time."""
    columns = _columns(report)
    best = best_values(report.rows, columns)
    names = ["Phase", "Scorer", "Smoothing", "Ground truth"][: 4 if _truths(report) else 3]
    heads = "".join(f'<th scope="col" class="{name.lower().replace(" ", "-")}">{name}</th>' for name in names)
    for column in columns:
        label, title = METRICS.get(
            column, (words(column), f"Micro AUC of {words(column)} events against normal frames")
        )
        heads += f'<th scope="col" class="num" title="{text(title)}">{text(label)}</th>'
    bodies = "".join(
        _body(report, [row for row in report.rows if row.group == group], label, columns, best)
        for group, label in GROUPS.items()
    )
    caption = f"Frame-level results on {text(report.dataset)}" + ("" if report.labelled else " (no labels)")
    return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead>{bodies}</table>"


def filters(report: Report) -> str:
    """One <select> for the smoothing and one for the ground truth, where there is a choice."""
    fields = {"smoothing": ("Smoothing", report.headline.smoothing)}
    if _truths(report):
        fields["ground_truth"] = ("Ground truth", report.headline.ground_truth)
    return "".join(_filter(report.rows, name, label, chosen) for name, (label, chosen) in fields.items())


def headline(report: Report) -> str:
    """The numbers of the final result as a description list."""
    if not report.labelled:
        return NO_LABELS
    row = report.headline
    tiles = [
        _tile("Macro AUC", row.macro_auc, interval(row, "macro_auc")),
        _tile("Average precision", row.average_precision),
        _tile("Equal error rate", row.equal_error_rate),
    ]
    main = f'<div class="main"><dt>Micro AUC</dt><dd>{number(row.micro_auc)}{interval(row, "micro_auc")}</dd></div>'
    return f'<dl class="tiles">{main}{"".join(tiles)}</dl>'


def meaning(report: Report) -> str:
    """What the headline number says, and against what it has to be read."""
    row = report.headline
    if not math.isfinite(row.micro_auc):
        return ""
    share = f"{100 * row.micro_auc:.1f} %"
    says = (
        f"Of one anomalous and one normal frame drawn at random from the test videos, the anomalous one has the higher "
        f"<em>{text(words(row.scorer))}</em> score in {share} of all draws; 50 % is chance."
    )
    rivals = [(other.micro_auc, row_name(other)) for other in report.comparable(NO_LEARNING)]
    rivals = [rival for rival in rivals if math.isfinite(rival[0])]
    if rivals:
        value, name = max(rivals)
        gap = row.micro_auc - value
        stand = "no better than" if abs(gap) < 0.0005 else f"{abs(gap):.3f} {'above' if gap > 0 else 'below'}"
        says += f" That is <strong>{stand}</strong> the best scorer without learning ({text(name)}, {number(value)})."
    return f"<p>{says}</p>"


def _tile(label: str, value: float, within: str = "") -> str:
    return f"<div><dt>{label}</dt><dd>{number(value)}{within or NO_INTERVAL}</dd></div>"


def _truths(report: Report) -> bool:
    """Whether there is more than one ground truth, so that it must be named."""
    return len({row.ground_truth for row in report.rows}) > 1


def _columns(report: Report) -> list[str]:
    known = {name for name in OPTIONAL if any(math.isfinite(metric(row, name)) for row in report.rows)}
    return [name for name in METRICS if name not in OPTIONAL or name in known] + report.kinds()


def _body(report: Report, rows: Sequence[Row], label: str, columns: list[str], best: dict) -> str:
    """A <tbody> of one group under its own heading; nothing for a group without rows."""
    if not rows:
        return ""
    width = 3 + _truths(report) + len(columns)
    head = f'<tr class="group"><th scope="rowgroup" colspan="{width}">{label}</th></tr>'
    return f'<tbody class="{"learned" if label == GROUPS[LEARNED] else "unlearned"}">{head}' + (
        "".join(_row(report, row, columns, best) for row in rows) + "</tbody>"
    )


def _row(report: Report, row: Row, columns: list[str], best: dict) -> str:
    final = row == report.headline
    mark = ' <span class="tag">headline</span>' if final else ""
    cells = f'<th scope="row">{text(row.phase or NOTHING)}{mark}</th>'
    cells += f"<td>{text(words(row.scorer))}</td><td class='smoothing'>{text(row.smoothing)}</td>"
    cells += f"<td>{text(row.ground_truth)}</td>" if _truths(report) else ""
    cells += "".join(_cell(row, column, best) for column in columns)
    if not report.labelled and columns:
        cells = cells[: cells.index('<td class="num')] + f'<td colspan="{len(columns)}">no labels</td>'
    facts = f'data-smoothing="{text(row.smoothing)}" data-ground_truth="{text(row.ground_truth)}"'
    shown = ' class="final"' if final else ""
    return f"<tr {facts}{shown}>{cells}</tr>"


def _cell(row: Row, column: str, best: dict[tuple[str, str, str], float]) -> str:
    value, within = metric(row, column), interval(row, column)
    if best.get((row.ground_truth, row.smoothing, column)) == value:
        return f'<td class="num best">{number(value)}<span class="unseen"> best</span>{within}</td>'
    return f'<td class="num">{number(value)}{within}</td>'


def interval(row: Row, column: str) -> str:
    """The 95 % interval of a metric as a small line of its own; nothing where there is none."""
    low, high = getattr(row, INTERVALS[column]) if column in INTERVALS else (math.nan, math.nan)
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f'<span class="interval">{number(low)}–{number(high)}</span>'


def _filter(rows: Sequence[Row], field: str, label: str, chosen: str) -> str:
    values = list(dict.fromkeys(getattr(row, field) for row in rows))
    options = "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>{text(value)}</option>'
        for value in values
    )
    return f'<label>{label} <select data-filter="{field}">{options}<option value="*">all</option></select></label>'
