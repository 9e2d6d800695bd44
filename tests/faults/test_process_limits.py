"""What the process may use, not what the machine has; and what nobody may read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import ROOT

from dist_vad.base.errors import InputError
from dist_vad.base.log import log, set_up
from dist_vad.base.machine import usable_memory
from dist_vad.base.text.redact import all_redacted, redacted
from dist_vad.inference.events import Threshold
from dist_vad.inference.outputs import Objects, VideoResult
from dist_vad.inference.video_scorer import file_name
from dist_vad.settings.cache import CacheSettings
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings
from dist_vad.settings.video import EventSettings
from dist_vad.training.admission.plan_check import check_memory

pytestmark = pytest.mark.kind(10)

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
GROUPS = {
    "no control group": ("", {}, MACHINE),
    "version 2 with a limit": ("0::/job\n", {"job/memory.max": "1000000000"}, 10**9),
    "version 2 without one": ("0::/job\n", {"job/memory.max": "max"}, MACHINE),
    "a limit above": ("0::/job/step\n", {"job/memory.max": "2000", "job/step/memory.max": "max"}, 2000),
    "in a container": ("0::/../host\n", {"memory.max": "3000"}, 3000),
    "version 1": ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": "4000"}, 4000),
    "version 1 without one": ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
    "another controller": ("4:cpu:/job\n", {"memory/job/memory.limit_in_bytes": "4000"}, MACHINE),
    "a file that is no number": ("0::/job\n", {"job/memory.max": "much"}, MACHINE),
}


@pytest.mark.parametrize("case", GROUPS)
def test_memory_is_that_of_the_process(case, tmp_path):
    own, files, expected = GROUPS[case]
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert usable_memory(tmp_path / "groups", tmp_path / "own") == expected


@pytest.mark.parametrize(
    ("ahead", "ranks", "fits"), [(10**9, 1, True), (4 * 10**9, 1, True), (5 * 10**9, 1, False), (3 * 10**9, 2, False)]
)
def test_batches_that_do_not_fit_into_the_memory_of_the_process_are_refused(ahead, ranks, fits):
    if fits:
        check_memory(ahead, 4, ranks, usable=4 * 10**9)
    else:
        with pytest.raises(InputError, match=rf"prefetch is 4: .* {ahead / 1e9:.1f} GB, .* {4 / ranks:.1f} GB"):
            check_memory(ahead, 4, ranks, usable=4 * 10**9)


CACHES = {
    "the default": ({}, "~/.cache/dist_vad", "{home}/.cache/dist_vad"),
    "XDG": ({"XDG_CACHE_HOME": "/fast/cache"}, "~/.cache/dist_vad", "/fast/cache/dist_vad"),
    "XDG, but one is given": ({"XDG_CACHE_HOME": "/fast/cache"}, "/mine", "/mine"),
    "XDG that is no place": ({"XDG_CACHE_HOME": "relative"}, "~/.cache/dist_vad", "{home}/.cache/dist_vad"),
}


@pytest.mark.parametrize("case", CACHES)
def test_the_cache_lies_where_the_user_has_caches(case, monkeypatch, tmp_path):
    environment, folder, expected = CACHES[case]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert CacheSettings(folder=folder).place == Path(expected.format(home=tmp_path))


def test_a_command_may_open_as_many_files_as_the_system_lets_it():
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))\n"
        "from dist_vad.base.errors import entry_point\n"
        "@entry_point\ndef main(): print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "512\n", done.stderr


SECRETS = {
    "a password": ("rtsp://admin:hunter2@camera:554/live", "rtsp://***@camera:554/live"),
    "a user alone": ("rtsp://hunter2@camera/live", "rtsp://***@camera/live"),
    "a token": ("http://host/live?channel=1&token=hunter2", "http://host/live?channel=1&token=***"),
    "a key in the middle": ("http://host/x?api_key=hunter2&n=3", "http://host/x?api_key=***&n=3"),
    "a signature": ("https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2&X-Amz-Date=1", "https://b.s3.amazonaws.com/k?X-Amz-Signature=***&X-Amz-Date=1"),
    "a shared access signature": ("https://host/x?sv=1&sig=hunter2", "https://host/x?sv=1&sig=***"),
    "two addresses": ("a://u:hunter2@b c://v:hunter2@d", "a://***@b c://***@d"),
    "an argument": ("--out 'rtsp://u:hunter2@h/a' --n 3", "--out 'rtsp://***@h/a' --n 3"),
    "a variable": ("AWS_SECRET_ACCESS_KEY=hunter2 python", "AWS_SECRET_ACCESS_KEY=*** python"),
    "a password with an @ in it": ("rtsp://u:hun%40ter2@h/a", "rtsp://***@h/a"),
    "capital letters": ("http://h/x?Password=hunter2", "http://h/x?Password=***"),
    "nothing": ("s3://bucket/prefix?x=1", "s3://bucket/prefix?x=1"),
    "an address of mail": ("someone@example.org", "someone@example.org"),
    "a monkey": ("http://h/x?monkey=3", "http://h/x?monkey=3"),
    "a path": ("/runs/token/key", "/runs/token/key"),
}  # fmt: skip


@pytest.mark.kind(11)
@pytest.mark.parametrize("case", SECRETS)
def test_secrets_are_left_out_and_nothing_else(case):
    text, expected = SECRETS[case]
    assert redacted(text) == expected and "hunter2" not in redacted(text)
    assert redacted(expected) == expected
    assert all_redacted({"a": [text, {"b": text}], "n": 3}) == {"a": [expected, {"b": expected}], "n": 3}


@pytest.mark.kind(11)
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6))
def test_a_password_never_stands_in_the_name_of_a_file(secret):
    assert secret not in file_name(f"rtsp://user:{secret}@camera/{'live'}") or secret in "rtsp_camera_live"


@pytest.mark.kind(11)
def test_a_password_stands_in_no_file_of_a_run(monkeypatch, tmp_path, capfd):
    address = "rtsp://admin:hunter2@camera/live?token=hunter2"
    monkeypatch.setattr(sys, "argv", ["dist-vad", "score", address])
    threshold = Threshold.of([np.arange(100.0)], EventSettings())
    raw = np.arange(20.0)
    result = VideoResult(address, 25.0, Objects(), raw, raw, threshold)
    result.write_events(tmp_path / "events.json", result.events(1.0))
    kept = json.dumps(provenance(Settings(run=str(tmp_path), shards=address)))
    set_up()
    log.warning("stream %s is gone", address)
    told = capfd.readouterr()
    for text in (kept, (tmp_path / "events.json").read_text(), told.err, file_name(address)):
        assert "hunter2" not in text and "camera" in text
