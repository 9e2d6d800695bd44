"""Tables by scene and by class of anomaly: where a detector works, and where it does not."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.report.content import Report, Row, VideoCurve, row_name
from dist_vad.report.spans import spans
from dist_vad.report.table import Cell

MOST_COLUMNS = 6


@dataclass(frozen=True)
class GroupLine:
    """One scene or class: what is known of it, and the AUC of each scorer."""

    name: str
    facts: list[str]
    cells: list[Cell]


@dataclass(frozen=True)
class GroupTable:
    """A table by scene or by class; without lines it is not shown."""

    caption: str
    first: str
    facts: list[str]
    scorers: list[str]
    lines: list[GroupLine]


def scene_table(report: Report) -> GroupTable:
    """A line for each scene; none where there is one scene, or none."""
    labelled = [video for video in report.videos if video.labels is not None]
    lines = [
        GroupLine(name, _scene([video for video in labelled if video.scene == name]), cells)
        for name, cells in _by_name(report, lambda row: row.scenes)
    ]
    return GroupTable("By scene", "Scene", ["Videos", "Frames", "Anomalous"], _scorers(report), lines)


def class_table(report: Report) -> GroupTable:
    """A line for each class of anomaly; none where the labels name none."""
    lengths: dict[str, list[int]] = {}
    for video in report.videos:
        for span in spans(video) if video.labels is not None else []:
            lengths.setdefault(span.name, []).append(span.end - span.start)
    lines = [
        GroupLine(name, [str(len(lengths.get(name, []))), str(sum(lengths.get(name, [])))], cells)
        for name, cells in _by_name(report, lambda row: row.classes)
    ]
    return GroupTable("By class of anomaly", "Class", ["Events", "Frames"], _scorers(report), lines)


def _scene(videos: Sequence[VideoCurve]) -> list[str]:
    """Videos, frames, and the share of these that is anomalous."""
    frames = sum(video.frames for video in videos)
    anomalous = sum(int(np.count_nonzero(video.labels)) for video in videos if video.labels is not None)
    return [str(len(videos)), str(frames), f"{100 * anomalous / frames:.0f} %" if frames else "–"]


def _by_name(report: Report, aucs: Callable[[Row], Mapping[str, float]]) -> list[tuple[str, list[Cell]]]:
    """Every scene or class that has an AUC, with the AUCs of all scorers and the best of them marked."""
    rows = [aucs(row) for row in _rows(report)]
    found = []
    for name in sorted({name for row in rows for name in row}):
        values = [row.get(name, math.nan) for row in rows]
        best = max((value for value in values if math.isfinite(value)), default=math.nan)
        found.append((name, [Cell(value, value == best) for value in values]))
    return found


def _scorers(report: Report) -> list[str]:
    return [row_name(row) for row in _rows(report)]


def _rows(report: Report) -> list[Row]:
    """The final scorer, then what no learning went into."""
    return [report.headline, *report.baselines()][:MOST_COLUMNS]
