"""Push a state to a folder, a bucket or a hub, with a model card; whoever pulls it scores with the same bits.

dist-vad push STATE PLACE [--licence TEXT] [--private true]
"""

from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import Command, Option, parse


@dataclass(kw_only=True)
class PushSettings:
    """What is said of a state that is pushed."""

    licence: str | None = None
    """Licence of the data that it was trained on, for the model card."""
    private: bool = False
    """A repository that is made on a hub is private."""


PLACES = Option(
    "what",
    str,
    [],
    "folder of a state, and where to push it: a folder, s3://BUCKET/PREFIX, hf://USER/NAME",
    positional=True,
)
COMMAND = Command(PushSettings, "Push a state to a folder, a bucket or a hub.", options=(PLACES,))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if len(options.what) != 2:
        raise InputError(f"{len(options.what)} words are given, expected two; usage: dist-vad push STATE PLACE")
    from dist_vad.curriculum.state import read_state
    from dist_vad.inference.travel import push

    folder, place = options.what
    names = push(read_state(Path(folder).expanduser()), place, settings.licence, settings.private)
    print(f"pushed to {place}: {', '.join(names)}")
