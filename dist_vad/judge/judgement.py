"""All that is said of some methods on one data set."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad import metrics
from dist_vad.judge.conventions import Convention, conventions
from dist_vad.judge.methods import Case, Method, open_case
from dist_vad.judge.protocol import Finding, Stated, check_protocol
from dist_vad.judge.regions import region_rates
from dist_vad.judge.rows import rows_of
from dist_vad.metrics import Alarms, Difference, Pairs
from dist_vad.report import LEARNED, Row
from dist_vad.settings.judge import JudgeSettings

PAIRED_RESAMPLES = 5000
"""At least so many draws for differences: with a thousand, which draws they are moves an interval's coverage by a
hundredth."""


@dataclass(frozen=True)
class Opinion:
    """What is said of one method, beyond its row."""

    method: Method
    findings: list[Finding]
    """Empty: a clean sheet."""
    conventions: list[Convention]
    latency_aware: dict[str, float]
    """Ground truth -> latency-aware average precision."""
    alarms: list[Alarms]
    """At the threshold that was given, if one was."""
    budgets: dict[float, Alarms]
    """False alarms an hour -> the operating point that keeps it."""
    difference: Difference | None
    """The first method less this one; None for the first."""

    def points(self) -> list[tuple[str, Alarms]]:
        """All operating points with what they are; budgets that come to the same one together."""
        given = [("as given", alarms) for alarms in self.alarms]
        by_threshold: dict[float, list[float]] = {}
        for budget, alarms in self.budgets.items():
            by_threshold.setdefault(alarms.threshold, []).append(budget)
        shared = [
            (f"at most {', '.join(f'{budget:g}' for budget in budgets)} an hour", self.budgets[budgets[0]])
            for budgets in by_threshold.values()
        ]
        return [*given, *shared]


@dataclass(frozen=True)
class Judgement:
    """Everything that page, table and files show."""

    case: Case
    settings: JudgeSettings
    truth: str
    """The ground truth of what depends on one: that which is stated, or the first."""
    rows: list[Row]
    opinions: list[Opinion]
    """Of the methods that are looked at beyond their row, the headline first."""
    notes: list[str]

    @property
    def headline(self) -> Row:
        """The row of the first opinion's method."""
        return self.row(self.opinions[0].method)

    def row(self, method: Method) -> Row:
        """The row of a method under `truth`."""
        facts = (method.facts["phase"], method.facts["scorer"], method.facts["smoothing"])
        return next(
            row
            for row in self.rows
            if (row.phase, row.scorer, row.smoothing) == facts and row.ground_truth == self.truth
        )


def judge(places: Sequence[str], settings: JudgeSettings) -> Judgement:
    """Read scores and ground truth, and judge. Raises InputError where something does not fit."""
    case = open_case(places, settings)
    notes = []
    if settings.regions is not None:
        rates, annotated = region_rates(Path(settings.regions), case.known)
        case.methods[0].facts.update(rates._asdict())
        notes.append(f"RBDC and TBDC are of {annotated} videos, those whose regions are annotated")
    truth = settings.ground_truth or case.truths[0]
    labels = {name: case.labels(name) for name in case.truths if name}
    compared = sorted((method for method in case.methods if method.compared), key=_first)
    pairs = {id(method): Pairs(labels[truth], case.scores(method)) for method in compared} if truth else {}
    opinions = []
    for method in compared:
        difference = None
        if method is not compared[0] and truth:
            resamples = max(settings.resamples, PAIRED_RESAMPLES) if settings.resamples else 0
            difference = metrics.paired_difference(pairs[id(compared[0])], pairs[id(method)], resamples)
        opinions.append(_opinion(case, method, labels, truth, settings, difference))
    return Judgement(case, settings, truth, rows_of(case), opinions, notes)


def _first(method: Method) -> bool:
    """Sorts what was learned before its baselines."""
    return method.facts["group"] != LEARNED


def _opinion(
    case: Case,
    method: Method,
    labels: Mapping[str, list[np.ndarray]],
    truth: str,
    settings: JudgeSettings,
    difference: Difference | None,
) -> Opinion:
    scores, smoothing = case.scores(method), method.facts["smoothing"]
    if not truth:
        return Opinion(method, [], [], {}, [], {}, None)
    fps = [settings.fps or video.fps for video in case.videos]
    timing = {"fps": fps, "join": settings.join}
    names = [video.name for video in case.videos]
    points = metrics.operating_points(labels[truth], scores, settings.budgets, **timing)
    given = [] if settings.threshold is None else [settings.threshold]
    return Opinion(
        method,
        check_protocol(names, scores, labels, Stated(smoothing, settings.ground_truth)),
        conventions(scores, labels, smoothing, settings.published),
        {name: metrics.latency_aware_average_precision(own, scores) for name, own in labels.items()},
        [metrics.count_alarms(labels[truth], scores, threshold, **timing) for threshold in given],
        dict(zip(settings.budgets, points)),
        difference,
    )


def alarm_facts(alarms: Alarms) -> dict[str, Any]:
    """Alarms as JSON-able values."""
    return {
        "threshold": alarms.threshold,
        "events": alarms.events,
        "found": alarms.found,
        "alarms": alarms.alarms,
        "right": alarms.right,
        "hours_of_normal_video": alarms.hours,
        "event_recall": alarms.event_recall,
        "event_precision": alarms.event_precision,
        "false_alarms_per_hour": alarms.false_alarms_per_hour,
        "normal_share": alarms.normal_share,
        "mean_delay_seconds": alarms.mean_delay,
        "median_delay_seconds": alarms.median_delay,
    }


def opinion_facts(opinion: Opinion) -> dict[str, Any]:
    """All of an opinion as JSON-able values."""
    return {
        "method": opinion.method.name,
        "scores_sha256": opinion.method.sha256,
        "stated_smoothing": opinion.method.facts["smoothing"],
        "notes": opinion.method.notes,
        "findings": [dataclasses.asdict(finding) for finding in opinion.findings],
        "conventions": [dataclasses.asdict(convention) for convention in opinion.conventions],
        "latency_aware_average_precision": opinion.latency_aware,
        "alarms": [alarm_facts(alarms) for alarms in opinion.alarms],
        "operating_points": {f"{budget:g}": alarm_facts(alarms) for budget, alarms in opinion.budgets.items()},
        "less_than_first_by": None if opinion.difference is None else opinion.difference._asdict(),
    }
