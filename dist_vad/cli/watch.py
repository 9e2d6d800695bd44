"""Watch cameras for as long as they run: events as they happen, snapshots, clips, a live page.

dist-vad watch cameras.yaml [--learn HOURS] [--KEY VALUE ...]
"""

import sys

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import Command, Option, parse
from dist_vad.settings.watch import WatchSettings

LEARN = Option(
    "learn", float, 0.0, "hours for which cameras without a state are recorded; then they are trained, and watched"
)
FILE = Option("file", str, [], "the file with the cameras; as with --config", positional=True)
COMMAND = Command(
    WatchSettings, "Watch cameras: events as they happen, snapshots, clips, a live page.", options=(FILE, LEARN)
)


@entry_point
def main() -> None:
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.argv[1:2] = ["--config", sys.argv[1]]
    settings, options = parse(COMMAND)
    if options.file or not settings.cameras:
        raise InputError("expected one file with cameras; usage: dist-vad watch cameras.yaml [--learn HOURS]")
    from dist_vad.watch.learning import learned_states
    from dist_vad.watch.run import watch

    states = learned_states(settings, options.learn)
    if states is not None:
        watch(settings, states)
