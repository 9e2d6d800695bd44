"""One video's scores at a glance: a small drawing that needs no script."""

from collections.abc import Sequence

import numpy as np

from dist_vad.report.charts import thinned
from dist_vad.report.content import VideoCurve
from dist_vad.report.spans import spans

WIDTH, HEIGHT = 240, 48
POINTS = 160
INSET = 2.0


def sparkline(video: VideoCurve, scorer: str, low: float, high: float, kinds: Sequence[str]) -> str:
    """An SVG of WIDTH x HEIGHT units: shaded ground truth and the curve between `low` and `high`.

    `low` and `high` are the same for all videos. Hidden from readers aloud: name and AUC stand beside it as text.
    """
    frames = max(video.frames, 1)
    shades = "".join(
        f'<rect class="{kind_class(span.kind, kinds)}" x="{span.start / frames * WIDTH:.1f}" y="0" '
        f'width="{max(1.0, (span.end - span.start) / frames * WIDTH):.1f}" height="{HEIGHT}"/>'
        for span in spans(video)
    )
    path = _path(np.asarray(video.scores[scorer]), low, high) if video.frames and scorer in video.scores else ""
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'{shades}<path d="{path}"/></svg>'
    )


def kind_class(kind: str, kinds: Sequence[str]) -> str:
    """The CSS class that colours a kind of event; `kx` for one that is not known."""
    return f"k{kinds.index(kind)}" if kind in kinds else "kx"


def _path(score: np.ndarray, low: float, high: float) -> str:
    values, step = thinned(score, POINTS)
    across = np.minimum(np.arange(len(values)) * step + step / 2, len(score)) / len(score) * WIDTH
    down = INSET + (1 - (values - low) / ((high - low) or 1.0)) * (HEIGHT - 2 * INSET)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down))
