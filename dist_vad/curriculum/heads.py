"""The same heads for every state of a run: which ones each has not trained itself, and where those fitted are kept."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import digest
from dist_vad.base.sealed import read_or
from dist_vad.base.tensors import tensors_digest
from dist_vad.curriculum.initial import INITIAL
from dist_vad.curriculum.precision import chosen_precision
from dist_vad.curriculum.state import State, Tensors, read_state, save_tensors
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.shard_sets import shard_store
from dist_vad.settings.run import Settings
from dist_vad.tasks import make_tasks

VERSION = 1
"""Part of the name of what was fitted: raise it when the fitting changes."""
UNTRAINED = "untrained"
DIGEST = "digest"
"""In a file of fitted heads: the digest of the weights in it."""
DATA = "data.json"
"""In a run's folder: the digests of the shard sets that it read first."""


@dataclass(frozen=True)
class Asked:
    """A state, or the untrained network, with the tasks whose heads it is asked by."""

    name: str
    """The state's stage, or `untrained`."""
    state: State | None
    tasks: tuple[str, ...]
    """All that it is asked, trained or not."""
    trained: tuple[str, ...]
    """Those that its last stage has trained; the heads of the others are fitted on the frozen backbone."""

    @property
    def fitted(self) -> list[str]:
        """The tasks whose heads are fitted."""
        return [task for task in self.tasks if task not in self.trained]

    def own_weights(self) -> Tensors:
        """The weights as they were trained; empty of the untrained network."""
        return self.state.load() if self.state else {}

    def path(self, settings: Settings) -> Path:
        """The file of the whole network with fitted heads; its name is a digest of all that decides it."""
        made = make_tasks(self.fitted, settings.task)
        kinds = sorted({task.kind for task in made.values()})
        precision = refit_precision(settings)
        decisive = [
            VERSION,
            self.state.digest if self.state else [dataclasses.asdict(settings.model), settings.seed],
            self.trained,
            [[name, task.version, task.recipe()] for name, task in made.items()],
            [settings.score.refit, settings.seed, settings.augment],
            dataclasses.asdict(settings.stream),
            [_training_digest(settings, kind) for kind in kinds],
            *([precision] if precision != "no" else []),
        ]
        return Path(settings.run) / "heads" / f"{self.name}-{digest(decisive)[:12]}.safetensors"

    def weights(self, settings: Settings) -> Tensors:
        """The weights with the fitted heads. Raises InputError where they were not fitted yet."""
        if not self.fitted or not settings.score.refit:
            return self.own_weights()
        path = self.path(settings)
        if not path.is_file():
            raise InputError(
                f"{path} is missing: the heads of {', '.join(self.fitted)} were not fitted on {self.name}; evaluate "
                "with `dist-vad evaluate`, which fits them, or with --score.refit 0, which scores without"
            )
        return read_fitted(path)

    def is_kept(self, settings: Settings) -> bool:
        """Whether the network with fitted heads is there; where it is damaged, that is warned of."""
        return read_or(self.path(settings), None, read_fitted) is not None

    def save(self, settings: Settings, tensors: Tensors) -> None:
        """Keep the whole network with fitted heads."""
        save_tensors(self.path(settings), tensors, {DIGEST: tensors_digest(tensors)})


def refit_precision(settings: Settings) -> str:
    """The precision in which heads are fitted: that of the run, where it is `bf16`, else `no`."""
    return "bf16" if chosen_precision(settings) == "bf16" else "no"


def read_fitted(path: Path) -> Tensors:
    """The weights of a file. Raises Damaged for others than were written, as far as the file says its digest."""
    try:
        with safe_open(path, "pt") as file:
            digest = (file.metadata() or {}).get(DIGEST)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise Damaged(f"{path} is damaged: it does not read ({error}); remove it, and it is fitted anew") from error
    if digest not in (None, tensors_digest(tensors)):
        raise Damaged(f"{path} is damaged: its weights have another digest; remove it, and they are fitted anew")
    return tensors


def _training_digest(settings: Settings, kind: str) -> str:
    """Digest of the training shards of a kind; where they are no longer at hand, the one that the run has noted."""
    store = shard_store(settings.shards, kind, "train")
    if store.size(MANIFEST) is None:
        noted = read_or(Path(settings.run) / DATA, {}).get(f"{settings.shards}/{kind}-train")
        if noted:
            return noted
    return Manifest.load(store).content_digest


def asked(settings: Settings, state: State, ancestors: bool = True) -> Iterator[Asked]:
    """The untrained network, with `ancestors` every state before it, and the state itself, in this order.

    All are asked by the heads of all tasks that the state was trained on in its run; with `score.refit` 0, each by
    those that it has been trained on.
    """
    tasks = own_tasks(state)
    yield Asked(UNTRAINED, None, tuple(tasks), ())
    for folder in state.lineage if ancestors else []:
        ancestor = read_state(state.folder.parent / folder)
        yield _asked(settings, ancestor, tasks if settings.score.refit else own_tasks(ancestor))
    yield alone(settings, state)


def alone(settings: Settings, state: State) -> Asked:
    """A state, asked by the heads of all tasks that it has been trained on in its run."""
    return _asked(settings, state, own_tasks(state))


def own_tasks(state: State) -> list[str]:
    """The tasks of a state that stages of its run have learned.

    With `init` a run begins with the heads of another one. Those with which no stage goes on are stale, and fitting
    them anew would need data that the run does not have, such as virtual video.
    """
    if not state.lineage or not state.lineage[0].startswith(f"{INITIAL}-"):
        return state.tasks
    stages = [*(read_state(state.folder.parent / folder) for folder in state.lineage[1:]), state]
    learned = {task for stage in stages for task in stage.recipe["task_versions"]}
    return [task for task in state.tasks if task in learned]


def _asked(settings: Settings, state: State, tasks: list[str]) -> Asked:
    trained = state.recipe["task_versions"] if settings.score.refit else state.tasks
    return Asked(state.stage, state, tuple(tasks), tuple(trained))
