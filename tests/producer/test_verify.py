"""shards/verify.py finds everything that can be wrong with a shard set, names it, and ends non-zero."""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from launching import called

from dist_vad.base.files import bytes_sha256
from dist_vad.base.sealed import SEAL, write_sealed
from dist_vad.cli import verify
from dist_vad.data.manifest import Manifest, index_path, tar_path


@pytest.fixture
def shards(tiny_shards, tmp_path) -> Path:
    """A copy of every set, to be damaged."""
    return Path(shutil.copytree(tiny_shards, tmp_path / "shards"))


def test_whole_sets_are_listed_with_their_counts(monkeypatch, capfd, shards):
    status, out, _ = called(verify.main, monkeypatch, capfd, str(shards))
    assert status == 0 and "wrong" not in out
    for name in ("cube-train", "cube-val", "cube-test", "virtual-train"):
        made = Manifest.load(shards / name)
        row = next(line.split() for line in out.splitlines() if line.startswith(name))
        assert row[1:4] == [str(len(made.videos)), str(made.samples), str(len(made.shards))]


def _first(folder: Path) -> tuple[Path, Path]:
    shard = Manifest.load(folder).shards[0]
    return tar_path(folder, shard), index_path(folder, shard)


def _change_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    del values[SEAL]
    change(values)
    write_sealed(path, values)


def _sign(folder: Path) -> None:
    """Make the first shard's sizes and checksums in the manifest those of its files."""
    tar, index = (path.read_bytes() for path in _first(folder))
    signed = {"bytes": len(tar), "sha256": bytes_sha256(tar), "index_sha256": bytes_sha256(index)}
    _change_manifest(folder, lambda values: values["shards"][0].update(signed))


def _truncate(folder: Path) -> None:
    tar, _ = _first(folder)
    tar.write_bytes(tar.read_bytes()[:-1024])


def _flip(folder: Path) -> None:
    tar, _ = _first(folder)
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)


def _flip_and_sign(folder: Path) -> None:
    tar, index = _first(folder)
    content = bytearray(tar.read_bytes())
    content[int(np.load(index)[1]["offset"][0]) + 50] ^= 1
    tar.write_bytes(content)
    _sign(folder)


def _reindex(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    _, index = _first(folder)
    buffer = io.BytesIO()
    np.save(buffer, change(np.load(index).copy()))
    index.write_bytes(buffer.getvalue())
    _sign(folder)


def _move_box(folder: Path) -> None:
    def move(rows: np.ndarray) -> np.ndarray:
        rows["box"][0, 0] += 3
        return rows

    _reindex(folder, move)


def _add_member(folder: Path) -> None:
    tar, _ = _first(folder)
    with tarfile.open(tar, "a") as archive:
        archive.addfile(tarfile.TarInfo("stranger.txt"), io.BytesIO())
    _sign(folder)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a truncated tar": (_truncate, r"\.tar: \d+ bytes, expected \d+"),
    "a flipped byte": (_flip, r"\.tar: sha256 \w+…, expected \w+…"),
    "a flipped byte, signed again": (_flip_and_sign, r"image of sample \S+ has crc32 \w+, expected \w+"),
    "a missing tar": (lambda folder: _first(folder)[0].unlink(), r"\.tar: missing"),
    "a missing index": (lambda folder: _first(folder)[1].unlink(), r"\.idx: missing"),
    "an index with a row less": (lambda f: _reindex(f, lambda rows: rows[1:]), r"\.idx: \d+ samples, expected \d+"),
    "an index with other fields": (
        lambda folder: _reindex(folder, lambda rows: np.zeros(len(rows), [("frame", "<i8")])),
        "samples with other fields, expected",
    ),
    "a box that moved": (_move_box, "json of sample .*box is"),
    "a member too many": (_add_member, "member stranger.txt found, but not in the index"),
    "a stray tar": (
        lambda folder: (folder / "stray.tar").write_bytes(b""),
        r"stray\.tar: found, but not in the manifest",
    ),
    "another schema": (lambda f: _change_manifest(f, lambda v: v.update(schema=99)), "schema version 99"),
    "a manifest that is no JSON": (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json"),
    "a manifest without shards": (lambda f: _change_manifest(f, lambda v: v.pop("shards")), "keys missing or unknown"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "never finished"),
    "a video not listed": (lambda f: _change_manifest(f, lambda v: v["videos"].pop(0)), "which is not listed"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_named(monkeypatch, capfd, shards, damage):
    apply, named = DAMAGES[damage]
    apply(shards / "cube-train")
    status, out, _ = called(verify.main, monkeypatch, capfd, str(shards))
    assert status == 1
    wrong = [line for line in out.splitlines() if line.startswith("wrong: ")]
    assert wrong and all("cube-train" in line for line in wrong)
    assert any(re.search(named, line) for line in wrong), out
    assert "start `dist-vad shards write` again" in out


@pytest.mark.parametrize("arguments", [[], ["one", "two"]])
def test_without_a_folder_it_says_how_it_is_called(monkeypatch, capfd, arguments):
    status, _, error = called(verify.main, monkeypatch, capfd, *arguments)
    assert status == 2 and "dist-vad shards verify DIR" in error


def test_a_folder_without_shard_sets_is_no_success(monkeypatch, capfd, tmp_path):
    status, _, error = called(verify.main, monkeypatch, capfd, str(tmp_path))
    assert status == 2 and "no shard set below" in error
