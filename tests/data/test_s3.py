"""Shard sets in a bucket: the bytes that a local folder would hold, whatever the network and the server go through."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from launching import HELPERS, called
from miniature import QUIET, contents, settings_of
from seaweed import free_ports

from dist_vad.base.errors import UNAVAILABLE, InputError, Unavailable
from dist_vad.cli import verify, write
from dist_vad.data.manifest import Manifest
from dist_vad.data.store import open_store, s3
from dist_vad.producer import pack
from dist_vad.producer.job import WriteOptions, write_shards


def run_write(monkeypatch, capfd, *arguments: str) -> tuple[int, str, float]:
    """Exit status, stderr and seconds of `dist-vad shards write ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["write.py", *arguments])
    began, status = time.monotonic(), 0
    try:
        write.main()
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    error = capfd.readouterr().err
    assert "Traceback" not in error
    return status, error, time.monotonic() - began


# -- the same bytes


def test_a_bucket_holds_what_a_folder_would_hold(server, small_dataset, small_sets, prefix, url, tmp_path):
    left = tmp_path / "scratch/dist_vad-scratch-of-a-killed-process"
    left.mkdir(parents=True)
    (left / "half.tar").write_bytes(b"")
    os.utime(left, (0, 0))
    sets = write_shards(small_dataset, url, WriteOptions(progress=False, scratch=tmp_path / "scratch"))
    assert server.contents(prefix) == contents(small_sets)
    assert sets == {name: f"{url}/{name}" for name in ("cube-train", "cube-val", "cube-test")}
    assert Manifest.load(sets["cube-train"]) == Manifest.load(small_sets / "cube-train")
    assert list((tmp_path / "scratch").iterdir()) == [], "scratch files left"
    before = server.times(prefix)
    write_shards(small_dataset, url, QUIET)
    assert server.times(prefix) == before, "a finished set was written again"


def test_a_set_of_other_settings_is_refused(small_dataset, written):
    with pytest.raises(InputError, match=r"context was 0\.1, now 0\.5.*choose another --out"):
        write_shards(settings_of(Path(small_dataset.root or ""), context=0.5), written, QUIET)


def test_503s_and_cut_connections_change_no_byte(server, proxy, monkeypatch, small_dataset, small_sets, prefix, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    faults = {3: "slow down", 8: "drop", 13: "drop answer", 18: "lose", 23: "slow down", 28: "drop answer", 33: "drop"}
    met = set()

    def choose(method: str, path: str, number: int):
        if method == "GET" and "list-type" not in path and path not in met:
            met.add(path)  # the first attempt to read anything is cut short
            return "cut body"
        return faults.get(number) if method in ("PUT", "HEAD", "GET") else None

    proxy.inject(choose)
    write_shards(small_dataset, url, QUIET)
    assert server.contents(prefix) == contents(small_sets)
    kinds = {fault.split(maxsplit=1)[1] for fault in proxy.done}
    assert kinds >= {"slow down", "drop", "drop answer", "cut body"} and len(proxy.done) > 10, proxy.done


def test_two_ranks_into_one_bucket_write_what_one_writes(server, small_dataset, small_sets, prefix, url):
    script = (
        "import sys; from pathlib import Path; from miniature import settings_of\n"
        "from dist_vad.producer.ranks import Rank\n"
        "from dist_vad.producer.job import WriteOptions, write_shards\n"
        "write_shards(settings_of(Path(sys.argv[1])), sys.argv[2], WriteOptions(Rank.of(), progress=False))"
    )
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(small_dataset.root), url],
            cwd=HELPERS,
            env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"},
        )
        for rank in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    assert server.contents(prefix) == contents(small_sets)


# -- the server dies


def after_samples(monkeypatch, count: int, action) -> None:
    """Do something once, when the producer encodes a certain sample."""
    encode, left = pack.encode, [count]

    def counted(clip, codec):
        left[0] -= 1
        if left[0] == 0:
            action()
        return encode(clip, codec)

    monkeypatch.setattr(pack, "encode", counted)


def test_the_producer_outlives_a_server_that_is_killed_and_started_again(
    server, monkeypatch, small_dataset, small_sets, prefix, url
):
    again = threading.Timer(1, server.start)

    def die() -> None:
        server.kill()
        again.start()

    after_samples(monkeypatch, 15, die)
    write_shards(small_dataset, url, QUIET)
    again.join()
    assert server.contents(prefix) == contents(small_sets)


def test_a_server_that_stays_away_ends_the_producer_and_the_next_start_goes_on(
    server, monkeypatch, small_dataset, small_sets, prefix, url
):
    with monkeypatch.context() as impatient:
        impatient.setattr(s3, "WORK", s3.PROBE)
        impatient.setattr(s3, "PATIENCE", 0)
        after_samples(impatient, 15, server.kill)
        with pytest.raises(Unavailable, match=rf"{url}/cube-\w+/\S+ at {server.url} failed: Could not connect"):
            write_shards(small_dataset, url, QUIET)
    server.start()
    before = server.times(prefix)
    assert any("/.done/" in name for name in before) and not any("manifest" in name for name in before)
    time.sleep(1.1)  # the server tells whole seconds
    write_shards(small_dataset, url, QUIET)
    assert server.contents(prefix) == contents(small_sets)
    done = [Path(name).stem for name in before if "/.done/" in name]
    kept = [name for name in before if Path(name).stem.rpartition("-")[0] in done]
    after = server.times(prefix)
    assert kept and all(after[name] == before[name] for name in kept), "a video that was done was written again"


# -- what a user can do wrong


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId.*AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "credentials.*AWS_ACCESS_KEY_ID"),
        ({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_ports(1)[0]}"}, "Could not connect.*AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense.*AWS_ENDPOINT_URL"),
        ({"out": "s3://no-such-bucket/there"}, "s3://no-such-bucket/there at .*NoSuchBucket.*create the bucket"),
        ({"out": "s3:///there"}, "names no bucket"),
    ],
)
def test_what_cannot_work_ends_with_one_message_in_seconds(monkeypatch, capfd, small_dataset, url, change, named):
    out = change.pop("out", url)
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    arguments = ["--dataset", "folder", "--root", str(small_dataset.root), "--virtual", "none", "--out", out]
    status, error, seconds = run_write(monkeypatch, capfd, *arguments)
    # Without an answer nobody can tell a wrong address from a server that is down.
    ended = UNAVAILABLE if "Could not connect" in named else 2
    assert status == ended and seconds < 15
    assert error.startswith("error: ") and error.count("\n") == 1 and re.search(named, error), error
    status, _, error = called(verify.main, monkeypatch, capfd, out)
    assert status == ended and re.search(named, error), error


# -- single objects


def test_a_large_object_survives_every_kind_of_fault(server, proxy, monkeypatch, prefix, url, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    (tmp_path / "large").write_bytes(os.urandom(2 * s3.PART + 1000))
    store = open_store(url)
    first = {
        "PUT": ["slow down", "drop", "drop answer"],
        "POST": ["drop answer"],
        "HEAD": ["drop"],
        "GET": ["cut body", "slow down", "cut body", "drop"],
    }
    proxy.inject(lambda method, path, number: first[method].pop(0) if first.get(method) else None)
    store.put_file("large", tmp_path / "large")
    assert server.contents(prefix) == {"large": (tmp_path / "large").read_bytes()} == {"large": store.read("large")}
    assert not any(first.values()) and store.sizes() == {"large": 2 * s3.PART + 1000}
    store.delete("large")
    assert store.sizes() == {} and store.size("large") is None
    with pytest.raises(FileNotFoundError):
        store.read("large")


def test_what_never_arrives_whole_is_no_success(proxy, monkeypatch, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setattr(s3, "TRIES", 2)
    store = open_store(url)
    store.put("there", b"x" * 1000)
    proxy.inject(lambda method, path, number: {"PUT": "lose", "GET": "cut body"}.get(method))
    with pytest.raises(Unavailable, match=rf"reading {url}/there at {proxy.url} failed: .*500"):
        store.read("there")
    with pytest.raises(Unavailable, match=rf"writing {url}/new at {proxy.url} failed: nothing there after 3 bytes"):
        store.put("new", b"abc")
    with pytest.raises(Unavailable, match=rf"writing {url}/there at {proxy.url} failed: 1000 bytes there after 3 "):
        store.put("there", b"abc")
    with pytest.raises(Unavailable, match=rf"writing {url}/there at {proxy.url} failed: .* bytes .*attempts"):
        store.put("there", b"y" * 1000)
