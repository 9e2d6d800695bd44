"""Verify and repair, in a folder and in a bucket."""

import re
import shutil
import time
from pathlib import Path

import pytest
from launching import called
from miniature import contents, make_folder

from dist_vad.cli import verify
from dist_vad.data.store import LocalStore, open_store


@pytest.fixture(params=["folder", "bucket"])
def copy(request, small_sets, tmp_path):
    """A copy of the sets, to be damaged: a store."""
    if request.param == "folder":
        return open_store(Path(shutil.copytree(small_sets, tmp_path / "copy")))
    return open_store(request.getfixturevalue("written"))


def everything(store) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.sizes()}


def times(store) -> dict[str, object]:
    """When each file was last written."""
    if isinstance(store, LocalStore):
        return {name: (store.folder / name).stat().st_mtime_ns for name in store.sizes()}
    listed = store.client.list_objects_v2(Bucket=store.bucket, Prefix=f"{store.prefix}/")["Contents"]
    return {entry["Key"].removeprefix(f"{store.prefix}/"): entry["LastModified"] for entry in listed}


def names(small_sets: Path, name: str, ending: str) -> list[str]:
    """Files of a set that end so."""
    return sorted(f"{name}/{path.name}" for path in (small_sets / name).glob(f"*{ending}"))


def test_verify_finds_what_is_truncated_missing_and_strange(monkeypatch, capfd, small_sets, copy):
    status, out, _ = called(verify.main, monkeypatch, capfd, copy.where())
    assert status == 0 and out.count("whole") == 3
    tars = names(small_sets, "cube-train", ".tar")
    copy.put(tars[0], copy.read(tars[0])[:-1024])
    copy.delete(tars[1])
    copy.put("cube-train/stray-0000.tar", b"")
    status, out, _ = called(verify.main, monkeypatch, capfd, copy.where())
    assert status == 1 and "3 things are wrong; pass --repair" in out
    for name, what in zip([*tars[:2], "cube-train/stray-0000.tar"], [r"\d+ bytes, expected \d+", "missing", "found"]):
        assert re.search(rf"wrong: {re.escape(copy.where(name))}: {what}", out), out


def test_repair_restores_the_very_bytes_and_touches_nothing_else(
    monkeypatch, capfd, small_dataset, small_sets, copy, tmp_path
):
    tars, indexes = names(small_sets, "cube-train", ".tar"), names(small_sets, "cube-test", ".idx")
    copy.put(tars[0], copy.read(tars[0])[:-1024])
    copy.delete(tars[-1])
    copy.put(indexes[0], b"damaged")
    copy.put("cube-train/stray-0000.tar", b"mine")
    broken = {tars[0], tars[-1], indexes[0]}
    before = times(copy)
    time.sleep(1.1)  # a bucket tells whole seconds
    moved = shutil.copytree(str(small_dataset.root), tmp_path / "moved")
    status, out, error = called(verify.main, monkeypatch, capfd, copy.where(), "--repair", "--root", str(moved))
    assert status == 1 and "wrong: " + copy.where("cube-train/stray-0000.tar") in out and "1 thing is wrong" in out
    assert {line.removeprefix("repaired: ") for line in error.splitlines() if line.startswith("repaired: ")} == {
        copy.where(name) for name in broken
    }
    assert everything(copy) == {**contents(small_sets), "cube-train/stray-0000.tar": b"mine"}
    after = times(copy)
    assert {name for name in after if after[name] != before.get(name)} == broken
    copy.delete("cube-train/stray-0000.tar")
    assert called(verify.main, monkeypatch, capfd, copy.where(), "--repair")[0] == 0


def test_repair_refuses_what_would_give_other_bytes(monkeypatch, capfd, small_dataset, small_sets, copy, tmp_path):
    copy.delete(names(small_sets, "cube-test", ".tar")[0])
    damaged = everything(copy)

    def refusal(root: Path) -> str:
        status, _, error = called(verify.main, monkeypatch, capfd, copy.where(), "--repair", "--root", str(root))
        assert status == 2 and everything(copy) == damaged
        return error

    other = make_folder(tmp_path / "other", train=3, test=2, count=20)
    assert "cannot be repaired" in (said := refusal(Path(str(other.root)))) and "other videos" in said
    alike = Path(shutil.copytree(str(small_dataset.root), tmp_path / "alike"))
    pictures = sorted((alike / "test/b_0").iterdir())
    content, size = pictures[0].read_bytes(), pictures[5].stat().st_size
    assert len(content) <= size
    pictures[5].write_bytes(content.ljust(size, b"\0"))  # another picture, with the name and the size of this one
    assert "gives other bytes than its manifest.json says" in refusal(alike)


def test_a_manifest_that_is_missing_or_damaged_cannot_be_repaired(monkeypatch, capfd, small_sets, copy):
    copy.delete(names(small_sets, "cube-train", ".tar")[0])
    for damage in (lambda: copy.put("cube-test/manifest.json", b"{"), lambda: copy.delete("cube-test/manifest.json")):
        damage()
        status, _, error = called(verify.main, monkeypatch, capfd, copy.where(), "--repair")
        assert status == 2 and "cannot be repaired" in error and "dist-vad shards write` again" in error
