"""The judgement as one page that opens anywhere, made of the report's sections and of its own."""

from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.files import write_bytes
from dist_vad.judge.judgement import Judgement, Opinion
from dist_vad.judge.record import provenance
from dist_vad.judge.rows import labelled
from dist_vad.report import Report, Row, VideoCurve, html
from dist_vad.report.page import SCRIPTS, shared_values

FOLDER = Path(__file__).parent
MOST_CURVES = 6
"""Methods whose curves and figures are drawn; the tables have all."""


def write_page(path: Path, judgement: Judgement) -> None:
    """Write the page, atomically."""
    write_bytes(path, render(judgement).encode())


def render(judgement: Judgement) -> str:
    """The whole page as HTML."""
    values = shared_values(_report(judgement))
    data = values.pop("data")
    data["phases"]["lines"] = []  # one method after another is no curriculum
    data["conventions"] = [_dots(opinion) for opinion in judgement.opinions[:MOST_CURVES]]
    data["published"] = judgement.settings.published
    data["differences"] = _forest(judgement)
    opinions = judgement.opinions
    return html.fill(
        "judge.html",
        FOLDER,
        scripts=[*(html.FOLDER / name for name in SCRIPTS[:2]), FOLDER / "judge.js", html.FOLDER / SCRIPTS[2]],
        opinions=opinions,
        several=len(opinions) > 1,
        truth=judgement.truth,
        budgets=judgement.settings.budgets,
        notes=judgement.notes,
        hours=next((alarms.hours for _, alarms in opinions[0].points()), 0.0),
        shown=_shown(judgement),
        data=data,
        **values,
    )


def _shown(judgement: Judgement) -> dict[str, str]:
    """Method -> the name under which its curve is drawn; of two of one name the latter says its phase too."""
    names: dict[str, str] = {}
    for opinion in judgement.opinions[:MOST_CURVES]:
        facts = opinion.method.facts
        name = facts["scorer"] if facts["scorer"] not in names.values() else opinion.method.name
        names[opinion.method.name] = name
    return names


def _report(judgement: Judgement) -> Report:
    """What the report's own sections show of it."""
    case = judgement.case
    shown = _shown(judgement)
    drawn = [opinion.method for opinion in judgement.opinions[:MOST_CURVES]]
    curves = []
    for video in case.videos:
        known = labelled(video, judgement.truth)
        scores = {shown[method.name]: method.scores[video.name] for method in drawn}
        curves.append(
            VideoCurve(name=video.name, scene=video.scene, labels=known.labels, events=known.events, scores=scores)
        )
    headline: Row = judgement.headline
    return Report(
        title=f"{judgement.opinions[0].method.name} on {case.dataset}",
        dataset=case.dataset,
        headline=headline,
        rows=judgement.rows,
        videos=curves,
        provenance=provenance(judgement),
    )


def _dots(opinion: Opinion) -> dict[str, Any]:
    """What each convention prints, to be drawn."""
    finite = [convention for convention in opinion.conventions if np.isfinite(convention.value)]
    several = len({convention.ground_truth for convention in finite}) > 1
    return {
        "method": opinion.method.name,
        "names": [f"{c.name} ({c.ground_truth})" if several else c.name for c in finite],
        "values": [c.value for c in finite],
        "says": [c.says for c in finite],
    }


def _forest(judgement: Judgement) -> list[dict[str, Any]]:
    """The differences with their intervals, to be drawn."""
    return [
        {
            "method": opinion.method.name,
            "micro": [opinion.difference.micro_auc, *opinion.difference.micro_auc_interval],
            "macro": [opinion.difference.macro_auc, *opinion.difference.macro_auc_interval],
        }
        for opinion in judgement.opinions
        if opinion.difference is not None and np.isfinite(opinion.difference.micro_auc_interval).all()
    ]
