"""Shard sets in a bucket: the bytes that a local folder would hold, whatever the network and the server go through."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from miniature import QUIET, contents, make_folder, settings_of
from seaweed import BUCKET, KEY, SECRET, CannotStartError, Seaweed, free_ports
from test_verify import run_verify

import shards.pack
import shards.write
from dist_vad import s3
from dist_vad.config import DataSettings
from dist_vad.errors import InputError
from dist_vad.manifest import Manifest
from dist_vad.store import open_store
from shards.job import How, write_shards


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    try:
        server = Seaweed(tmp_path_factory.mktemp("seaweed"))
    except CannotStartError as error:
        pytest.skip(f"NOTHING OF S3 IS TESTED: {error}")
    yield server
    server.kill()


@pytest.fixture
def proxy(server):
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture(autouse=True)
def environment(server, monkeypatch, tmp_path) -> None:
    """Nothing of whoever runs the tests: no endpoint, key or profile."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def prefix(tmp_path) -> str:
    """A prefix of this test's own."""
    return f"deep/{tmp_path.name}"


@pytest.fixture
def url(prefix) -> str:
    return f"s3://{BUCKET}/{prefix}"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DataSettings:
    return make_folder(tmp_path_factory.mktemp("data"), train=3, count=20)


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory) -> Path:
    """The same sets in a local folder."""
    out = tmp_path_factory.mktemp("alone")
    write_shards(dataset, out, QUIET)
    return out


@pytest.fixture
def written(server, alone, prefix, url) -> str:
    """The sets in the bucket, put there by other means."""
    for name, content in contents(alone).items():
        server.client().put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)
    return url


def times(server: Seaweed, prefix: str) -> dict[str, object]:
    """When each object below a prefix was written, by its name after that."""
    listed = server.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", ())
    return {entry["Key"][len(prefix) + 1 :]: entry["LastModified"] for entry in listed}


def run_write(monkeypatch, capfd, *arguments: str) -> tuple[int, str, float]:
    """Exit status, stderr and seconds of `python shards/write.py ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["write.py", *arguments])
    began, status = time.monotonic(), 0
    try:
        shards.write.main()
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    error = capfd.readouterr().err
    assert "Traceback" not in error
    return status, error, time.monotonic() - began


# -- the same bytes


def test_a_bucket_holds_what_a_folder_would_hold(server, dataset, alone, prefix, url, tmp_path):
    left = tmp_path / "scratch/dist_vad-scratch-of-a-killed-process"
    left.mkdir(parents=True)
    (left / "half.tar").write_bytes(b"")
    os.utime(left, (0, 0))
    sets = write_shards(dataset, url, How(progress=False, scratch=tmp_path / "scratch"))
    assert server.contents(prefix) == contents(alone)
    assert sets == {name: f"{url}/{name}" for name in ("cube-train", "cube-val", "cube-test")}
    assert Manifest.load(sets["cube-train"]) == Manifest.load(alone / "cube-train")
    assert list((tmp_path / "scratch").iterdir()) == [], "scratch files left"
    before = times(server, prefix)
    write_shards(dataset, url, QUIET)
    assert times(server, prefix) == before, "a finished set was written again"


def test_a_set_of_other_settings_is_refused(dataset, written):
    with pytest.raises(InputError, match=r"context was 0\.1, now 0\.5.*choose another --out"):
        write_shards(settings_of(Path(dataset.root or ""), context=0.5), written, QUIET)


def test_503s_and_cut_connections_change_no_byte(server, proxy, monkeypatch, dataset, alone, prefix, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    faults = {3: "slow down", 8: "drop", 13: "drop answer", 18: "lose", 23: "slow down", 28: "drop answer", 33: "drop"}
    met = set()

    def choose(method: str, path: str, number: int):
        if method == "GET" and "list-type" not in path and path not in met:
            met.add(path)  # the first attempt to read anything is cut short
            return "cut body"
        return faults.get(number) if method in ("PUT", "HEAD", "GET") else None

    proxy.inject(choose)
    write_shards(dataset, url, QUIET)
    assert server.contents(prefix) == contents(alone)
    kinds = {fault.split(maxsplit=1)[1] for fault in proxy.done}
    assert kinds >= {"slow down", "drop", "drop answer", "cut body"} and len(proxy.done) > 10, proxy.done


def test_two_ranks_into_one_bucket_and_a_third_start(server, dataset, alone, prefix, url):
    script = (
        "import sys; from pathlib import Path; from miniature import settings_of; from shards.ranks import Rank\n"
        "from shards.job import How, write_shards\n"
        "write_shards(settings_of(Path(sys.argv[1])), sys.argv[2], How(Rank.of(), progress=False))"
    )
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(dataset.root), url],
            cwd=Path(__file__).parent,
            env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"},
        )
        for rank in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    assert server.contents(prefix) == contents(alone)


# -- the server dies


def after_samples(monkeypatch, count: int, action) -> None:
    """Do something once, when the producer encodes a certain sample."""
    encode, left = shards.pack.encode, [count]

    def counted(clip, codec):
        left[0] -= 1
        if left[0] == 0:
            action()
        return encode(clip, codec)

    monkeypatch.setattr(shards.pack, "encode", counted)


def test_the_producer_outlives_a_server_that_is_killed_and_started_again(
    server, monkeypatch, dataset, alone, prefix, url
):
    again = threading.Timer(1, server.start)

    def die() -> None:
        server.kill()
        again.start()

    after_samples(monkeypatch, 15, die)
    write_shards(dataset, url, QUIET)
    again.join()
    assert server.contents(prefix) == contents(alone)


def test_a_server_that_stays_away_ends_the_producer_and_the_next_start_goes_on(
    server, monkeypatch, dataset, alone, prefix, url
):
    with monkeypatch.context() as impatient:
        impatient.setattr(s3, "WORK", s3.PROBE)
        after_samples(impatient, 15, server.kill)
        with pytest.raises(InputError, match=rf"{url}/cube-\w+/\S+ at {server.url} failed: Could not connect"):
            write_shards(dataset, url, QUIET)
    server.start()
    before = times(server, prefix)
    assert any("/.done/" in name for name in before) and not any("manifest" in name for name in before)
    time.sleep(1.1)  # the server tells whole seconds
    write_shards(dataset, url, QUIET)
    assert server.contents(prefix) == contents(alone)
    done = [Path(name).stem for name in before if "/.done/" in name]
    kept = [name for name in before if Path(name).stem.rpartition("-")[0] in done]
    after = times(server, prefix)
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
def test_what_cannot_work_ends_with_one_message_in_seconds(monkeypatch, capfd, dataset, url, change, named):
    out = change.pop("out", url)
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    arguments = ["--dataset", "folder", "--root", str(dataset.root), "--virtual", "none", "--out", out]
    status, error, seconds = run_write(monkeypatch, capfd, *arguments)
    assert status == 2 and seconds < 15
    assert error.startswith("error: ") and error.count("\n") == 1 and re.search(named, error), error
    status, _, error = run_verify(monkeypatch, capfd, out)
    assert status == 2 and re.search(named, error), error


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
    with pytest.raises(InputError, match=rf"reading {url}/there at {proxy.url} failed: .*500"):
        store.read("there")
    with pytest.raises(InputError, match=rf"writing {url}/new at {proxy.url} failed: nothing there after 3 bytes"):
        store.put("new", b"abc")
    with pytest.raises(InputError, match=rf"writing {url}/there at {proxy.url} failed: 1000 bytes there after 3 "):
        store.put("there", b"abc")
    with pytest.raises(InputError, match=rf"writing {url}/there at {proxy.url} failed: ETag .* there, expected"):
        store.put("there", b"y" * 1000)


# -- verify and repair, in a bucket and in a folder


@pytest.fixture(params=["folder", "bucket"])
def copy(request, alone, tmp_path):
    """(where a copy of the sets lies, as a store, to be damaged)."""
    if request.param == "folder":
        return open_store(Path(shutil.copytree(alone, tmp_path / "copy")))
    return open_store(request.getfixturevalue("written"))


def everything(store) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.sizes()}


def changed(store, server, prefix) -> dict[str, object]:
    """When each file was last written."""
    if store.where().startswith("s3://"):
        return times(server, prefix)
    return {name: (store.folder / name).stat().st_mtime_ns for name in store.sizes()}


def names(alone: Path, name: str, ending: str) -> list[str]:
    """Files of a set that end so."""
    return sorted(f"{name}/{path.name}" for path in (alone / name).glob(f"*{ending}"))


def test_verify_finds_what_is_truncated_missing_and_strange(monkeypatch, capfd, alone, copy):
    status, out, _ = run_verify(monkeypatch, capfd, copy.where())
    assert status == 0 and out.count("whole") == 3
    tars = names(alone, "cube-train", ".tar")
    copy.put(tars[0], copy.read(tars[0])[:-1024])
    copy.delete(tars[1])
    copy.put("cube-train/stray-0000.tar", b"")
    status, out, _ = run_verify(monkeypatch, capfd, copy.where())
    assert status == 1 and "3 things are wrong; pass --repair" in out
    for name, what in zip([*tars[:2], "cube-train/stray-0000.tar"], [r"\d+ bytes, expected \d+", "missing", "found"]):
        assert re.search(rf"wrong: {re.escape(copy.where(name))}: {what}", out), out


def test_repair_restores_the_very_bytes_and_touches_nothing_else(
    monkeypatch, capfd, server, prefix, dataset, alone, copy, tmp_path
):
    tars, indexes = names(alone, "cube-train", ".tar"), names(alone, "cube-test", ".idx")
    copy.put(tars[0], copy.read(tars[0])[:-1024])
    copy.delete(tars[-1])
    copy.put(indexes[0], b"damaged")
    copy.put("cube-train/stray-0000.tar", b"mine")
    broken = {tars[0], tars[-1], indexes[0]}
    before = changed(copy, server, prefix)
    time.sleep(1.1)
    moved = shutil.copytree(str(dataset.root), tmp_path / "moved")
    status, out, error = run_verify(monkeypatch, capfd, copy.where(), "--repair", "--root", str(moved))
    assert status == 1 and "wrong: " + copy.where("cube-train/stray-0000.tar") in out and "1 thing is wrong" in out
    assert {line.removeprefix("repaired: ") for line in error.splitlines() if line.startswith("repaired: ")} == {
        copy.where(name) for name in broken
    }
    assert everything(copy) == {**contents(alone), "cube-train/stray-0000.tar": b"mine"}
    after = changed(copy, server, prefix)
    assert {name for name in after if after[name] != before.get(name)} == broken
    copy.delete("cube-train/stray-0000.tar")
    assert run_verify(monkeypatch, capfd, copy.where(), "--repair")[0] == 0


def test_repair_refuses_what_would_not_give_the_same_bytes(monkeypatch, capfd, dataset, alone, copy, tmp_path):
    copy.delete(names(alone, "cube-test", ".tar")[0])
    damaged = everything(copy)

    def refusal(root: Path) -> str:
        status, _, error = run_verify(monkeypatch, capfd, copy.where(), "--repair", "--root", str(root))
        assert status == 2 and everything(copy) == damaged
        return error

    other = make_folder(tmp_path / "other", train=3, test=2, count=20)
    assert "cannot be repaired" in (said := refusal(Path(str(other.root)))) and "other videos" in said
    alike = Path(shutil.copytree(str(dataset.root), tmp_path / "alike"))
    pictures = sorted((alike / "test/b_0").iterdir())
    content, size = pictures[0].read_bytes(), pictures[5].stat().st_size
    assert len(content) <= size
    pictures[5].write_bytes(content.ljust(size, b"\0"))  # another picture, with the name and the size of this one
    assert "gives other bytes than its manifest.json says" in refusal(alike)


def test_a_manifest_that_is_missing_or_damaged_cannot_be_repaired(monkeypatch, capfd, alone, copy):
    copy.delete(names(alone, "cube-train", ".tar")[0])
    for damage in (lambda: copy.put("cube-test/manifest.json", b"{"), lambda: copy.delete("cube-test/manifest.json")):
        damage()
        status, _, error = run_verify(monkeypatch, capfd, copy.where(), "--repair")
        assert status == 2 and "cannot be repaired" in error and "start shards/write.py again" in error
