"""Pull a state from a folder, a bucket, a hub or a web server, verified by its digest.

dist-vad pull PLACE DIR
"""

from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import Command, Option, parse


@dataclass(kw_only=True)
class PullSettings:
    """There is nothing to set."""


PLACES = Option(
    "what", str, [], "where the state lies, such as hf://USER/NAME, and the folder to copy it to", positional=True
)
COMMAND = Command(PullSettings, "Pull a state from a folder, a bucket, a hub or a web server.", options=(PLACES,))


@entry_point
def main() -> None:
    _, options = parse(COMMAND)
    if len(options.what) != 2:
        raise InputError(f"{len(options.what)} words are given, expected two; usage: dist-vad pull PLACE DIR")
    from dist_vad.inference.travel import pull

    place, folder = options.what
    state = pull(place, Path(folder).expanduser())
    print(f"state: {state.folder} ({', '.join(state.tasks)}); dist-vad score VIDEO --state {folder}")
