"""The AUC on synthetic anomalies as a table: all that can be said of scores where no test video has labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dist_vad.base.text.columns import terminal_width

SyntheticAUC = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Phase -> score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video."""


@dataclass(frozen=True)
class SyntheticTable:
    """A line for each phase and score: the mean over the kinds, then each of them."""

    kinds: list[str]
    lines: list[tuple[str, str, list[float]]]

    @classmethod
    def of(cls, aucs: SyntheticAUC) -> "SyntheticTable":
        """The last phase first."""
        kinds = list(dict.fromkeys(kind for scores in aucs.values() for own in scores.values() for kind in own))
        lines = [
            (phase, score, [float(np.mean([*own.values()])), *(own.get(kind, np.nan) for kind in kinds)])
            for phase, scores in reversed([*aucs.items()])
            for score, own in scores.items()
        ]
        return cls(kinds, lines)

    def text(self) -> list[str]:
        """Its lines for a terminal; kinds that find no room are left out, the mean counts them."""
        first = max([len("phase"), *(len(phase) for phase, _, _ in self.lines)])
        second = max([len("scorer"), *(len(score) for _, score, _ in self.lines)])
        shown, room = ["mean"], terminal_width() - first - second - 2 - _width("mean")
        for kind in self.kinds:
            if (room := room - _width(kind)) < 0:
                break
            shown.append(kind)
        heads = "".join(f"{head:>{_width(head)}}" for head in shown)
        return [f"{'phase':{first}}  {'scorer':{second}}{heads}"] + [
            f"{phase:{first}}  {score:{second}}"
            + "".join(f"{value:{_width(head)}.3f}" for head, value in zip(shown, values))
            for phase, score, values in self.lines
        ]


def _width(head: str) -> int:
    return max(7, len(head) + 2)
