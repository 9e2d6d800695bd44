"""The results of an evaluation, for people: one self-contained page, and one table for the terminal."""

from dist_vad.report.content import LEARNED, NO_LEARNING, Finding, Miss, Report, Row, Stills, VideoCurve
from dist_vad.report.page import write_report
from dist_vad.report.synthetic import SyntheticTable
from dist_vad.report.terminal import format_table

__all__ = [
    "LEARNED",
    "NO_LEARNING",
    "Finding",
    "Miss",
    "Report",
    "Row",
    "Stills",
    "SyntheticTable",
    "VideoCurve",
    "format_table",
    "write_report",
]
