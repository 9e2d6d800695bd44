"""Objects as cards: where they are, what the network saw, which head said so, and whether it was right."""

import math
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from dist_vad.report.content import Finding, Miss, words
from dist_vad.report.images import boxed, data_uri, film_strip, shrunk
from dist_vad.report.markup import text

BAR_LIMIT = 0.1
"""Least length of the scale of head scores, so that a row of zeros does not fill it."""

MISSING = '<div class="missing">frame not at hand</div>'


def gallery(findings: Sequence[Finding]) -> str:
    """All findings as cards: anomalous (or unlabelled) ones, and apart from them the false alarms, each by rank."""
    ranked = sorted(findings, key=lambda finding: -finding.score)
    ranks = {id(finding): rank for rank, finding in enumerate(ranked, 1)}
    scale = max([BAR_LIMIT, *(v for finding in ranked for v in finding.heads.values() if math.isfinite(v))])
    alarms = [finding for finding in ranked if finding.anomalous is False]
    others = [finding for finding in ranked if finding.anomalous is not False]
    labelled = any(finding.anomalous is not None for finding in ranked)
    parts = [
        ("Anomalous, and found" if labelled else "Highest scores", others),
        ("False alarms: normal frames", alarms),
    ]
    return "".join(
        f'<h3>{title}</h3><ul class="cards">'
        + "".join(_card(finding, ranks[id(finding)], len(ranked), scale) for finding in some)
        + "</ul>"
        for title, some in parts
        if some
    )


def misses(missed: Sequence[Miss]) -> str:
    """The labelled stretches with the lowest peaks as cards, the lowest first."""
    heads = [entry.best.heads for entry in missed if entry.best]
    scale = max([BAR_LIMIT, *(v for some in heads for v in some.values() if math.isfinite(v))])
    return '<ul class="cards">' + "".join(_missed(entry, scale) for entry in missed) + "</ul>" if missed else ""


def _missed(entry: Miss, scale: float) -> str:
    frames = f"{entry.video}, frames {entry.start} to {entry.end - 1}"
    best, passed = entry.best, f"{100 * entry.passed:.1f} % of normal frames score as high"
    link = video_link(entry.video, best.frame if best else (entry.start + entry.end) // 2)
    seen = _heads(best, scale) if best else "<p>No object was found in it: there was nothing to score.</p>"
    return (
        f'<li class="card">{_picture(best, frames) if best else _plain(entry.image, frames)}'
        f'{_strip(best.strip) if best else ""}<div class="facts">'
        f'<p class="verdict"><span class="chip right">{text(words(entry.name))}</span></p>'
        f'<p class="where"><a href="{text(link)}">{text(frames)}</a></p>'
        f'<p class="where"><span>{passed}</span><span>peak {entry.peak:.2f}</span></p>{seen}</div></li>'
    )


def _plain(image: np.ndarray | None, frames: str) -> str:
    """A frame without any box."""
    if image is None:
        return MISSING
    small = shrunk(image)
    return (
        f'<img class="frame" src="{data_uri(small)}" width="{small.shape[1]}" height="{small.shape[0]}" '
        f'loading="lazy" alt="{text(frames)}: no object was found">'
    )


def video_link(name: str, frame: int | None = None) -> str:
    """The fragment of the page that shows a video, and marks a frame of it."""
    return f"#video={quote(name, safe='')}" + (f"&frame={frame}" if frame is not None else "")


def _card(finding: Finding, rank: int, count: int, scale: float) -> str:
    where = f"{finding.video}, frame {finding.frame}"
    return (
        f'<li class="card">{_picture(finding, where)}{_strip(finding.strip)}'
        f'<div class="facts"><p class="verdict">{_verdict(finding)}'
        f'<span class="rank">{rank} of {count} shown</span></p>'
        f'<p class="where"><a href="{text(video_link(finding.video, finding.frame))}">{text(where)}</a>'
        f"<span>score {finding.score:.2f}</span></p>{_heads(finding, scale)}</div></li>"
    )


def _strip(cube: np.ndarray) -> str:
    """What the network saw, uint8 [T, H, W, 3], side by side."""
    return (
        f'<img class="strip" src="{data_uri(film_strip(cube))}" loading="lazy" '
        f'width="{cube.shape[0] * cube.shape[2]}" height="{cube.shape[1]}" '
        f'alt="The object&#39;s {len(cube)} crops around that frame, in order of time">'
    )


def _picture(finding: Finding, where: str) -> str:
    if finding.image is None:
        return MISSING
    image = boxed(finding.image, finding.box)
    x1, y1, x2, y2 = (round(value) for value in finding.box)
    alt = f"{where}: the object is boxed at x {x1} to {x2}, y {y1} to {y2}"
    return (
        f'<img class="frame" src="{data_uri(image)}" width="{image.shape[1]}" height="{image.shape[0]}" '
        f'loading="lazy" alt="{text(alt)}">'
    )


def _verdict(finding: Finding) -> str:
    if finding.anomalous is None:
        return '<span class="chip">no labels</span>'
    if finding.anomalous:
        name = f": {words(finding.event)}" if finding.event else ""
        return f'<span class="chip right">anomalous{text(name)}</span>'
    return '<span class="chip wrong">normal: false alarm</span>'


def _heads(finding: Finding, scale: float) -> str:
    """Scores by head as a list with bars, long where few normal cubes score as high."""
    if not finding.heads:
        return ""
    items = ""
    for head, value in finding.heads.items():
        length = 100 * min(1.0, max(0.0, value) / scale) if math.isfinite(value) else 0
        items += f'<li><span>{text(words(head))}</span><span class="bar"><i style="width:{length:.0f}%"></i></span>'
        items += f'<span class="num">{_one_in(value)}</span></li>'
    return f'<ul class="heads" aria-label="Share of normal cubes that score as high, by head">{items}</ul>'


def _one_in(rarity: float) -> str:
    """-log10 of a share as `1 in so many`, with two digits."""
    if not math.isfinite(rarity):
        return "–"
    if rarity >= 6:
        return "1 in > 10⁶"
    digits = max(0, math.floor(rarity) - 1)
    return f"1 in {round(10**rarity, -digits):,.0f}".replace(",", " ")
