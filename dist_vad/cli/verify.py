"""Check every shard set below a folder: presence, sizes, sha256, counts, and every member against its index.

dist-vad shards verify DIR|s3://BUCKET/PREFIX [--repair [--root DIR] [--scratch DIR]]

With --repair, videos whose shards are missing or damaged are cut anew, with the settings in the manifest.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import Command, Option, parse


@dataclass(kw_only=True)
class VerifySettings:
    """How shard sets are repaired."""

    root: str | None = None
    """For --repair: where the data set lies now, if it has moved since."""
    scratch: str | None = None
    """For --repair: folder for the video in work; not given = where the system has its temporary files."""


PLACE = Option("place", str, [], "a folder, or s3://bucket/prefix, with one or more shard sets", positional=True)
REPAIR = Option("repair", bool, False, "cut videos anew whose shards are missing or damaged")
COMMAND = Command(VerifySettings, "Check every shard set below a folder.", options=(PLACE, REPAIR))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if len(options.place) != 1:
        raise InputError(f"{len(options.place)} places are given, expected one; usage: dist-vad shards verify DIR")
    if not options.repair and (settings.root or settings.scratch):
        raise InputError("--root and --scratch are given without --repair; add it, or leave them out")
    from dist_vad.data.manifest import MANIFEST, Manifest
    from dist_vad.data.store import open_store
    from dist_vad.producer.repair import check_manifests, repair_set
    from dist_vad.producer.verify import find_faults, sets_below

    scratch = Path(settings.scratch) if settings.scratch else None
    root = open_store(options.place[0])
    sets = sets_below(root)
    if not sets:
        raise InputError(
            f"no shard set below {root.where()}; expected folders with {MANIFEST} as `dist-vad shards write` makes them"
        )
    faults = [list(find_faults(store)) for store in sets]
    if options.repair:
        check_manifests(sets, faults)
        faults = [repair_set(store, some, settings.root, scratch) for store, some in zip(sets, faults)]
    wrong = [fault.text for some in faults for fault in some]
    for line in wrong:
        print(f"wrong: {line}")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        advice = "pass --repair to cut damaged videos anew, or " * (not options.repair)
        print(f"{things} wrong; {advice}delete the folder of that set and start `dist-vad shards write` again")
        sys.exit(1)
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for store in sets:
        made = Manifest.load(store)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        print(f"{store.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}  whole")
