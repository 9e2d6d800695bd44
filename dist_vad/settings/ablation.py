"""Settings of an ablation: the rows of a table, on one base."""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.base.errors import refuse_unless
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.curriculum_line import split_line
from dist_vad.settings.run import Settings


@dataclass(kw_only=True)
class RowSettings:
    """One row of the table."""

    curriculum: str | dict[str, StageSettings] = ""
    """In one line, such as "pre > rec > jig > virtual", or its stages with all their settings; without it, that of the
    base."""
    name: str = ""
    """What the row is called; without it, by its curriculum in one line."""
    paper: dict[str, list[float | None]] = field(default_factory=dict)
    """Data set -> the paper's AUC in percent: one figure, or those after phases 1, 2 and 3, null where it has none."""
    paper_simultaneous: dict[str, float] = field(default_factory=dict)
    """Data set -> the paper's AUC in percent where the same tasks are learned at the same time."""

    def __post_init__(self) -> None:
        if self.curriculum and isinstance(self.curriculum, str):
            split_line(self.curriculum)
            self.name = self.name or self.curriculum
        refuse_unless(bool(self.name), "name", self.name, "a name for a row whose stages are spelt out, or the base's")
        figures = [*self.paper_simultaneous.values(), *(auc for some in self.paper.values() for auc in some)]
        for auc in figures:
            refuse_unless(auc is None or 0 <= auc <= 100, f"paper, row {self.name!r},", auc, "percent, or null")


@dataclass(kw_only=True)
class AblationSettings:
    """A table of curricula, all of them learned with the settings of one base."""

    table: str = "table"
    """What it is called; its results lie in RUN/ablation/TABLE.json and TABLE.html."""
    title: str = ""
    """What it shows."""
    base: Settings = field(default_factory=Settings)
    """Everything but the curricula: a path to a file such as configs/ablation/plaza.yaml, of which --base.KEY overrides
    a value. A base with another data set makes the same table of that one."""
    rows: list[RowSettings] = field(default_factory=list)
    """The rows."""
    simultaneous: bool = False
    """Show the AUC after each phase, and beside it that of the same tasks learned at the same time."""
    budget: Literal["samples", "steps"] = "samples"
    """What the simultaneous column has in common with the stages of its row. samples: it passes as many samples through
    the losses of its tasks, so each task sees as many as in a stage of its own. steps: it takes as many steps of the
    optimiser, in each of which all tasks learn."""
    scorer: str = "fused"
    """The score that the table shows; the file with the results has them all."""

    def __post_init__(self) -> None:
        refuse_unless(len(self.rows) > 0, "rows", self.rows, "at least one row with its curriculum")
        names = [row.name for row in self.rows]
        twice = [name for name in names if names.count(name) > 1]
        refuse_unless(not twice, "rows", twice[:1], "rows of different names")
        fit = self.table and not set(self.table) & set("/\\ ")
        refuse_unless(bool(fit), "table", self.table, "a name that is fit for a file")
