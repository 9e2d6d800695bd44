"""Objects as cards: where they are, what the network saw, which head said so, and whether it was right."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from dist_vad.report.content import Finding, Miss
from dist_vad.report.html import NOTHING, percent
from dist_vad.report.images import boxed, data_uri, film_strip, shrunk

BAR_LIMIT = 0.1
"""Least length of the scale of head scores, so that a row of zeros does not fill it."""
RAREST = 6.0
"""Rarity from which on no number is given, however many normal cubes there were."""


@dataclass(frozen=True)
class Picture:
    """An image as a data URI."""

    source: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Head:
    """How rare a score is by one head."""

    name: str
    length: str
    """Of its bar, in percent."""
    one_in: str


@dataclass(frozen=True)
class Card:
    """A finding."""

    finding: Finding
    picture: Picture | None
    strip: Picture
    heads: list[Head]
    rank: int
    count: int
    link: str
    where: str
    score: str


@dataclass(frozen=True)
class Gallery:
    """Cards under a heading."""

    title: str
    cards: list[Card]


@dataclass(frozen=True)
class MissCard:
    """A stretch with a low peak; without a strip no object was found in it."""

    name: str
    picture: Picture | None
    strip: Picture | None
    heads: list[Head]
    link: str
    where: str
    passed: str
    peak: str


def galleries(findings: Sequence[Finding]) -> list[Gallery]:
    """All findings as cards: anomalous (or unlabelled) ones, and apart from them the false alarms, each by rank."""
    ranked = sorted(findings, key=lambda finding: -finding.score)
    scale = _scale([finding.heads for finding in ranked])
    cards = [_card(finding, rank, len(ranked), scale) for rank, finding in enumerate(ranked, 1)]
    labelled = any(finding.anomalous is not None for finding in ranked)
    alarms = [card for card in cards if card.finding.anomalous is False]
    others = [card for card in cards if card.finding.anomalous is not False]
    first = Gallery("Anomalous, and found" if labelled else "Highest scores", others)
    return [gallery for gallery in (first, Gallery("False alarms: normal frames", alarms)) if gallery.cards]


def misses(missed: Sequence[Miss]) -> list[MissCard]:
    """The labelled stretches with the lowest peaks as cards, the lowest first."""
    scale = _scale([entry.best.heads for entry in missed if entry.best])
    return [_missed(entry, scale) for entry in missed]


def video_link(name: str, frame: int | None = None) -> str:
    """The fragment of the page that shows a video, and marks a frame of it."""
    return f"#video={quote(name, safe='')}" + (f"&frame={frame}" if frame is not None else "")


def _card(finding: Finding, rank: int, count: int, scale: float) -> Card:
    where = f"{finding.video}, frame {finding.frame}"
    return Card(
        finding=finding,
        picture=_boxed(finding, where),
        strip=_strip(finding.strip),
        heads=_heads(finding, scale),
        rank=rank,
        count=count,
        link=video_link(finding.video, finding.frame),
        where=where,
        score=f"{finding.score:.2f}",
    )


def _missed(entry: Miss, scale: float) -> MissCard:
    where = f"{entry.video}, frames {entry.start} to {entry.end - 1}"
    best = entry.best
    return MissCard(
        name=entry.name,
        picture=_boxed(best, where) if best else _plain(entry.image, where),
        strip=_strip(best.strip) if best else None,
        heads=_heads(best, scale) if best else [],
        link=video_link(entry.video, best.frame if best else (entry.start + entry.end) // 2),
        where=where,
        passed=percent(entry.passed),
        peak=f"{entry.peak:.2f}",
    )


def _picture(image: np.ndarray, alt: str) -> Picture:
    return Picture(data_uri(image), image.shape[1], image.shape[0], alt)


def _plain(image: np.ndarray | None, where: str) -> Picture | None:
    """A frame without any box; None where it is not at hand."""
    return None if image is None else _picture(shrunk(image), f"{where}: no object was found")


def _boxed(finding: Finding, where: str) -> Picture | None:
    """The frame with the object boxed; None where it is not at hand."""
    if finding.image is None:
        return None
    x1, y1, x2, y2 = (round(value) for value in finding.box)
    alt = f"{where}: the object is boxed at x {x1} to {x2}, y {y1} to {y2}"
    return _picture(boxed(finding.image, finding.box), alt)


def _strip(cube: np.ndarray) -> Picture:
    """What the network saw, uint8 [T, H, W, 3], side by side."""
    return _picture(film_strip(cube), f"The object's {len(cube)} crops around that frame, in order of time")


def _scale(heads: Sequence[Mapping[str, float]]) -> float:
    """The rarity that fills a bar: the highest of all."""
    return max([BAR_LIMIT, *(value for some in heads for value in some.values() if math.isfinite(value))])


def _heads(finding: Finding, scale: float) -> list[Head]:
    """Scores by head, with bars that are long where few normal cubes score as high."""
    return [
        Head(name, f"{_length(value, scale):.0f}", _one_in(value, finding.supported.get(name, RAREST)))
        for name, value in finding.heads.items()
    ]


def _length(rarity: float, scale: float) -> float:
    return 100 * min(1.0, max(0.0, rarity) / scale) if math.isfinite(rarity) else 0.0


def _one_in(rarity: float, supported: float = RAREST) -> str:
    """-log10 of a share as `1 in so many`, with two digits; beyond what the normal cubes can show, `extrapolated`."""
    if not math.isfinite(rarity):
        return NOTHING
    if rarity > min(supported, RAREST):
        return f"{_one_in(min(supported, RAREST)).replace('in ', 'in > ')} (extrapolated)"
    digits = max(0, math.floor(rarity) - 1)
    return f"1 in {round(10**rarity, -digits):,.0f}".replace(",", " ")
