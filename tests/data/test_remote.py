"""Places of fsspec as stores: the same promises as of a folder; an unknown scheme is refused."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.data.cache import ShardCache
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import LocalStore, open_store
from dist_vad.data.store.remote import PACKAGES, RemoteStore

NAMES = st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.bin", fullmatch=True)
SCHEMES = st.from_regex(r"[a-z][a-z0-9+.-]{0,8}", fullmatch=True).filter(lambda name: name not in ("s3", *PACKAGES))


@pytest.fixture
def memory() -> RemoteStore:
    """A store in fsspec's file system of this process' memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    return RemoteStore(system, "memory", "bucket/prefix")


@given(SCHEMES, st.sampled_from(["bucket/a", "/a", "a b/c", ""]))
def test_an_unknown_scheme_is_refused_by_name(scheme, rest):
    with pytest.raises(InputError, match="begins like an address; allowed: a folder of this machine, s3://, gs://"):
        open_store(f"{scheme}://{rest}")


@pytest.mark.parametrize("place", ["runs/a", "/a/b", "./a", "~/a", "a:b", "10:30/x"])
def test_a_path_is_a_folder(place):
    assert isinstance(open_store(place), LocalStore)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=99), max_size=5))
def test_what_is_put_is_what_a_folder_would_hold(tmp_path_factory, files):
    system = fsspec.filesystem("memory")
    system.store.clear()
    remote, local = RemoteStore(system, "memory", "b/p"), LocalStore(tmp_path_factory.mktemp("local"))
    for store in (remote, local):
        for name, content in files.items():
            store.put(name, content)
    assert remote.sizes() == local.sizes()
    for name in files:
        assert remote.read(name) == local.read(name) and remote.size(name) == local.size(name)
        remote.delete(name)
    assert remote.sizes() == {} and remote.size("a.bin") is None


def test_a_file_that_is_not_there_is_not_found(memory):
    with pytest.raises(FileNotFoundError):
        memory.read("none")
    memory.delete("none")


def test_a_copy_goes_on_at_the_byte_where_it_ends(memory, tmp_path):
    memory.put("a", b"0123456789")
    part = tmp_path / "a"
    part.write_bytes(b"01234")
    memory.fetch("a", part, 10)
    assert part.read_bytes() == b"0123456789"


def test_a_place_that_fails_is_named_with_the_cause(memory, monkeypatch):
    def refuse(*_: object) -> bytes:
        raise PermissionError("no token")

    monkeypatch.setattr(memory.system, "cat_file", refuse)
    with pytest.raises(InputError, match=r"reading memory://bucket/prefix/a failed: PermissionError: no token"):
        memory.read("a")


def test_shards_are_read_through_the_cache_as_from_a_folder(tiny_shards, memory, tmp_path):
    for path in (tiny_shards / "cube-val").iterdir():
        memory.put_file(path.name, path)
    here, there = ShardSet(tiny_shards / "cube-val"), ShardSet(memory, ShardCache(tmp_path, 10**9))
    ids = np.arange(8)
    assert here.read(ids).clips.numpy().tobytes() == there.read(ids).clips.numpy().tobytes()


def test_a_web_server_can_be_read_and_not_written(tiny_shards, tmp_path):
    pytest.importorskip("aiohttp")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tiny_shards))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        store = open_store(f"http://127.0.0.1:{server.server_port}/cube-val")
        here, there = ShardSet(tiny_shards / "cube-val"), ShardSet(store, ShardCache(Path(tmp_path), 10**9))
        assert here.read(np.arange(4)).labels.tolist() == there.read(np.arange(4)).labels.tolist()
        assert store.size("nothing") is None
        with pytest.raises(InputError, match="can only be read"):
            store.put("a", b"")
    finally:
        server.shutdown()
