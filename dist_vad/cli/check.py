"""Look at a data set before any long job: what is there, what is missing, what does not match what was published.

python shards/check.py --data NAME --root DIR [--labels FILE] [--decode]
"""

import argparse
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.datasets import ADAPTERS
from dist_vad.producer.check import check
from dist_vad.settings.data import DataSettings


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True, choices=sorted(ADAPTERS), help="which data set")
    parser.add_argument("--root", required=True, help="its folder")
    parser.add_argument("--labels", help="for `folder`: the file with labels")
    parser.add_argument("--decode", action="store_true", help="count frames by decoding them, not as containers state")
    given = parser.parse_args()
    if not Path(given.root).is_dir():
        raise InputError(f"--root {given.root} does not exist; give the folder of the data set")
    settings = DataSettings(dataset=given.data, root=given.root, labels=given.labels, labels_mismatch="clip")
    if not check(settings, given.decode):
        raise InputError("the data set is not as published; see the lines above")
