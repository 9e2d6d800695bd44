"""What the judge says, as plain text for a terminal."""

import math
import textwrap
from collections.abc import Sequence

from dist_vad.base.text.columns import terminal_width
from dist_vad.judge.judgement import Judgement, Opinion
from dist_vad.metrics import Alarms, Interval
from dist_vad.report import format_table

CLEAN = "clean sheet: no trace of a treatment that is not stated"


def judgement_text(judgement: Judgement) -> str:
    """Table, protocol check, conventions, alarms and differences, one after another."""
    case = judgement.case
    frames = sum(video.frames for video in case.videos)
    lines = [f"{case.dataset}: {len(case.videos)} videos, {frames} frames", format_table(judgement.rows)]
    lines += [*judgement.notes, *_headline(judgement)]
    for opinion in judgement.opinions:
        lines += ["", f"{opinion.method.name}: protocol check", *_findings(opinion)]
    if judgement.truth:
        lines += ["", *_conventions(judgement.opinions[0])]
        lines += ["", *_alarms(judgement)]
        lines += ["", *_differences(judgement)] if len(judgement.opinions) > 1 else []
    return "\n".join(lines)


def _headline(judgement: Judgement) -> list[str]:
    row = judgement.headline
    low, high = row.micro_auc_interval
    if not math.isfinite(low):
        return []
    truth = f" under {judgement.truth}" if len(judgement.case.truths) > 1 else ""
    return [
        f"micro AUC of {judgement.opinions[0].method.name}{truth}: {row.micro_auc:.3f}, 95 % interval {low:.3f} to "
        f"{high:.3f} (bootstrap over {len(judgement.case.videos)} videos)"
    ]


def _findings(opinion: Opinion) -> list[str]:
    lines = [f"note: {note}" for note in opinion.method.notes]
    lines += [f"{'WARNING' if finding.serious else 'note'}: {finding.says}" for finding in opinion.findings]
    lines += [] if opinion.findings else [CLEAN]
    return [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(line, terminal_width() - 2, initial_indent="  ", subsequent_indent="    ")
    ]


def _conventions(opinion: Opinion) -> list[str]:
    several = len({convention.ground_truth for convention in opinion.conventions}) > 1
    lines = [f"{opinion.method.name}: what each convention would print"]
    for convention in opinion.conventions:
        truth = f"{convention.ground_truth}: " if several else ""
        mark = "  <- comes near the published figure" if convention.published else ""
        lines.append(f"  {_number(convention.value)}  {truth}{convention.name}{mark}")
    return lines


def _alarms(judgement: Judgement) -> list[str]:
    points = [opinion.points() for opinion in judgement.opinions]
    hours = points[0][0][1].hours
    lines = ["alarms: events found, share of alarms that are right, false ones, share of normal frames, median delay"]
    if hours:
        lines[0] += f"\n(of {60 * hours:.1f} minutes of normal video, where one false alarm is {1 / hours:.1f} an hour)"
    for opinion, own in zip(judgement.opinions, points):
        lines.append(f"  {opinion.method.name}: latency-aware AP {_number(opinion.latency_aware[judgement.truth])}")
        lines += [f"    {point}, from {alarms.threshold:.4g} on: {_alarm(alarms)}" for point, alarms in own]
    return lines


def _alarm(alarms: Alarms) -> str:
    return (
        f"{alarms.found} of {alarms.events} events, precision {_number(alarms.event_precision)}, "
        f"{_short(alarms.false_alarms_per_hour)} false an hour, normal {_number(alarms.normal_share)}, "
        f"delay {_short(alarms.median_delay)} s"
    )


def _differences(judgement: Judgement) -> list[str]:
    first = judgement.opinions[0].method.name
    lines = [f"{first} less each other method, 95 % interval by paired bootstrap over videos"]
    for opinion in judgement.opinions[1:]:
        if opinion.difference is not None:
            micro, micro_ends, macro, macro_ends = opinion.difference
            lines.append(
                f"  {opinion.method.name}: micro {_signed(micro, micro_ends)}; macro {_signed(macro, macro_ends)}"
            )
    return lines


def _signed(value: float, ends: Interval) -> str:
    if not math.isfinite(value):
        return "-"
    sure = "" if not all(map(math.isfinite, ends)) else f" ({ends[0]:+.3f} to {ends[1]:+.3f})"
    return f"{value:+.3f}{sure}"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-    "


def _short(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "-"


def serious(opinions: Sequence[Opinion]) -> int:
    """How many warnings there are in all."""
    return sum(finding.serious for opinion in opinions for finding in opinion.findings)
