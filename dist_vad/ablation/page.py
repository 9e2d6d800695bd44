"""An ablation as one HTML file that opens anywhere: AUC by phase of every row, and the table."""

from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from dist_vad import report
from dist_vad.ablation.table import Figure, Line, Table, claims
from dist_vad.base.files import write_bytes
from dist_vad.report.markup import NOTHING, script_json, text, tree

TEMPLATE = Path(__file__).with_name("page.html")
STYLE = Path(report.__file__).with_name("page.css")


def write_page(path: Path, table: Table, provenance: dict[str, Any]) -> None:
    """Write the page, atomically; a few MB, most of it the chart library."""
    write_bytes(path, render(table, provenance).encode())


def render(table: Table, provenance: dict[str, Any]) -> str:
    """The whole page as HTML."""
    shown = f"scorer <em>{text(table.settings.scorer)}</em>, smoothing {text(table.smoothing)}"
    return Template(TEMPLATE.read_text()).substitute(
        style=STYLE.read_text(),
        title=text(table.settings.title or table.settings.table),
        dataset=text(table.dataset),
        meaning=f"Micro AUC in percent, {shown}, seed {', '.join(map(str, table.seeds))}.",
        claims="".join(f"<li>{text(claim)}</li>" for claim in claims(table)),
        table=_table(table),
        notes="".join(f"<li>{text(remark)}</li>" for remark in table.remarks),
        baselines=text(", ".join(f"{name} {auc:.1f}" for name, auc in table.without_learning.items()) or NOTHING),
        no_chart="" if table.settings.simultaneous else "hidden",
        provenance=tree(provenance),
        data=script_json(_curves(table)),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
    )


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


def _table(table: Table) -> str:
    phases = table.settings.simultaneous
    own = ["Phase 1", "Phase 2", "Phase 3", "Simultaneous"] if phases else ["AUC"]
    heads = "".join(f'<th scope="col" class="num">{name}</th>' for name in own)
    heads += "".join(f'<th scope="col" class="num">Paper, {text(name)}</th>' for name in table.paper)
    body = "".join(_row(table, line) for line in table.lines)
    caption = f"This run on {text(table.dataset)}, and the paper's figures"
    return (
        f"<table><caption>{caption}</caption><thead><tr><th scope='col'>Curriculum</th>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _row(table: Table, line: Line) -> str:
    shown = [*line.phases, line.simultaneous] if table.settings.simultaneous else [line.final]
    cells = "".join(f'<td class="num">{_figure(figure)}</td>' for figure in shown)
    for name in table.paper:
        aucs = " / ".join(NOTHING if auc is None else f"{auc:.1f}" for auc in line.row.paper.get(name, []))
        beside = line.row.paper_simultaneous.get(name)
        aucs += f" <small>sim. {beside:.1f}</small>" if beside is not None else ""
        cells += f'<td class="num">{aucs or NOTHING}</td>'
    return f'<tr><th scope="row">{text(line.row.name)}</th>{cells}</tr>'


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return NOTHING
    if figure.low is None or figure.high is None:
        return f"{figure.mean:.1f}"
    return f"{figure.mean:.1f} <small>{figure.low:.1f} to {figure.high:.1f}</small>"
