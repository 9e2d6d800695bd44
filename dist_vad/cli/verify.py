"""Check every shard set below a folder: presence, sizes, sha256, counts, and every member against its index.

python shards/verify.py DIR|s3://BUCKET/PREFIX [--repair [--root DIR]]

With --repair, videos whose shards are missing or damaged are cut anew, with the settings in the manifest.
"""

import argparse
import sys
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.store import open_store
from dist_vad.producer.repair import check_manifests, repair_set
from dist_vad.producer.verify import find_faults, sets_below


@entry_point
def main() -> None:
    usage = "python shards/verify.py DIR|s3://BUCKET/PREFIX [--repair [--root DIR] [--scratch DIR]]"
    parser = argparse.ArgumentParser(usage=usage, description="Check every shard set below a folder.")
    parser.add_argument("place", help="a folder, or s3://bucket/prefix, with one or more shard sets")
    parser.add_argument("--repair", action="store_true", help="cut videos anew whose shards are missing or damaged")
    parser.add_argument("--root", help="for --repair: where the data set lies now, if it has moved since")
    parser.add_argument("--scratch", type=Path, help="for --repair: folder for the video in work (the system's own)")
    options = parser.parse_args()
    if not options.repair and (options.root or options.scratch):
        raise InputError("--root and --scratch are given without --repair; add it, or leave them out")
    root = open_store(options.place)
    sets = sets_below(root)
    if not sets:
        raise InputError(
            f"no shard set below {root.where()}; expected folders with {MANIFEST} as shards/write.py makes them"
        )
    faults = [list(find_faults(store)) for store in sets]
    if options.repair:
        check_manifests(sets, faults)
        faults = [repair_set(store, some, options.root, options.scratch) for store, some in zip(sets, faults)]
    wrong = [fault.text for some in faults for fault in some]
    for line in wrong:
        print(f"wrong: {line}")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        advice = "pass --repair to cut damaged videos anew, or " * (not options.repair)
        print(f"{things} wrong; {advice}delete the folder of that set and start shards/write.py again")
        sys.exit(1)
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for store in sets:
        made = Manifest.load(store)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        print(f"{store.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}  whole")
