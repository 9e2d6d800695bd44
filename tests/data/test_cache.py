"""Reading from a bucket gives the batches of a local disk, or one message: never a silent gap."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from launching import HELPERS, succeed
from loading import batches
from seaweed import BUCKET

from dist_vad.base.errors import InputError
from dist_vad.base.files import file_sha256
from dist_vad.data.cache import ShardCache
from dist_vad.data.manifest import Manifest, tar_name
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store


@pytest.fixture
def steps(small_sets) -> int:
    return 2 * Manifest.load(small_sets / "cube-train").samples // 8


@pytest.fixture
def expected(small_sets, steps):
    return batches(ShardSet(small_sets / "cube-train"), steps)


def largest(place: Path | str) -> int:
    return max(shard.bytes for shard in Manifest.load(place).shards)


def test_batches_are_those_of_the_local_disk_and_the_cache_is_bounded(written, small_sets, expected, steps, tmp_path):
    limit = 2 * largest(small_sets / "cube-train")
    shards = ShardSet(f"{written}/cube-train", ShardCache(tmp_path, limit))
    assert sum(shard.bytes for shard in shards.manifest.shards) > limit, "the set must not fit, to show anything"
    assert batches(shards, steps) == expected
    held = [path for path in tmp_path.iterdir() if path.suffix in (".tar", ".partial")]
    assert held and sum(path.stat().st_size for path in held) <= limit
    assert all(file_sha256(path) == path.stem for path in held if path.suffix == ".tar")


def test_what_is_there_is_not_fetched_again(written, proxy, monkeypatch, expected, steps, tmp_path):
    cache = ShardCache(tmp_path, 10**9)
    batches(ShardSet(f"{written}/cube-train", cache), steps)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    fetched = []
    proxy.inject(lambda method, path, number: fetched.append(path) if path.split("?")[0].endswith(".tar") else None)
    assert batches(ShardSet(f"{written}/cube-train", cache), steps) == expected
    assert fetched == []


def test_reading_processes_give_the_same_batches_through_the_cache(written, small_sets, expected, steps, tmp_path):
    cache = ShardCache(tmp_path, 2 * largest(small_sets / "cube-train"))
    assert batches(ShardSet(f"{written}/cube-train", cache), steps, processes=2) == expected


def test_503s_and_cut_bodies_change_no_batch_and_what_came_is_not_fetched_twice(
    written, proxy, monkeypatch, expected, steps, tmp_path
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    met = []

    def choose(method: str, path: str, number: int):
        if method == "GET" and path.split("?")[0].endswith(".tar"):
            met.append(path)
            return {1: "slow down", 2: "cut body", 3: "drop"}.get(met.count(path))
        return None

    proxy.inject(choose)
    assert batches(ShardSet(f"{written}/cube-train", ShardCache(tmp_path, 10**9)), steps) == expected
    assert {"GET slow down", "GET cut body", "GET drop"} <= set(proxy.done)


def test_a_body_that_breaks_off_is_gone_on_with_at_that_byte(written, small_sets, tmp_path):
    shard = Manifest.load(small_sets / "cube-train").shards[0]
    whole = (small_sets / "cube-train" / tar_name(shard)).read_bytes()
    (tmp_path / "part").write_bytes(b"what came first" + whole[15:1000])
    open_store(f"{written}/cube-train").fetch(tar_name(shard), tmp_path / "part", len(whole))
    assert (tmp_path / "part").read_bytes() == b"what came first" + whole[15:]


def test_a_server_killed_and_restarted_in_the_middle_changes_no_batch(server, written, expected, steps, tmp_path):
    shards = ShardSet(f"{written}/cube-train", ShardCache(tmp_path, 2 * largest(f"{written}/cube-train")))
    server.kill()
    restart = threading.Timer(3, server.start)
    restart.start()
    try:
        assert batches(shards, steps) == expected
    finally:
        restart.join()


def test_a_shard_that_is_damaged_in_the_bucket_is_named_and_the_run_stops(server, written, prefix, tmp_path):
    shard = Manifest.load(f"{written}/cube-train").shards[1]
    key = f"{prefix}/cube-train/{tar_name(shard)}"
    content = bytearray(server.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())
    content[len(content) // 2] ^= 1
    server.client().put_object(Bucket=BUCKET, Key=key, Body=bytes(content))
    shards = ShardSet(f"{written}/cube-train", ShardCache(tmp_path, 10**9))
    with pytest.raises(InputError, match=rf"{tar_name(shard)} arrived 3 times with sha256 .*--repair"):
        shards.read(np.arange(len(shards)))
    assert not (tmp_path / f"{shard.sha256}.tar").exists()


def test_a_missing_shard_is_named(server, written, prefix, tmp_path):
    shard = Manifest.load(f"{written}/cube-train").shards[0]
    server.client().delete_object(Bucket=BUCKET, Key=f"{prefix}/cube-train/{tar_name(shard)}")
    shards = ShardSet(f"{written}/cube-train", ShardCache(tmp_path, 10**9))
    with pytest.raises(InputError, match=f"{tar_name(shard)} is missing, but the manifest lists it"):
        shards.read(np.arange(2))


def test_a_cache_too_small_for_one_shard_is_refused_with_the_numbers(written, tmp_path):
    need = largest(f"{written}/cube-train")
    with pytest.raises(InputError, match=f"may hold {need - 1} bytes, but shard .* has {need}; raise cache.gigabytes"):
        ShardSet(f"{written}/cube-train", ShardCache(tmp_path, need - 1))


READER = """
import hashlib, sys
from pathlib import Path
from loading import batches
from dist_vad.data.cache import ShardCache
from dist_vad.data.shardset import ShardSet
shards = ShardSet(sys.argv[1], ShardCache(Path(sys.argv[2]), int(sys.argv[3])))
print(hashlib.sha256(repr(batches(shards, int(sys.argv[4]))).encode()).hexdigest())
"""


def test_processes_share_a_cache_that_is_too_small_for_all_of_them(written, expected, steps, tmp_path):
    command = [
        sys.executable,
        "-c",
        READER,
        f"{written}/cube-train",
        str(tmp_path),
        str(2 * largest(f"{written}/cube-train")),
    ]
    readers = [
        subprocess.Popen([*command, str(steps)], cwd=HELPERS, stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(3)
    ]
    printed = {reader.communicate(timeout=120)[0].strip() for reader in readers}
    import hashlib

    assert printed == {hashlib.sha256(repr(expected).encode()).hexdigest()}


def test_a_killed_process_leaves_a_cache_that_others_can_use(written, expected, steps, tmp_path):
    command = [sys.executable, "-c", READER, f"{written}/cube-train", str(tmp_path), "1000000000", str(steps)]
    reader = subprocess.Popen(command, cwd=HELPERS, stdout=subprocess.PIPE, env=os.environ)
    while not list(tmp_path.glob("*.tar")):
        time.sleep(0.01)
    reader.kill()
    reader.wait()
    assert batches(ShardSet(f"{written}/cube-train", ShardCache(tmp_path, 10**9)), steps) == expected


@pytest.mark.slow
def test_a_curriculum_trained_and_scored_from_a_bucket_is_that_of_the_local_disk(
    server, prefix, url, tiny_shards, tiny_config, tmp_path
):
    for path in sorted(tiny_shards.rglob("*")):
        if path.is_file():
            name = path.relative_to(tiny_shards).as_posix()
            server.client().put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=path.read_bytes())
    where = {"local": str(tiny_shards), "bucket": url}
    for name, shards in where.items():
        arguments = ["--config", str(tiny_config), "--run", str(tmp_path / name), "--shards", shards]
        arguments += ["--cache.folder", str(tmp_path / "cache"), "--cache.gigabytes", "0.05"]
        succeed("launch/progressive.py", *arguments)
        succeed("launch/evaluate.py", *arguments)
    local, bucket = (json.loads((tmp_path / name / "metrics.json").read_text())["rows"] for name in where)
    assert local == bucket
