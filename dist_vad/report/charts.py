"""The numbers behind the charts, as one JSON-able value that the page's script draws from."""

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.report.content import LEARNED, Report, Row, VideoCurve, row_name, words
from dist_vad.report.spans import spans

CURVE_POINTS = 2000
"""Most points drawn of one curve: a longer video shows the highest score of every few frames."""
FEWEST_POINTS = 300
ALL_POINTS = 2_000_000
"""Points in all curves together, about 5 MB, so that hundreds of long videos still make a page that opens at once."""
LEVELS = 65535
Labels = Sequence[np.ndarray]
Scores = Sequence[np.ndarray]
LABEL_GAP = 0.062
"""Least distance between two labels at the edge of the chart of phases, as a share of its height."""


def chart_data(report: Report) -> dict[str, Any]:
    """Everything that is drawn: scores with their range, videos, phases, ROC curves, kinds."""
    ranges = score_ranges(report.videos)
    return {
        "headline": report.headline.scorer,
        "kinds": [{"name": kind, "label": words(kind)} for kind in report.kinds()],
        "scores": {name: {"label": words(name), "low": low, "high": high} for name, (low, high) in ranges.items()},
        "videos": [_video(video, ranges, report) for video in report.videos],
        "phases": _phases(report),
        "roc": _curves(report, metrics.roc_points, metrics.micro_auc),
        "pr": _curves(report, metrics.precision_recall_points, metrics.average_precision),
        "anomalous": _anomalous_share(report),
        "bars": _bars(report),
    }


def score_ranges(videos: Sequence[VideoCurve]) -> dict[str, tuple[float, float]]:
    """Score -> (lowest, highest) over all videos: one scale for all, since micro AUC compares frames across videos.

    Raises InputError for a score that is not finite.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for video in videos:
        for name, score in video.scores.items():
            if len(score):
                if not np.isfinite(score).all():
                    frame = int(np.argmin(np.isfinite(score)))
                    raise InputError(f"video {video.name!r}: {name} of frame {frame} is {score[frame]}, not a number")
                low, high = ranges.get(name, (math.inf, -math.inf))
                ranges[name] = (min(low, float(np.min(score))), max(high, float(np.max(score))))
    return ranges


def thinned(score: np.ndarray, points: int) -> tuple[np.ndarray, int]:
    """At most `points` values, each the maximum of `step` frames (the last of what is left), and that step."""
    step = max(1, math.ceil(len(score) / points))
    whole = np.concatenate([score, np.full(-len(score) % step, -np.inf)])
    return whole.reshape(-1, step).max(axis=1), step


def video_auc(video: VideoCurve, scorer: str) -> float:
    """The AUC over one video's frames; nan without labels or with one class only."""
    if video.labels is None or scorer not in video.scores:
        return math.nan
    return metrics.micro_auc([video.labels], [video.scores[scorer]])


def packed(score: np.ndarray, low: float, high: float) -> str:
    """Values as base64 of little-endian uint16, 0 for `low` and LEVELS for `high`: a third of the bytes of digits."""
    share = (np.asarray(score, np.float64) - low) / ((high - low) or 1.0)
    return base64.b64encode(np.round(share * LEVELS).astype("<u2").tobytes()).decode()


def _video(video: VideoCurve, ranges: dict[str, tuple[float, float]], report: Report) -> dict[str, Any]:
    count = sum(len(some.scores) for some in report.videos)
    points = max(FEWEST_POINTS, min(CURVE_POINTS, ALL_POINTS // max(1, count)))
    curves = {name: thinned(score, points) for name, score in video.scores.items() if len(score)}
    return {
        "name": video.name,
        "scene": video.scene,
        "frames": video.frames,
        "labelled": video.labels is not None,
        "auc": _finite(video_auc(video, report.headline.scorer)),
        "step": max((step for _, step in curves.values()), default=1),
        "spans": [vars(span) for span in spans(video)],
        "curves": {name: packed(values, *ranges[name]) for name, (values, _) in curves.items()},
        "stills": video.stills
        and {
            "step": video.stills.step,
            "images": [base64.b64encode(image).decode() for image in video.stills.images],
        },
    }


def _phases(report: Report) -> dict[str, Any]:
    """Micro AUC after each phase, by scorer, and the baselines as levels with labels that do not overlap."""
    rows = report.comparable(LEARNED)
    names = list(dict.fromkeys(row.phase for row in rows))
    scorers = dict.fromkeys(row.scorer for row in sorted(rows, key=lambda row: row.scorer != report.headline.scorer))
    lines = [
        {"name": scorer, "label": words(scorer), "values": [_after(rows, phase, scorer) for phase in names]}
        for scorer in scorers
    ]
    lines = [line for line in lines if any(value is not None for value in line["values"])]
    baselines = [(row_name(row), row.micro_auc) for row in report.baselines() if math.isfinite(row.micro_auc)]
    tones = _tones(report)
    drawn = [value for line in lines for value in line["values"] if value is not None]
    low, high = _axis([*drawn, *(value for _, value in baselines)])
    levels = [
        {"label": name, "value": value, "tone": tones[name]}
        for name, value in sorted(baselines, key=lambda item: item[1])
    ]
    places = _apart([level["value"] for level in levels], (high - low) * LABEL_GAP)
    for level, place in zip(levels, places):
        level["place"] = place
    return {"names": names, "lines": lines, "baselines": levels, "range": [low, high]}


def _after(rows: Sequence[Row], phase: str, scorer: str) -> float | None:
    return next((_finite(row.micro_auc) for row in rows if (row.phase, row.scorer) == (phase, scorer)), None)


def _axis(values: Sequence[float]) -> tuple[float, float]:
    """A range around the values in steps of 0.05, with room for labels."""
    if not values:
        return 0.0, 1.0
    return max(0.0, math.floor(min(values) * 20 - 0.5) / 20), min(1.02, math.ceil(max(values) * 20 + 0.5) / 20)


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Ascending values moved as little as needed to lie at least `gap` apart, kept around their own centre."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + gap) if places else value)
    surplus = float(np.mean(np.subtract(places, values))) if places else 0.0
    return [place - surplus for place in places]


def _curves(
    report: Report,
    points: Callable[[Labels, Scores], tuple[np.ndarray, np.ndarray]],
    area: Callable[[Labels, Scores], float],
) -> list[dict[str, Any]]:
    """ROC or precision-recall curves of every score that all labelled videos have, the final one first."""
    labelled = [video for video in report.videos if video.labels is not None]
    labels = [video.labels for video in labelled if video.labels is not None]
    common = [name for name in (labelled[0].scores if labelled else ()) if all(name in v.scores for v in labelled)]
    learned = {row.scorer for row in report.rows if row.group == LEARNED} | {report.headline.scorer}
    tones, curves = _tones(report), []
    for name in sorted(common, key=lambda name: (name != report.headline.scorer, name not in learned)):
        scores = [video.scores[name] for video in labelled]
        across, up = points(labels, scores)
        if len(across):
            drawn = {"x": np.round(across, 4).tolist(), "y": np.round(up, 4).tolist()}
            # An untrained network's curve may be called `untrained` alone; its row says of which scorer.
            row = next((row for row in tones if row.startswith(words(name))), words(name))
            facts = {"name": name, "label": words(name), "learned": name in learned, "area": area(labels, scores)}
            curves.append({**facts, "tone": tones.setdefault(row, len(tones)), **drawn})
    return curves


def _anomalous_share(report: Report) -> float | None:
    """Share of the labelled frames that are anomalous: the precision of chance."""
    labels = [video.labels for video in report.videos if video.labels is not None]
    return float(np.mean(np.concatenate(labels) != 0)) if labels else None


def _tones(report: Report) -> dict[str, int]:
    """Baseline -> number of its colour, the same in every chart."""
    return {name: tone for tone, name in enumerate(dict.fromkeys(row_name(row) for row in report.baselines()))}


def _bars(report: Report) -> list[dict[str, Any]]:
    """AUC by kind of event: the final scorer, then what no learning went into."""
    kinds = report.kinds()
    tones = _tones(report)
    rows = [(f"{row_name(report.headline)} (trained)", None, report.headline)]
    rows += [(row_name(row), tones[row_name(row)], row) for row in report.baselines()]
    bars = [
        {"label": label, "tone": tone, "values": [_finite(row.kinds.get(kind, math.nan)) for kind in kinds]}
        for label, tone, row in rows
    ]
    return [bar for bar in bars if any(value is not None for value in bar["values"])]


def _finite(value: float) -> float | None:
    """A value for JSON, which knows no nan."""
    return float(value) if math.isfinite(value) else None
