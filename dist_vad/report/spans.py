"""Which stretches of a video are shaded, under which name and as which kind."""

from dataclasses import dataclass

import numpy as np

from dist_vad.base.labels import intervals_of
from dist_vad.report.content import VideoCurve

UNNAMED = "anomaly"


@dataclass(frozen=True)
class Span:
    """A shaded stretch [start, end) of frames."""

    start: int
    end: int
    name: str
    kind: str


def spans(video: VideoCurve) -> list[Span]:
    """The labelled events of a video, and what its labels call anomalous beyond them, in order of time.

    An event that this ground truth calls normal throughout is left out; without labels every event is kept.
    """
    labels = None if video.labels is None else np.asarray(video.labels) != 0
    events = [event for event in video.events if labels is None or labels[event.start : event.end].any()]
    named = [Span(event.start, event.end, event.name or UNNAMED, event.kind) for event in events]
    rest = np.zeros(video.frames, bool) if labels is None else labels.copy()
    for span in named:
        rest[span.start : span.end] = False
    unnamed = [Span(start, end, UNNAMED, "") for start, end in intervals_of(rest)]
    return sorted([*named, *unnamed], key=lambda span: span.start)
