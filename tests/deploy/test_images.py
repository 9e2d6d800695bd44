"""The recipes for images: linted, and their exact steps run in a fresh Debian where that was asked for."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from images import APPTAINER, DOCKERFILE, apptainer, apptainer_copies, copy_into, dockerfile, run_in
from installed import build_wheel, tiny_config
from launching import ROOT

SECTIONS = {"files", "post", "environment", "runscript", "test", "help", "labels", "setup", "startscript"}
ASKED = "DIST_VAD_DEBIAN"
"""A variable of the environment that asks for the test in a fresh Debian: it downloads PyTorch."""

CERTIFICATES, LENT = "/etc/ssl/certs/ca-certificates.crt", "/etc/lent.crt"


def program(name: str) -> str:
    """A linter; it may lie beside Python."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def test_the_dockerfile_is_linted():
    done = subprocess.run([program("hadolint"), str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout


@pytest.mark.parametrize("section", ["post", "environment", "runscript", "test"])
def test_every_script_of_the_apptainer_definition_is_linted(section, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\n" + "\n".join(apptainer()[section]) + "\n")
    subprocess.run(["sh", "-n", str(script)], check=True)
    done = subprocess.run([program("shellcheck"), str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_apptainer_definition_has_a_header_and_sections_that_apptainer_knows():
    header = APPTAINER.read_text().partition("%")[0]
    keys = [line.split(":")[0] for line in header.splitlines() if line and not line.startswith("#")]
    assert keys == ["Bootstrap", "From"] and apptainer().keys() <= SECTIONS
    (base,) = [line.split()[1] for line in DOCKERFILE.read_text().splitlines() if line.startswith("FROM")]
    assert f"From: {base}\n" in header


def test_the_step_that_both_images_take_is_linted():
    script = str(ROOT / "deploy/install.sh")
    subprocess.run(["sh", "-n", script], check=True)
    done = subprocess.run([program("shellcheck"), script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_both_images_hold_the_same_files_and_take_the_same_step():
    copies, commands = dockerfile()
    assert sorted(copies) == sorted(apptainer_copies())
    assert commands[0].startswith(apptainer()["post"][0] + " ")


@pytest.mark.slow
def test_what_the_images_copy_makes_the_whole_wheel(tmp_path):
    copy_into(tmp_path / "root", dockerfile()[0])
    ours, theirs = (
        {info.filename: info.CRC for info in zipfile.ZipFile(build_wheel(tmp_path / name, source)).infolist()}
        for name, source in (("here", ROOT), ("image", tmp_path / "root/src"))
    )
    assert theirs == ours


def test_compose_starts_a_command_that_there_is():
    service = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["watch"]
    assert (ROOT / service["build"]["dockerfile"]) == DOCKERFILE and service["command"][0] == "watch"
    assert 'ENTRYPOINT ["dist-vad"]' in DOCKERFILE.read_text()


@pytest.fixture(scope="module")
def debian(tmp_path_factory) -> Iterator[Path]:
    """The root of a fresh Debian."""
    if not os.environ.get(ASKED):
        pytest.skip(f"set {ASKED}=1 for the steps of the images in a fresh Debian; it downloads PyTorch")
    if os.geteuid() or not shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin"):
        pytest.skip("needs root and debootstrap: apt-get install debootstrap")
    root = tmp_path_factory.mktemp("debian")
    root.chmod(0o755)  # else nobody but root finds anything in it
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root)], check=True, capture_output=True)
    # An engine lends its network; a proxy of this machine may sign with a certificate of its own.
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if Path(CERTIFICATES).is_file():
        shutil.copy(CERTIFICATES, root / LENT.lstrip("/"))
    yield root
    subprocess.run(["umount", "-l", str(root / "proc")], capture_output=True)
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_make_a_fresh_debian_that_runs_the_demo(debian):
    copies, commands = dockerfile()
    copy_into(debian, copies)
    for command in commands:
        run_in(debian, command, HOME="/root", PIP_CERT=LENT if (debian / LENT[1:]).is_file() else CERTIFICATES)
    assert not (debian / "src").exists()
    tiny_config(debian / "work/tiny.yaml")
    user = {"user": "1000:1000", "folder": "/work", "HOME": "/home/vad", "XDG_CACHE_HOME": "/tmp/cache"}
    assert "watch cameras" in run_in(debian, "dist-vad --help", **user)
    run_in(debian, "dist-vad demo --config tiny.yaml --run run --shards shards", **user)
    assert (debian / "work/run/report.html").is_file()
