"""Checkpoints: where an unfinished stage restarts from. They are never candidates for a state.

STORE/step-NNNNNNNN/ holds `tensors.safetensors` and, written last, `checkpoint.json`: a checkpoint with it is whole.
"""

import re
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from dist_vad.base.errors import Damaged
from dist_vad.base.files import bytes_sha256
from dist_vad.base.log import log
from dist_vad.base.sealed import sealed, unsealed
from dist_vad.curriculum.state import Tensors
from dist_vad.data.store import Store

TENSORS = "tensors.safetensors"
CHECKPOINT = "checkpoint.json"
OLD_FACTS = ("step", "stage", "steps", "skipped", "losses", "validated", "samples_per_second", "time", "best", "sha256")
"""Keys of checkpoints that were written before their facts had a digest."""


@dataclass(frozen=True)
class Checkpoint:
    """Where an unfinished stage stands."""

    step: int
    """Steps done."""
    groups: dict[str, Tensors]
    """`weights`, `moments` of the optimizer, `average` and `best` where the stage has them."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else the loop goes on with, and what a reader may want to know."""


class Checkpoints:
    """The checkpoints of one stage in a store, written by a thread of its own while training goes on.

    Args:
        store: folder or bucket of the stage.
        keep: so many of the newest stay.

    Example:
        checkpoints = Checkpoints(open_store("runs/demo/training/perception-0123456789ab"), keep=2)
        checkpoints.save(Checkpoint(step=100, groups={"weights": module.state_dict()}))
        checkpoints.wait()
        assert checkpoints.latest().step == 100
    """

    def __init__(self, store: Store, keep: int) -> None:
        self.store, self.keep = store, keep
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Copy the tensors, and return; they are written beside the next steps. An error of the writing before is
        raised here. At most one is being written: a slow store makes the next one wait."""
        self.wait()
        self._pending = self._writer.submit(self._write, _copied(checkpoint))

    def wait(self) -> None:
        """Return when what was saved is written; raises what went wrong in writing it."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None where there is none. A damaged one is named and passed over."""
        for step in reversed(self._steps()):
            checkpoint = self._read(step)
            if checkpoint is not None:
                return checkpoint
        return None

    def clear(self) -> None:
        """Remove all of them: the stage is finished."""
        self.wait()
        self._writer.shutdown()
        for name in _markers_first(self.store.sizes()):
            self.store.delete(name)

    def _write(self, checkpoint: Checkpoint) -> None:
        name = f"step-{checkpoint.step:08d}"
        flat = {f"{group}:{key}": t for group, tensors in checkpoint.groups.items() for key, t in tensors.items()}
        content = save(flat)
        facts = {"step": checkpoint.step, **checkpoint.facts, "sha256": bytes_sha256(content)}
        self.store.put(f"{name}/{TENSORS}", content)
        self.store.put(f"{name}/{CHECKPOINT}", sealed(facts))
        oldest = self._steps()[-self.keep :][0]
        for file in _markers_first(self.store.sizes()):
            step = _step_of(file)
            if step is not None and step < oldest:
                self.store.delete(file)

    def _steps(self) -> list[int]:
        """Steps of the checkpoints that have their marker, in order."""
        steps = [_step_of(name) for name in self.store.sizes() if name.endswith(f"/{CHECKPOINT}")]
        return sorted(step for step in steps if step is not None)

    def _read(self, step: int) -> Checkpoint | None:
        name = f"step-{step:08d}"
        try:
            facts = read_facts(self.store, step)
            content = self.store.read(f"{name}/{TENSORS}")
            if bytes_sha256(content) != facts.pop("sha256"):
                raise ValueError(f"{TENSORS} does not have the sha256 that {CHECKPOINT} names")
            flat = load(content)
        except (FileNotFoundError, ValueError, KeyError, SafetensorError) as error:  # Damaged is a ValueError
            log.warning("warning: checkpoint %s is damaged (%s); taking an older one", self.store.where(name), error)
            return None
        groups: dict[str, Tensors] = {}
        for key, tensor in flat.items():
            group, _, rest = key.partition(":")
            groups.setdefault(group, {})[rest] = tensor
        return Checkpoint(facts.pop("step"), groups, facts)


def read_facts(store: Store, step: int) -> dict[str, Any]:
    """What a checkpoint says of itself. Raises FileNotFoundError where there is none, Damaged where it does not
    read."""
    name = f"step-{step:08d}/{CHECKPOINT}"
    facts = unsealed(store.read(name), store.where(name), OLD_FACTS)
    if facts.get("step") != step:
        raise Damaged(f"{store.where(name)} is damaged: it says step {facts.get('step')!r}, its folder {step}")
    return facts


def threads_differ(facts: dict[str, Any]) -> str | None:
    """A warning where a checkpoint was made with another number of threads than this process has; else None."""
    then, now = facts.get("threads"), torch.get_num_threads()
    if then is None or then == now:
        return None
    return (
        f"it goes on with {now} threads a rank, the checkpoint was made with {then}: by rounding, the weights will not "
        f"be those of a run that was not interrupted; --train.cpu_threads {then} gives the same bits"
    )


def _copied(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint whose tensors are copies in ordinary memory: those of the model change with the next step."""
    groups = {
        group: {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
        for group, tensors in checkpoint.groups.items()
    }
    return Checkpoint(checkpoint.step, groups, checkpoint.facts)


def _step_of(name: str) -> int | None:
    """The step of a file `step-NNNNNNNN/...`; None for anything else."""
    match = re.match(r"step-(\d{8})/", name)
    return int(match[1]) if match else None


def _markers_first(names: Iterable[str]) -> list[str]:
    """Files in the order in which they may be removed: what has lost its marker is no checkpoint any more."""
    return sorted(names, key=lambda name: not name.endswith(CHECKPOINT))
