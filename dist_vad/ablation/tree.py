"""The rows of a table as a tree of stages, in which a common beginning stands once. No data is needed to grow it."""

import dataclasses
from dataclasses import dataclass

from dist_vad.base.files import digest
from dist_vad.curriculum.recipes import loss_weights
from dist_vad.curriculum.stages import short, stage_name, stages_of
from dist_vad.model import PHASES
from dist_vad.settings.ablation import AblationSettings, RowSettings
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.curriculum_line import write_line
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS


@dataclass(frozen=True)
class Node:
    """One stage of the tree: a training that starts from its parent's state."""

    id: str
    """Digest of the stages up to here with their settings and of the seed."""
    parent: str | None
    """The id of the stage before it."""
    name: str
    """The stage's name in its curriculum."""
    line: str
    """The curriculum up to here, as one line."""
    settings: Settings
    """A run whose curriculum ends with this stage."""

    @property
    def label(self) -> str:
        """What tells it from the other stages of the tree in names of folders and curves: pre.sr.virtual."""
        line = self.line.replace(" > ", ".").replace(" ", "").replace("*", "x")
        return line + (f".seed{self.settings.seed}" if self.settings.seed else "")

    @property
    def stage(self) -> StageSettings:
        """The stage that is trained here."""
        curriculum = self.settings.curriculum
        assert isinstance(curriculum, dict), "nodes hold their stages in full"
        return list(curriculum.values())[-1]

    @property
    def samples(self) -> int:
        """Samples that pass through a loss: each counts once for every task that learns from it."""
        curriculum = self.settings.curriculum
        assert isinstance(curriculum, dict), "nodes hold their stages in full"
        return samples_of(list(curriculum.values()))[-1]


@dataclass(frozen=True)
class Branch:
    """One row of the table under one seed."""

    row: RowSettings
    seed: int
    stages: tuple[str, ...]
    """Ids of its stages, in order."""
    columns: tuple[int | None, ...]
    """For phases 1, 2 and 3: the number of the stage at whose end the phase has ended; None before the first."""
    simultaneous: str | None
    """Id of the stage that learns the same tasks at the same time."""


@dataclass(frozen=True)
class Tree:
    """All rows of a table under all seeds."""

    nodes: dict[str, Node]
    """By id, a parent always before its children, row by row."""
    branches: list[Branch]

    @property
    def stages(self) -> int:
        """Stages that the rows have, each counted in every row."""
        return sum(len(branch.stages) for branch in self.branches)

    @property
    def in_rows(self) -> set[str]:
        """Ids of the stages that rows are made of."""
        return {node for branch in self.branches for node in branch.stages}

    @property
    def beside(self) -> set[str]:
        """Ids of the stages that only the simultaneous column needs."""
        return {branch.simultaneous for branch in self.branches if branch.simultaneous} - self.in_rows

    def rows_of(self, node: str) -> list[str]:
        """The names of the rows that need a stage."""
        users = [b.row.name for b in self.branches if node in b.stages or node == b.simultaneous]
        return list(dict.fromkeys(users))

    def depth_first(self, parent: str | None = None) -> list[str]:
        """All ids, each parent right before its children, or those below a parent."""
        below = [node.id for node in self.nodes.values() if node.parent == parent]
        return [each for node in below for each in [node, *self.depth_first(node)]]

    def descent(self, node: str) -> list[str]:
        """The ids from the beginning to a stage."""
        parent = self.nodes[node].parent
        return [*(self.descent(parent) if parent else []), node]


def grow(table: AblationSettings, rows: list[RowSettings], seeds: list[int]) -> Tree:
    """The tree of some rows. Raises InputError for a task that is not known."""
    nodes: dict[str, Node] = {}
    branches: list[Branch] = []
    for seed in seeds:
        for row in rows:
            settings = dataclasses.replace(table.base, curriculum=row.curriculum or table.base.curriculum, seed=seed)
            stages = stages_of(settings)
            ids = _plant(nodes, settings, stages)
            beside = None
            if table.simultaneous:
                together = simultaneous(stages, table.budget)
                beside = _plant(nodes, settings, {stage_name(together.tasks): together})[-1]
            branches.append(Branch(row, seed, tuple(ids), by_phase(list(stages.values())), beside))
    return Tree(nodes, branches)


def simultaneous(stages: dict[str, StageSettings], budget: str) -> StageSettings:
    """One stage that learns the tasks of all stages at the same time, for the same number of samples or of steps; in
    everything else like the first of them."""
    some = list(stages.values())
    tasks = {task: weight for stage in reversed(some) for task, weight in stage.tasks.items()}
    tasks = {task: tasks[task] for task in TASKS if task in tasks}
    if budget == "steps":
        steps = sum(stage.steps for stage in some)
    else:
        steps = max(1, round(sum(samples_of(some)) / (some[0].global_batch * len(tasks))))
    return dataclasses.replace(some[0], tasks=tasks, steps=steps)


def samples_of(stages: list[StageSettings]) -> list[int]:
    """Of each stage of a curriculum, the samples that pass through the losses of its tasks, replayed ones too."""
    found, earlier = [], ()
    for stage in stages:
        found.append(stage.steps * stage.global_batch * len(loss_weights(stage, earlier)))
        earlier = (*earlier, *stage.tasks)
    return found


def by_phase(stages: list[StageSettings]) -> tuple[int | None, ...]:
    """The stage that ends each column of the paper's table 3, which groups neighbouring stages of one phase.

    In the usual order each phase has its own column, and one that the curriculum lacks repeats what was before.
    In any other order the groups take the last columns: `virtual > sr` is (None, 0, 1).
    """
    ends: list[tuple[int, int]] = []  # (phase, its last stage)
    for number, stage in enumerate(stages):
        phase = max(PHASES.index(TASKS[task].phase) for task in stage.tasks)
        if ends and ends[-1][0] == phase:
            ends.pop()
        ends.append((phase, number))
    phases = [phase for phase, _ in ends]
    if phases == sorted(set(phases)):
        return tuple(max((n for p, n in ends if p <= column), default=None) for column in range(len(PHASES)))
    last = [number for _, number in ends][-len(PHASES) :]
    return (*[None] * (len(PHASES) - len(last)), *last)


def _plant(nodes: dict[str, Node], settings: Settings, stages: dict[str, StageSettings]) -> list[str]:
    """Add the stages of one curriculum that are not there yet; returns the ids of all of them."""
    ids: list[str] = []
    for number, (name, stage) in enumerate(stages.items(), start=1):
        until = dict(list(stages.items())[:number])
        parent = ids[-1] if ids else None
        made = digest([parent, settings.seed, dataclasses.asdict(stage)])[:12]
        line = write_line([{short(task): weight for task, weight in some.tasks.items()} for some in until.values()])
        run = dataclasses.replace(settings, curriculum=until, stages={})
        nodes.setdefault(made, Node(made, parent, name, line, run))
        ids.append(made)
    return ids
