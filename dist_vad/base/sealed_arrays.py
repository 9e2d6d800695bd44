"""Arrays in a file of safetensors that tells when it is damaged: beside them stand facts, and a digest over both."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dist_vad.base.errors import Damaged

Arrays = dict[str, np.ndarray]


def sealed_arrays(arrays: Mapping[str, np.ndarray], facts: str) -> bytes:
    """The content of a file with some arrays by name, and facts as JSON."""
    whole = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    return save(whole, {"facts": facts, "digest": _digest(facts, whole)})


def read_arrays(path: Path) -> tuple[Arrays, str]:
    """(arrays, facts as JSON) of a file. Raises Damaged for any other than were written, FileNotFoundError for none."""
    try:
        with safe_open(path, "numpy") as file:
            held = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts, digest = held["facts"], held["digest"]
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Damaged(f"{path} is damaged: it does not read ({error})") from error
    if digest != _digest(facts, arrays):
        raise Damaged(
            f"{path} is damaged, or was written by another version of dist_vad: its digest is not the right one"
        )
    return arrays, facts


def _digest(facts: str, arrays: Mapping[str, np.ndarray]) -> str:
    """The sha256 over facts, and over names, types, shapes and bytes of arrays."""
    whole = hashlib.sha256(facts.encode())
    for name in sorted(arrays):
        whole.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        whole.update(arrays[name].tobytes())
    return whole.hexdigest()
