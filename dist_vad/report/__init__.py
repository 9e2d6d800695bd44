"""The results of an evaluation, for people: one self-contained page, and one table for the terminal."""

from dist_vad.report.content import LEARNED, NO_LEARNING, Finding, Report, Row, VideoCurve

__all__ = ["LEARNED", "NO_LEARNING", "Finding", "Report", "Row", "VideoCurve"]
