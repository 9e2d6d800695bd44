"""An ablation as one HTML file that opens anywhere: AUC by phase of every row, and the table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dist_vad.ablation.table import Figure, Line, Table, claims
from dist_vad.base.files import write_bytes
from dist_vad.report import html

OWN_COLUMNS = ["Phase 1", "Phase 2", "Phase 3", "Simultaneous"]


def write_page(path: Path, table: Table, provenance: dict[str, Any]) -> None:
    """Write the page, atomically; a few MB, most of it the chart library."""
    write_bytes(path, render(table, provenance).encode())


def render(table: Table, provenance: dict[str, Any]) -> str:
    """The whole page as HTML."""
    return html.fill(
        "page.html",
        Path(__file__).parent,
        title=table.settings.title or table.settings.table,
        dataset=table.dataset,
        scorer=table.settings.scorer,
        smoothing=table.smoothing,
        seeds=table.seeds,
        claims=claims(table),
        chart=table.settings.simultaneous,
        columns=OWN_COLUMNS if table.settings.simultaneous else ["AUC"],
        papers=table.paper,
        lines=[_shown(table, line) for line in table.lines],
        baselines=", ".join(f"{name} {auc:.1f}" for name, auc in table.without_learning.items()) or html.NOTHING,
        remarks=table.remarks,
        provenance=provenance,
        data=_curves(table),
    )


@dataclass(frozen=True)
class _Cell:
    """A figure, and in small letters what belongs to it."""

    main: str
    small: str = ""


@dataclass(frozen=True)
class _Shown:
    """One row of the table: this run's figures, and the paper's."""

    name: str
    cells: list[_Cell]


def _shown(table: Table, line: Line) -> _Shown:
    own = [*line.phases, line.simultaneous] if table.settings.simultaneous else [line.final]
    return _Shown(line.row.name, [*map(_own, own), *(_papers(line, name) for name in table.paper)])


def _own(figure: Figure | None) -> _Cell:
    if figure is None:
        return _Cell(html.NOTHING)
    known = figure.low is not None and figure.high is not None
    return _Cell(f"{figure.mean:.1f}", f"{figure.low:.1f} to {figure.high:.1f}" if known else "")


def _papers(line: Line, name: str) -> _Cell:
    """The paper's figures on one data set: phase by phase, and of all tasks at the same time."""
    aucs = [html.NOTHING if auc is None else f"{auc:.1f}" for auc in line.row.paper.get(name, [])]
    beside = line.row.paper_simultaneous.get(name)
    small = "" if beside is None else f"sim. {beside:.1f}"
    return _Cell(" / ".join(aucs) or ("" if small else html.NOTHING), small)


def _curves(table: Table) -> list[dict[str, Any]]:
    """What is drawn: for each row its AUCs after the phases, and that of its tasks learned at the same time."""
    return [
        {
            "name": line.row.name,
            "phases": [None if some is None else round(some.mean, 2) for some in line.phases],
            "simultaneous": None if line.simultaneous is None else round(line.simultaneous.mean, 2),
        }
        for line in table.lines
        if table.settings.simultaneous and line.final
    ]
