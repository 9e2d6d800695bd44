"""States on disk: what a finished stage hands to the next."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import atomic_folder, write_bytes
from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.base.tensors import Tensors, tensors_digest

MODEL = "model.safetensors"
STATE = "state.json"


@dataclass(frozen=True)
class State:
    """A phase state: weights named by the recipe that made them.

    The folder holds `model.safetensors` (backbone and every head trained so far) and `state.json`.

    Example:
        state = read_state(Path("runs/demo/states/inference-0123456789ab"))
        weights = state.load()  # parameter name -> tensor
        print(state.stage, state.tasks, state.metrics["train"])
    """

    folder: Path
    key: str
    """Digest of the recipe."""
    stage: str
    digest: str
    """tensors_digest of the weights."""
    lineage: list[str]
    """Folder names of its ancestors, oldest first; the parent is the last."""
    tasks: list[str]
    """Every task trained so far, in order."""
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    """Losses at the end of the stage; for information."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    def load(self) -> Tensors:
        """The weights, verified against the digest. Raises InputError where they differ from it."""
        path, again = self.folder / MODEL, "delete the folder and train the stage again"
        try:
            tensors = load_file(path)
        except (SafetensorError, ValueError) as error:
            raise Damaged(f"{path} is damaged: it does not read as safetensors ({error}); {again}") from error
        except FileNotFoundError as error:
            raise InputError(f"{path} is missing, but {STATE} is there; {again}") from error
        digest = tensors_digest(tensors)
        if digest != self.digest:
            raise Damaged(
                f"state {self.folder}: the weights have digest {digest[:12]}, state.json says {self.digest[:12]}; the "
                f"file was changed or damaged: {again}"
            )
        return tensors


def save_state(folder: Path, tensors: Tensors, **facts: Any) -> State:
    """Write a state; it appears whole or not at all. `facts` are the fields of State but folder and digest."""
    digest = tensors_digest(tensors)
    with atomic_folder(folder) as partial:
        save_tensors(partial / MODEL, tensors)
        write_sealed(partial / STATE, {**facts, "digest": digest})
    return State(folder=folder, digest=digest, **facts)


def save_tensors(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> None:
    """Write weights into a file, whole or not at all.

    As bytes: files that safetensors itself writes are readable by their owner alone, whatever the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata))


def read_state(folder: Path) -> State:
    """Open a state without loading its weights. Raises InputError where the folder holds none, Damaged where it
    does not read."""
    path = folder / STATE
    if not path.is_file():
        raise InputError(f"no state at {folder}: {STATE} is missing; expected a folder such as RUN/states/perception-…")
    known = [field.name for field in dataclasses.fields(State) if field.name != "folder"]
    facts = read_sealed(path, known)
    if facts.keys() != set(known):
        wrong = ", ".join(sorted(facts.keys() ^ set(known)))
        raise Damaged(f"{path} is damaged, or of another version of dist_vad: keys missing or unknown ({wrong})")
    return State(folder=folder, **facts)


def relative_difference(a: Tensors, b: Tensors) -> float:
    """The largest relative L2 distance of any tensor of `a` from its namesake in `b`."""
    assert a.keys() == b.keys(), "two states of different networks"
    worst = 0.0
    for name, tensor in a.items():
        x, y = tensor.double().numpy(), b[name].double().numpy()
        worst = max(worst, float(np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-30)))
    return worst
