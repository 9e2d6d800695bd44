"""One video's scores at a glance: a small drawing that needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dist_vad.report.charts import thinned
from dist_vad.report.content import VideoCurve
from dist_vad.report.spans import spans

WIDTH, HEIGHT = 240, 48
POINTS = 160
INSET = 2.0


@dataclass(frozen=True)
class Shade:
    """A shaded stretch, in units of the drawing."""

    style: str
    """CSS class."""
    x: str
    width: str


@dataclass(frozen=True)
class Spark:
    """What an SVG of width x height units is drawn from."""

    shades: list[Shade]
    path: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(video: VideoCurve, scorer: str, low: float, high: float, kinds: Sequence[str]) -> Spark:
    """Shaded ground truth and the curve between `low` and `high`, which are the same for all videos."""
    frames = max(video.frames, 1)
    shades = [
        Shade(
            kind_class(span.kind, kinds),
            f"{span.start / frames * WIDTH:.1f}",
            f"{max(1.0, (span.end - span.start) / frames * WIDTH):.1f}",
        )
        for span in spans(video)
    ]
    path = _path(np.asarray(video.scores[scorer]), low, high) if video.frames and scorer in video.scores else ""
    return Spark(shades, path)


def kind_class(kind: str, kinds: Sequence[str]) -> str:
    """The CSS class that colours a kind of event; `kx` for one that is not known."""
    return f"k{kinds.index(kind)}" if kind in kinds else "kx"


def _path(score: np.ndarray, low: float, high: float) -> str:
    values, step = thinned(score, POINTS)
    across = np.minimum(np.arange(len(values)) * step + step / 2, len(score)) / len(score) * WIDTH
    down = INSET + (1 - (values - low) / ((high - low) or 1.0)) * (HEIGHT - 2 * INSET)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down))
