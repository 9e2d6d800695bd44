"""What is down, full or refused outside of the program: one message with the file, and a status that says whose turn it is."""

import errno
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from launching import ROOT, called

from dist_vad.base import files
from dist_vad.base.errors import (
    PREEMPTED,
    STALLED,
    UNAVAILABLE,
    InputError,
    Preempted,
    Unavailable,
    entry_point,
    explained,
)
from dist_vad.base.files import atomic_file, atomic_folder, write_json
from dist_vad.data.store import open_store
from dist_vad.producer.pack import pack_video
from dist_vad.video.cubes import Sample

pytestmark = pytest.mark.kind(8)

GIVEN = ("ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "ENAMETOOLONG", "ELOOP")
DOWN = (
    "ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ETIMEDOUT", "ECONNREFUSED",
    "ECONNRESET", "EHOSTUNREACH", "ENETDOWN", "EBUSY", "EAGAIN", "ENODEV", "EREMOTEIO",
)  # fmt: skip


def fault(name: str, path: str = "/there/file") -> OSError:
    number = getattr(errno, name)
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize("name", [*GIVEN, *DOWN])
def test_every_error_of_the_system_is_one_message_with_the_file_and_its_own_status(name, monkeypatch, capfd):
    @entry_point
    def main() -> None:
        raise fault(name)

    status, _, error = called(main, monkeypatch, capfd)
    assert status == (2 if name in GIVEN else UNAVAILABLE)
    assert error.startswith("error: ") and error.count("\n") == 1 and "/there/file" in error


ENDS = {
    "settings": (InputError("wrong"), 2),
    "the world": (Unavailable("down"), UNAVAILABLE),
    "memory": (MemoryError("cannot allocate"), UNAVAILABLE),
    "pre-emption": (Preempted("saved"), PREEMPTED),
    "Ctrl-C": (KeyboardInterrupt(), 130),
}


@pytest.mark.parametrize("case", ENDS)
def test_each_end_has_a_status_of_its_own(case, monkeypatch, capfd):
    error, expected = ENDS[case]

    @entry_point
    def main() -> None:
        raise error

    status, _, said = called(main, monkeypatch, capfd)
    assert status == expected and said.count("\n") == 1
    assert len({2, UNAVAILABLE, PREEMPTED, STALLED, 130}) == 5


def test_a_fault_of_the_program_stays_a_traceback():
    @entry_point
    def main() -> None:
        raise AssertionError("ours")

    with pytest.raises(AssertionError):
        main()


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_write_that_fails_names_the_file_and_leaves_what_was_there(name, what, tmp_path, monkeypatch):
    path = tmp_path / "there"
    if what == "file":
        path.write_text("before")
    else:
        path.mkdir()
        (path / "x").write_text("before")
    monkeypatch.setattr(files, "_sync", lambda handle: (_ for _ in ()).throw(fault(name)))
    with pytest.raises(Unavailable, match=f"while writing {path}"):
        if what == "file":
            write_json(path, {})
        else:
            with atomic_folder(path) as folder:
                (folder / "x").write_text("after")
    assert (path if what == "file" else path / "x").read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["there"]


def test_a_disk_that_is_full_is_named_with_the_space_that_is_left(tmp_path):
    told = explained(fault("ENOSPC", str(tmp_path / "x")))
    assert isinstance(told, Unavailable) and "the disk is full" in str(told) and "MiB are free; make room" in str(told)


def test_the_space_that_is_told_is_that_of_the_disk_that_is_full(tmp_path, monkeypatch):
    """A write says nothing of its file."""
    asked, usage = [], shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: asked.append(folder) or usage)
    with pytest.raises(Unavailable, match="the disk is full"), atomic_file(tmp_path / "there"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert asked == [tmp_path]


@pytest.mark.parametrize("error", [OSError, InputError])
def test_a_tar_that_is_broken_off_leaves_no_traceback_when_it_is_thrown_away(error, tmp_path, monkeypatch):
    def broken_off():
        clip = np.zeros((9, 16, 16, 3), np.uint8)
        yield Sample(frame=4, object=0, box=np.zeros(4), category="x", confidence=1.0, clip=clip), -1
        raise error(errno.ENOSPC, "full")

    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with pytest.raises((Unavailable, InputError)):
        pack_video(tmp_path, "v", {}, broken_off(), "raw", b"", 5)
    gc.collect()
    assert not ignored and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "ENOSYS", "EBADF"])
def test_a_file_system_that_cannot_sync_is_no_fault(name, tmp_path, monkeypatch):
    """SMB and FUSE answer so where a folder is to be synced."""
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(fault(name)))
    write_json(tmp_path / "there.json", {"a": 1})
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "x").write_text("x")
    assert (tmp_path / "there.json").read_bytes() and (tmp_path / "folder/x").read_text() == "x"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stdout_that_is_full_is_one_message():
    program = "from dist_vad.base.errors import entry_point\n@entry_point\ndef main(): print('x' * 100000)\nmain()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == UNAVAILABLE and done.stderr.count("\n") == 1 and "the disk is full" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_fault():
    program = "from dist_vad.base.errors import entry_point\n@entry_point\ndef main():\n    while True: print('x' * 1000)\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout and process.stderr
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait() == 141 and not process.stderr.read()


PLACES = {
    "a file where a folder must be": "file/run.json",
    "a name that is too long": "n" * 300 + "/run.json",
    "a link that leads to itself": "loop/run.json",
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_that_cannot_be_written_is_named(case, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match=r"while writing .*give another path"), atomic_file(tmp_path / PLACES[case]):
        pass


ADDRESSES = [
    "hdfs://host/x",
    "webdav://host/x",
    "s3a://bucket/x",
    "file:///x",
    "ftp://host/x",
    "",
]


@pytest.mark.parametrize("place", ADDRESSES)
def test_an_address_that_nothing_reads_becomes_no_folder(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"allowed: a folder of this machine"):
        open_store(place)
    assert not list(tmp_path.iterdir())
