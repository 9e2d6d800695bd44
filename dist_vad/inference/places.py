"""States that lie elsewhere: fetched once, kept on this machine, and trusted by their digest as any other."""

import hashlib
import re
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.files import atomic_folder
from dist_vad.curriculum.state import MODEL, STATE
from dist_vad.data.store import Store, open_store
from dist_vad.settings.cache import CacheSettings

CALIBRATION = "calibration.safetensors"
FILES = (STATE, MODEL, CALIBRATION, "README.md")
"""What the folder of a state can hold."""


def local_state(place: Path | str) -> Path:
    """The folder of a state on this machine; one of a bucket or a hub is fetched, unless it was before.

    Raises InputError where there is no state at the place.
    """
    if not re.match(r"\w+://", str(place)):
        return Path(place).expanduser()
    store = open_store(str(place))
    try:
        described = store.read(STATE)
    except FileNotFoundError as error:
        raise InputError(f"no state at {place}: {STATE} is missing; expected the folder of one") from error
    # Asked one by one: a web server lists nothing.
    files = {name: size for name in FILES if (size := store.size(name)) is not None}
    name = hashlib.sha256(f"{place} {sorted(files.items())}".encode() + described).hexdigest()[:16]
    folder = CacheSettings().place / "states" / name
    if not folder.is_dir():
        fetch_state(store, files, folder)
    return folder


def fetch_state(store: Store, files: dict[str, int], folder: Path) -> None:
    """Copy the files of a state to a folder, which appears whole or not at all."""
    with atomic_folder(folder) as partial:
        for name, size in files.items():
            store.fetch(name, partial / name, size)
