"""Tables by scene and by class of anomaly: where a detector works, and where it does not."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.report.content import Report, Row, VideoCurve, row_name, words
from dist_vad.report.markup import number, text
from dist_vad.report.spans import spans

MOST_COLUMNS = 6


@dataclass(frozen=True)
class _Group:
    """One line of a table."""

    name: str
    facts: tuple[str, ...]


def scene_table(report: Report) -> str:
    """A line for each scene; nothing where there is one scene, or none."""
    scenes = _names(report, lambda row: row.scenes)
    labelled = [video for video in report.videos if video.labels is not None]
    lines = [_scene(name, [video for video in labelled if video.scene == name]) for name in scenes]
    return _table(report, "By scene", "Scene", ("Videos", "Frames", "Anomalous"), lines, lambda row: row.scenes)


def class_table(report: Report) -> str:
    """A line for each class of anomaly; nothing where the labels name none."""
    classes = _names(report, lambda row: row.classes)
    found = [span for video in report.videos if video.labels is not None for span in spans(video)]
    lines = []
    for name in classes:
        some = [span for span in found if span.name == name]
        lines.append(_Group(name, (str(len(some)), f"{sum(span.end - span.start for span in some)}")))
    return _table(report, "By class of anomaly", "Class", ("Events", "Frames"), lines, lambda row: row.classes)


def _scene(name: str, videos: Sequence[VideoCurve]) -> _Group:
    frames = sum(video.frames for video in videos)
    anomalous = sum(int(np.count_nonzero(video.labels)) for video in videos if video.labels is not None)
    share = f"{100 * anomalous / frames:.0f} %" if frames else "–"
    return _Group(name, (str(len(videos)), str(frames), share))


def _names(report: Report, mapping: Callable[[Row], Mapping[str, float]]) -> list[str]:
    return sorted({name for row in _rows(report) for name in mapping(row)})


def _rows(report: Report) -> list[Row]:
    """The final scorer, then what no learning went into."""
    return [report.headline, *report.baselines()][:MOST_COLUMNS]


def _table(
    report: Report,
    caption: str,
    first: str,
    facts: tuple[str, ...],
    lines: Sequence[_Group],
    mapping: Callable[[Row], Mapping[str, float]],
) -> str:
    if not lines:
        return ""
    rows = _rows(report)
    heads = f'<th scope="col">{first}</th>' + "".join(f'<th scope="col" class="num">{fact}</th>' for fact in facts)
    heads += "".join(f'<th scope="col" class="num">{text(row_name(row))}</th>' for row in rows)
    body = ""
    for line in lines:
        values = [mapping(row).get(line.name, math.nan) for row in rows]
        best = max((value for value in values if math.isfinite(value)), default=math.nan)
        cells = "".join(f'<td class="num">{text(fact)}</td>' for fact in line.facts)
        cells += "".join(_cell(value, best) for value in values)
        body += f'<tr><th scope="row">{text(words(line.name))}</th>{cells}</tr>'
    return (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table class="groups">'
        f"<caption>{caption}: micro AUC</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: float, best: float) -> str:
    if value == best:
        return f'<td class="num best">{number(value)}<span class="unseen"> best</span></td>'
    return f'<td class="num">{number(value)}</td>'
