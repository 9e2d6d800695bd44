"""States that travel: pushed whole to a folder, a bucket or a hub, and pulled from there."""

import tempfile
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.files import write_bytes
from dist_vad.base.sealed_arrays import read_arrays
from dist_vad.curriculum.state import STATE, State, read_state
from dist_vad.data.store import open_store
from dist_vad.data.store.base import Store
from dist_vad.inference.model_card import write_card
from dist_vad.inference.places import CALIBRATION, FILES, local_state

HUB = "hf://"
CARD = "README.md"


def push(state: State, place: str, licence: str | None = None, private: bool = False) -> list[str]:
    """Copy the folder of a state, with a model card, to a place; returns the names of the files.

    What names paths and hosts of this machine, such as `run.json`, stays here.

    Args:
        place: a folder, s3://BUCKET/PREFIX and the like, or hf://USER/NAME: a repository of Hugging Face's hub, which
            is made if it is not there.
        licence: of the data, for the card.
        private: whether a repository that is made is private.

    Raises InputError where the state is not whole, or where the place refuses it.
    """
    state.load()  # what is damaged does not travel
    files = {name: state.folder / name for name in FILES if name != CARD and (state.folder / name).is_file()}
    if CALIBRATION not in files:
        raise InputError(
            f"{state.folder} has no {CALIBRATION}, without which it scores nothing elsewhere: score a video with it "
            "once, on the machine that trained it, then push again"
        )
    read_arrays(files[CALIBRATION])
    with tempfile.TemporaryDirectory() as folder:
        write_card(state, Path(folder) / CARD, licence)
        files[CARD] = Path(folder) / CARD
        if place.startswith(HUB):
            _push_to_hub(files, place.removeprefix(HUB), private)
        else:
            _push_to_store(files, open_store(place))
    return list(files)


def _push_to_store(files: dict[str, Path], store: Store) -> None:
    """Files of a state to a folder or a bucket, that which makes it one last. Raises InputError where another lies
    there, or a page of the user's own."""
    own = next((name for name in (STATE, CARD) if store.size(name) is not None), None)
    if own and store.read(own) != files[own].read_bytes():  # the page of the same state may say more now
        raise InputError(f"{store.where(own)} is there and is another one; give another place, or remove it")
    for name in sorted(files, key=lambda name: name == STATE):
        store.put_file(name, files[name])


def pull(place: str, folder: Path) -> State:
    """Copy a state from a place to a folder of this machine, verified. Raises InputError where it is not whole there,
    or where something else lies in the folder."""
    state = read_state(local_state(place))
    state.load()
    if (state.folder / CALIBRATION).is_file():
        read_arrays(state.folder / CALIBRATION)
    for path in [path for name in FILES if (path := state.folder / name).is_file()]:
        there, content = folder / path.name, path.read_bytes()
        if there.is_file() and there.read_bytes() != content:
            raise InputError(f"{there} is there and is another one; give another folder, or remove it")
        write_bytes(there, content)
    return read_state(folder)


def _push_to_hub(files: dict[str, Path], name: str, private: bool) -> None:
    """One commit with all files, in a repository of the hub that HF_ENDPOINT names."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.create_repo(name, private=private, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=own, path_or_fileobj=str(path)) for own, path in files.items()]
        api.create_commit(name, operations, commit_message="A state of dist_vad")
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"pushing to {HUB}{name} failed: {first}; look at HF_TOKEN (`hf auth login` makes one) and at HF_ENDPOINT"
        ) from error
