"""What a run's folder holds of a tree: states, what was measured of them, and how long it took."""

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import Any

from dist_vad.ablation.tree import Node, Tree
from dist_vad.base.errors import InputError
from dist_vad.base.files import digest
from dist_vad.base.sealed import read_lines, read_or, sealed_line, write_sealed
from dist_vad.curriculum.recipes import Stage, check_tasks, finished_state, plan
from dist_vad.curriculum.stages import stage_name
from dist_vad.curriculum.state import State
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.shard_sets import shard_store
from dist_vad.data.store import open_store
from dist_vad.scoring.calibration import SCORING_VERSION
from dist_vad.tasks import TASKS, make_tasks

ROWS = list[dict[str, Any]]
"""Rows of the table of results, as `dist_vad.report.Row` has them."""
TIMES = "times.jsonl"
MEASURE = "measure"
"""In TIMES: the measuring of states; anything else is the training of a stage of that name, in samples."""


class Record:
    """Everything that is known of a tree's stages without training any.

    Args:
        tree: all rows of the table, those that cannot be run included.
        needs: the shard sets that a run reads, such as `cube-train`.
    """

    def __init__(self, tree: Tree, needs: list[str]) -> None:
        self.tree, self.needs = tree, needs
        base = next(iter(tree.nodes.values())).settings
        self.settings = base
        self.folder = Path(base.run) / "ablation"
        root = open_store(base.shards)
        self.missing_shards = [name for name in needs if root.child(name).size(MANIFEST) is None]
        self.left_out = {branch.row.name: why for branch in tree.branches if (why := _refusal(tree, branch.stages))}
        self._stages: dict[str, Stage] = {}

    @cached_property
    def wanted(self) -> list[str]:
        """Ids of the stages of all rows that can be run, in the order in which they are trained."""
        return [node for node in self.tree.nodes if set(self.tree.rows_of(node)) - self.left_out.keys()]

    def stage(self, node: str) -> Stage:
        """The stage with its key, which depends on the shards. Raises InputError where they are missing."""
        if node not in self._stages:
            made = plan(self.tree.nodes[node].settings)[-1]
            self._stages[node] = dataclasses.replace(made, name=self.tree.nodes[node].label)
        return self._stages[node]

    def state(self, node: str) -> State | None:
        """The state that a stage has made, if it is finished."""
        if self.missing_shards or node not in self.wanted:
            return None
        return finished_state(self.settings, self.stage(node))

    def measured(self, node: str) -> ROWS | None:
        """What was measured of a stage's state."""
        state = self.state(node)
        return self._read(self._path(state)) if state else None

    def is_complete(self, row: str) -> bool:
        """Whether all states of a row have been measured, under all seeds."""
        branches = [branch for branch in self.tree.branches if branch.row.name == row]
        nodes = {node for branch in branches for node in (*branch.stages, branch.simultaneous) if node}
        return all(self.measured(node) is not None for node in nodes)

    def notes(self, row: str) -> tuple[str, ...]:
        """What must be said beside the figures of a row."""
        nodes = [
            self.tree.nodes[node] for branch in self.tree.branches if branch.row.name == row for node in branch.stages
        ]
        tasks = make_tasks(dict.fromkeys(task for node in nodes for task in node.stage.tasks), self.settings.task)
        return tuple(note for task in tasks.values() if (note := task.note()))

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self._manifests[-1].dataset

    def keep(self, state: State, rows: ROWS) -> None:
        """Note down what was measured of a state."""
        write_sealed(self._path(state), {"rows": rows})

    @property
    def tasks(self) -> list[str]:
        """All tasks of the rows that can be run: the untrained network is scored with the heads of them all."""
        used = {task for node in self.wanted for task in self.tree.nodes[node].stage.tasks}
        return [task for task in TASKS if task in used]

    def baselines(self) -> ROWS | None:
        """What was measured without learning."""
        return None if self.missing_shards else self._read(self._baseline_path)

    def keep_baselines(self, rows: ROWS) -> None:
        """Note down what was measured without learning."""
        write_sealed(self._baseline_path, {"rows": rows})

    def keep_time(self, what: str, amount: int, seconds: float) -> None:
        """Note down how long something took: by it the cost of the rest is judged."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / TIMES).open("a") as file:
            facts = {"what": what, "amount": amount, "seconds": round(seconds, 2)}
            file.write(sealed_line(facts).decode())

    def training_seconds(self, node: Node) -> float | None:
        """How long a training will take, by the rate of those of the same tasks, else of all; None without any."""
        done = [some for some in self._times if some["what"] != MEASURE]
        rate = _rate([some for some in done if some["what"] == stage_name(node.stage.tasks)] or done)
        return None if rate is None else node.samples * rate

    def measuring_seconds(self) -> float | None:
        """How long it will take to measure one state."""
        return _rate([some for some in self._times if some["what"] == MEASURE])

    @property
    def _times(self) -> list[dict[str, Any]]:
        return read_lines(self.folder / TIMES, ("what", "amount", "seconds"))

    def _path(self, state: State) -> Path:
        return self.folder / "measured" / f"{state.folder.name}-{self._how([state.digest, state.tasks])}.json"

    @property
    def _baseline_path(self) -> Path:
        return self.folder / "measured" / f"baselines-{self._how([self.settings.seed, self.tasks])}.json"

    def _how(self, subject: list) -> str:
        """Digest of all that decides what is measured of a subject."""
        data = [manifest.content_digest for manifest in self._manifests]
        settings = [
            dataclasses.asdict(part) for part in (self.settings.score, self.settings.task, self.settings.evaluate)
        ]
        return digest([SCORING_VERSION, subject, settings, data])[:12]

    @cached_property
    def _manifests(self) -> list[Manifest]:
        stores = [shard_store(self.settings.shards, "cube", split) for split in ("train", "val", "test")]
        return [Manifest.load(store) for store in stores]

    @staticmethod
    def _read(path: Path) -> ROWS | None:
        return read_or(path, {"rows": None})["rows"]


def _rate(times: list[dict[str, Any]]) -> float | None:
    """Seconds for an amount of 1."""
    amount = sum(some["amount"] for some in times)
    return sum(some["seconds"] for some in times) / amount if amount else None


def _refusal(tree: Tree, stages: tuple[str, ...]) -> str | None:
    """Why a row cannot be run: a task of it lacks something, such as weights; None where it can."""
    try:
        check_tasks(tree.nodes[stages[-1]].settings)
    except InputError as error:
        return str(error)
    return None
