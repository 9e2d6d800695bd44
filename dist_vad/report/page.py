"""The report as one HTML file that opens anywhere: styles, script, chart library, data and pictures are all inside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dist_vad.base.files import write_bytes
from dist_vad.report import html
from dist_vad.report.charts import chart_data, score_ranges, video_auc
from dist_vad.report.content import Report, VideoCurve, words
from dist_vad.report.gallery import galleries, misses, video_link
from dist_vad.report.groups import class_table, scene_table
from dist_vad.report.spans import UNNAMED, spans
from dist_vad.report.sparkline import Spark, kind_class, sparkline
from dist_vad.report.synthetic import SyntheticTable
from dist_vad.report.table import bodies, columns, filters, rival, several_truths, tiles

SCRIPTS = ("charts.js", "videos.js", "page.js")
LAST = 2
"""Where a video without an AUC stands among those ordered by AUC."""


def write_report(path: Path, report: Report) -> None:
    """Write the page, atomically; a few MB, most of it the chart library."""
    write_bytes(path, render(report).encode())


def render(report: Report) -> str:
    """The whole page as HTML."""
    return html.fill(
        "report.html",
        scripts=[html.FOLDER / name for name in SCRIPTS],
        rival=rival(report),
        galleries=galleries(report.findings),
        misses=misses(report.misses),
        **shared_values(report),
    )


def shared_values(report: Report) -> dict[str, Any]:
    """What the sections on results, charts, groups and videos are filled in with, on this page or another."""
    return {
        "title": report.title,
        "dataset": report.dataset,
        "labelled": report.labelled,
        "synthetic": SyntheticTable.of(report.synthetic_auc),
        "state": report.state,
        "final": report.headline,
        "tiles": tiles(report.headline),
        "filters": filters(report),
        "truths": several_truths(report),
        "columns": columns(report),
        "bodies": bodies(report),
        "intervals": any(math.isfinite(row.micro_auc_interval[0]) for row in report.rows),
        "groups": [scene_table(report), class_table(report)],
        "grouped": any(row.scenes or row.classes for row in report.rows),
        "videos": _videos(report),
        "scores": sorted(score_ranges(report.videos), key=lambda name: name != report.headline.scorer),
        "kind_keys": _kind_keys(report),
        "provenance": report.provenance,
        "data": chart_data(report),
    }


@dataclass(frozen=True)
class _Video:
    """A video as a link with its curve."""

    name: str
    link: str
    standing: str
    order: float
    """Its place by AUC."""
    peak: float
    spark: Spark


def _videos(report: Report) -> list[_Video]:
    """Every video with its curve, all to one scale."""
    scorer, kinds = report.headline.scorer, report.kinds()
    low, high = score_ranges(report.videos).get(scorer, (0.0, 1.0))
    found = []
    for video in report.videos:
        auc, peak = video_auc(video, scorer), max(video.scores.get(scorer, [low]), default=low)
        order = auc if math.isfinite(auc) else LAST
        spark = sparkline(video, scorer, low, high, kinds)
        found.append(_Video(video.name, video_link(video.name), _standing(video, auc), order, float(peak), spark))
    return found


def _standing(video: VideoCurve, auc: float) -> str:
    """What stands beside a video's name: its AUC, or why it has none."""
    if video.labels is None:
        return "no labels"
    if math.isnan(auc):
        return "all anomalous" if len(video.labels) and all(video.labels) else "all normal"
    return f"AUC {html.number(auc)}"


def _kind_keys(report: Report) -> Sequence[tuple[str, str]]:
    """The legend of shaded stretches: a CSS class and a name for every kind of event."""
    kinds = report.kinds()
    names = [(kind_class(kind, kinds), words(kind)) for kind in kinds]
    if any(span.kind not in kinds for video in report.videos for span in spans(video)):
        names.append(("kx", UNNAMED))
    return names
