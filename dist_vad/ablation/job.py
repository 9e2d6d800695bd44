"""The work of an ablation: train what is missing of the tree, measure every state once, fill the table row by row."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from dist_vad.ablation.page import write_page
from dist_vad.ablation.record import MEASURE, Record
from dist_vad.ablation.table import fill, table_json
from dist_vad.ablation.text import format_table
from dist_vad.base.errors import InputError
from dist_vad.base.files import write_json
from dist_vad.curriculum.heads import UNTRAINED, Asked, alone
from dist_vad.curriculum.stages import stage_name
from dist_vad.curriculum.state import State
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.evaluation.results import rows_of
from dist_vad.settings.ablation import AblationSettings
from dist_vad.training.heartbeat import watched
from dist_vad.training.progressive import beginning
from dist_vad.training.refit import fit_heads
from dist_vad.training.trainer import train_stage


class Job:
    """Trains and measures stages of a tree; every rank runs it.

    Args:
        record: of the tree, made when the shards were there.
        provenance: how the run came about; asked whenever the results are written.
    """

    def __init__(
        self,
        table: AblationSettings,
        record: Record,
        accelerator: Accelerator,
        provenance: Callable[[], dict[str, Any]],
    ) -> None:
        self.table, self.record, self.accelerator, self.provenance = table, record, accelerator, provenance
        self.states: dict[str, State] = {}

    def run(self, nodes: list[str]) -> None:
        """Train and measure some stages, parents before their children; the table is shown after each row."""
        self._check_parents(nodes)
        if self.record.baselines() is None:
            with watched(self.accelerator, self.table.base.train.timeout_seconds):
                self._measure_baselines(nodes[0])
        shown = False
        for node in nodes:
            self.states[node] = self.record.state(node) or self._train(node)
            if self.record.measured(node) is None:
                with watched(self.accelerator, self.table.base.train.timeout_seconds):
                    self._measure(node)
                shown = self._show(node)
        if not shown:
            self._show()

    def _check_parents(self, nodes: list[str]) -> None:
        """Refuse a stage whose parent has no state and gets none now."""
        for node in (self.record.tree.nodes[node] for node in nodes):
            if node.parent and node.parent not in nodes and self.record.state(node.parent) is None:
                raise InputError(
                    f"{node.line} starts from the state of {self.record.tree.nodes[node.parent].line}, which is not "
                    f"finished; train it first with --stage {node.parent}"
                )

    def _train(self, node: str) -> State:
        stage, settings = self.record.stage(node), self.record.tree.nodes[node].settings
        parent = self.record.tree.nodes[node].parent
        if parent:
            before = self.states.get(parent) or self.record.state(parent)
        else:
            before = beginning(settings, stage, self.accelerator)
        resumed = (Path(settings.run) / "training" / stage.folder_name).exists()
        started = time.monotonic()
        self.accelerator.print(f"\ntraining {self.record.tree.nodes[node].line} (seed {settings.seed})")
        state = train_stage(settings, stage, before, self.accelerator)
        if self.accelerator.is_main_process and not resumed:
            samples, seconds = self.record.tree.nodes[node].samples, time.monotonic() - started
            self.record.keep_time(stage_name(stage.settings.tasks), samples, seconds)
        return state

    def _measure_baselines(self, node: str) -> None:
        untrained = Asked(UNTRAINED, None, tuple(self.record.tasks), ())
        fit_heads(self.record.tree.nodes[node].settings, [untrained], self.accelerator)
        subjects = self._evaluation(node).score_without_learning(self.record.tasks)
        if self.accelerator.is_main_process:
            evaluation = self._evaluation(node)
            self.record.keep_baselines([row for some in subjects for row in rows_of(evaluation, some)])

    def _measure(self, node: str) -> None:
        started, evaluation = time.monotonic(), self._evaluation(node)
        fit_heads(evaluation.settings, [alone(evaluation.settings, self.states[node])], self.accelerator)
        subject = evaluation.score_alone(self.states[node])
        if self.accelerator.is_main_process:
            self.record.keep(self.states[node], rows_of(evaluation, subject))
            self.record.keep_time(MEASURE, 1, time.monotonic() - started)

    def _evaluation(self, node: str) -> Evaluation:
        return Evaluation(self.record.tree.nodes[node].settings, self.accelerator)

    def _show(self, node: str | None = None) -> bool:
        """Print and write the table, if `node` was the last that one of its rows lacked, or if there is none."""
        if not self.accelerator.is_main_process:
            return False
        rows = [row for row in self.record.tree.rows_of(node) if row not in self.record.left_out] if node else []
        if node and not any(self.record.is_complete(row) for row in rows):
            return False
        table = fill(self.table, self.record)
        print("\n" + format_table(table), flush=True)
        path = self.record.folder / self.table.table
        write_json(path.with_suffix(".json"), {**table_json(table), "provenance": self.provenance()})
        write_page(path.with_suffix(".html"), table, self.provenance())
        return True
