"""The report as one HTML file that opens anywhere: styles, script, chart library, data and pictures are all inside."""

import math
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from dist_vad.base.files import write_bytes
from dist_vad.report.charts import chart_data, score_ranges, video_auc
from dist_vad.report.content import Report, VideoCurve, words
from dist_vad.report.gallery import gallery, misses, video_link
from dist_vad.report.groups import class_table, scene_table
from dist_vad.report.markup import number, script_json, text, tree
from dist_vad.report.spans import spans
from dist_vad.report.sparkline import kind_class, sparkline
from dist_vad.report.table import filters, headline, meaning, table

TEMPLATES = Path(__file__).parent
SCRIPTS = ("charts.js", "videos.js", "page.js")


def write_report(path: Path, report: Report) -> None:
    """Write the page, atomically; a few MB, most of it the chart library."""
    write_bytes(path, render(report).encode())


def render(report: Report) -> str:
    """The whole page as HTML."""
    final = report.headline
    template = Template((TEMPLATES / "page.html").read_text())
    return template.substitute(
        title=text(report.title),
        dataset=text(report.dataset),
        scorer=text(words(final.scorer)),
        smoothing=text(final.smoothing),
        phase=text(f"after {final.phase}" if final.phase else ""),
        style=(TEMPLATES / "page.css").read_text(),
        headline=headline(report),
        meaning=meaning(report),
        filters=filters(report),
        table=table(report),
        unlabelled="" if report.labelled else "hidden",
        kind_keys=_kind_keys(report),
        options=_options(report),
        score_options=_score_options(report),
        count=len(report.videos),
        no_videos="" if report.videos else "hidden",
        sparklines=_sparklines(report),
        gallery=gallery(report.findings),
        no_findings="" if report.findings else "hidden",
        misses=misses(report.misses),
        no_misses="" if report.misses else "hidden",
        scene_table=scene_table(report),
        class_table=class_table(report),
        no_groups="" if any(row.scenes or row.classes for row in report.rows) else "hidden",
        intervals=_intervals(report),
        provenance=tree(report.provenance),
        data=script_json(chart_data(report)),
        # A library is no data, but the same rule holds: nothing inside may end the element.
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        script="".join((TEMPLATES / name).read_text() for name in SCRIPTS),
    )


def _intervals(report: Report) -> str:
    """What the small lines under AUCs are; nothing where there are none."""
    if not any(math.isfinite(row.micro_auc_interval[0]) for row in report.rows):
        return ""
    return "Below an AUC stands its 95 % interval over videos drawn again with replacement (bootstrap)."


def _kind_keys(report: Report) -> str:
    """The legend of shaded stretches: a colour and a name for every kind of event."""
    kinds = report.kinds()
    names = [(kind_class(kind, kinds), words(kind)) for kind in kinds]
    if any(span.kind not in kinds for video in report.videos for span in spans(video)):
        names.append(("kx", "anomaly"))
    return "".join(f'<li><i class="{name}"></i>{text(label)}</li>' for name, label in names)


def _options(report: Report) -> str:
    return "".join(f'<option value="{text(video.name)}">{text(video.name)}</option>' for video in report.videos)


def _score_options(report: Report) -> str:
    final = report.headline.scorer
    names = sorted(score_ranges(report.videos), key=lambda name: name != final)
    return "".join(f'<option value="{text(name)}">{text(words(name))}</option>' for name in names)


def _sparklines(report: Report) -> str:
    """Every video as a link with its curve, all to one scale."""
    scorer, kinds = report.headline.scorer, report.kinds()
    low, high = score_ranges(report.videos).get(scorer, (0.0, 1.0))
    items = []
    for number_, video in enumerate(report.videos):
        auc, peak = video_auc(video, scorer), max(video.scores.get(scorer, [low]), default=low)
        order = f'data-order="{number_}" data-auc="{auc if math.isfinite(auc) else 2}" data-peak="{float(peak)}"'
        items.append(
            f'<li {order}><a href="{text(video_link(video.name))}" data-video="{text(video.name)}">'
            f'<span class="name">{text(video.name)}</span><span class="auc">{_standing(video, auc)}</span>'
            f"{sparkline(video, scorer, low, high, kinds)}</a></li>"
        )
    return "".join(items)


def _standing(video: VideoCurve, auc: float) -> str:
    """What stands beside a video's name: its AUC, or why it has none."""
    if video.labels is None:
        return "no labels"
    if math.isnan(auc):
        return "all anomalous" if len(video.labels) and all(video.labels) else "all normal"
    return f"AUC {number(auc)}"
