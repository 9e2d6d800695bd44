"""The package as a stranger has it: from the wheel, in an environment of its own, in a folder that is no checkout."""

import json
import zipfile
from pathlib import Path

import pytest
from installed import Installed, build_wheel, tiny_config
from miniature import write_pictures
from outsiders import install

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp("environment"), wheel)


@pytest.fixture(scope="module")
def home(installed, tmp_path_factory) -> Path:
    """A folder in which the demo was run."""
    home = tmp_path_factory.mktemp("home")
    config = tiny_config(home / "tiny.yaml")
    installed.run("dist-vad", "demo", "--config", str(config), "--run", "run", "--shards", "shards", cwd=home)
    return home


def last_state(home: Path) -> Path:
    (state,) = (home / "run/states").glob("virtual-*")
    return state


def test_the_wheel_brings_dist_vad_alone_with_its_configurations(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {top for name in names if not (top := name.split("/")[0]).endswith(".dist-info")} == {"dist_vad"}
    assert {"dist_vad/configs/default.yaml", "dist_vad/configs/ucsd/model_sota.yaml", "dist_vad/py.typed"} <= {*names}


def test_the_demo_runs_to_its_report(home):
    rows = json.loads((home / "run/metrics.json").read_text())["rows"]
    assert {row["scorer"] for row in rows} >= {"fused", "prediction"}
    assert "<title>" in (home / "run/report.html").read_text()


def test_a_video_is_scored(installed, home):
    write_pictures(home / "clip", 30)
    installed.run("dist-vad", "score", "clip", "--state", str(last_state(home)), "--out", "scored", cwd=home)
    assert {path.name for path in (home / "scored").iterdir()} == {"clip.parquet", "clip.events.json", "clip.mp4"}


def test_a_configuration_is_copied_changed_and_used(installed, home):
    assert "ucsd/model_sota" in installed.run("dist-vad", "config", "list", cwd=home).stdout
    installed.run("dist-vad", "config", "copy", "model_base", cwd=home)
    copy = home / "configs/model_base.yaml"
    copy.write_text(copy.read_text() + "\nseed: 7\n")
    told = installed.run("dist-vad", "train", "--config", str(copy), "--print_config", cwd=home)
    assert "seed: 7" in told.stdout and "dataset: plaza" in told.stdout


def test_a_configuration_that_ships_is_found_by_its_name(installed, home):
    done = installed.try_("dist-vad", "train", "--config", "ucsd/model_sota", "--data.root", "nowhere", cwd=home)
    assert done.returncode == 2 and "nowhere" in done.stderr and "Traceback" not in done.stderr


def test_a_plug_in_of_somebody_else_is_found(installed, home, tmp_path):
    site = install(tmp_path / "site")
    done = installed.run("dist-vad", "train", "--help", cwd=home, PYTHONPATH=str(site))
    assert all(name in done.stdout for name in ("brightness", "stripes", "middle"))
    shards = str(tmp_path / "shards")
    done = installed.run(
        "dist-vad", "train", "--config", str(home / "tiny.yaml"), "--run", "theirs", "--shards", shards,
        "--curriculum", "bri", "--data.dataset", "stripes", "--data.detector.name", "middle", "--data.virtual", "none",
        cwd=home, PYTHONPATH=str(site),
    )  # fmt: skip
    (state,) = (home / "theirs/states").iterdir()
    assert json.loads((state / "state.json").read_text())["tasks"] == ["brightness"], done.stdout
