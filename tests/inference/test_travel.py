"""States that travel: pushed and pulled, they score elsewhere with the same bits; the card says what they are."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_hub import FakeHub
from launching import ROOT
from miniature import frame
from safetensors.torch import load_file

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import MODEL, read_state, save_state
from dist_vad.inference.detector import CALIBRATION, Detector
from dist_vad.inference.model_card import NOT_KNOWN, model_card
from dist_vad.inference.travel import pull, push
from dist_vad.metrics.results_file import write_metrics

TOKEN = "hf_of_the_test"


@pytest.fixture(scope="module")
def detector(tiny_run) -> Detector:
    return Detector.load(next((tiny_run / "states").glob("inference-*")))


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.stack([frame(number) for number in range(24)])


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def same_scores(detector: Detector, folder: Path, frames: np.ndarray) -> bool:
    return Detector.load(folder).score(frames, stride=2).raw.tolist() == detector.score(frames, stride=2).raw.tolist()


def test_pushed_to_a_folder_and_pulled_it_scores_to_the_same_bits(detector, frames, tmp_path):
    names = push(detector.state, str(tmp_path / "there"), licence="CC-BY-4.0")
    assert {*names} == {"state.json", MODEL, CALIBRATION, "README.md"}
    state = pull(str(tmp_path / "there"), tmp_path / "here")
    shutil.rmtree(tmp_path / "there")
    assert state.digest == detector.state.digest and same_scores(detector, tmp_path / "here", frames)


def test_a_pull_overwrites_nothing_else(detector, tmp_path):
    push(detector.state, str(tmp_path / "there"))
    pull(str(tmp_path / "there"), tmp_path / "here")
    pull(str(tmp_path / "there"), tmp_path / "here")  # the same again is no harm
    (tmp_path / "here/README.md").write_text("mine")
    with pytest.raises(InputError, match=r"README\.md is there and is another one"):
        pull(str(tmp_path / "there"), tmp_path / "here")


def test_a_push_overwrites_nothing_else(detector, tmp_path):
    push(detector.state, str(tmp_path / "there"))
    push(detector.state, str(tmp_path / "there"))  # the same again is no harm
    other = next(path for path in detector.state.folder.parent.iterdir() if path != detector.state.folder)
    shutil.copytree(other, tmp_path / "states" / other.name)
    shutil.copy(detector.state.folder / CALIBRATION, tmp_path / "states" / other.name)
    with pytest.raises(InputError, match=r"state\.json is there and is another one"):
        push(read_state(tmp_path / "states" / other.name), str(tmp_path / "there"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/README.md").write_text("mine")
    with pytest.raises(InputError, match=r"README\.md is there and is another one"):
        push(detector.state, str(tmp_path / "notes"))
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["README.md"]


def test_the_card_of_a_run_without_labels_says_so(detector, tmp_path):
    copy = tmp_path / "run/states" / detector.state.folder.name
    shutil.copytree(detector.state.folder, copy)
    row = {"group": "learned", "phase": "inference", "scorer": "fused", "smoothing": "median17"}
    nothing = {"micro_auc": None, "macro_auc": None, "micro_auc_interval": None}
    facts = {"provenance": {"lineage": [copy.name]}, "rows": [{**row, **nothing}], "final": {**row, **nothing}}
    write_metrics(tmp_path / "run", **facts)
    assert "Not evaluated on labelled test video" in model_card(read_state(copy))


def test_a_state_that_scores_nothing_elsewhere_is_not_pushed(detector, tmp_path):
    bare = tmp_path / "states/bare"
    shutil.copytree(detector.state.folder, bare, ignore=shutil.ignore_patterns(CALIBRATION))
    with pytest.raises(InputError, match=f"has no {CALIBRATION}"):
        push(read_state(bare), str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_a_damaged_state_is_neither_pushed_nor_pulled(detector, tmp_path):
    push(detector.state, str(tmp_path / "there"))
    damaged = bytearray((tmp_path / "there" / MODEL).read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "there" / MODEL).write_bytes(damaged)
    for travel in (lambda: pull(str(tmp_path / "there"), tmp_path / "here"), lambda: push(
        read_state(tmp_path / "there"), str(tmp_path / "other")
    )):  # fmt: skip
        with pytest.raises(InputError, match="digest"):
            travel()
    assert not (tmp_path / "here").exists() and not (tmp_path / "other").exists()


HUB = """
import sys
from pathlib import Path
from dist_vad.cli.main import main
main()
"""


def on_hub(hub: FakeHub, home: Path, token: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`dist-vad WORDS` where that hub is the hub."""
    surroundings = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(home), "NO_PROXY": "*"}
    surroundings |= {"XDG_CACHE_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", HUB, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, env=surroundings)


@pytest.mark.slow
def test_pushed_to_a_hub_and_pulled_it_scores_to_the_same_bits(detector, frames, tmp_path):
    with FakeHub(TOKEN) as hub:
        pushed = on_hub(hub, tmp_path, TOKEN, "push", str(detector.state.folder), "hf://somebody/plaza")
        assert pushed.returncode == 0, pushed.stderr
        assert {*hub.repositories["somebody/plaza"]} == {"state.json", MODEL, CALIBRATION, "README.md"}
        pulled = on_hub(hub, tmp_path, TOKEN, "pull", "hf://somebody/plaza", str(tmp_path / "here"))
        assert pulled.returncode == 0, pulled.stderr
        refused = on_hub(hub, tmp_path, "hf_wrong", "push", str(detector.state.folder), "hf://somebody/other")
        assert refused.returncode == 2 and "HF_TOKEN" in refused.stderr and "Traceback" not in refused.stderr
        missing = on_hub(hub, tmp_path, TOKEN, "pull", "hf://somebody/nothing", str(tmp_path / "none"))
        assert missing.returncode == 2 and "Traceback" not in missing.stderr, missing.stderr
    assert same_scores(detector, tmp_path / "here", frames)


def test_the_card_says_what_a_state_is_and_what_is_not_known(detector, tmp_path):
    card = model_card(detector.state, "CC-BY-4.0")
    for told in (
        detector.state.digest,
        "plaza",
        *detector.scenes,
        *detector.state.tasks,
        "CC-BY-4.0",
        "Never seen",
        "random weights",
    ):
        assert told in card
    shutil.copytree(detector.state.folder, tmp_path / "states/alone")
    alone = model_card(read_state(tmp_path / "states/alone"))
    assert NOT_KNOWN in alone and "Not evaluated" in alone


@pytest.mark.slow
def test_the_card_has_the_evaluation_with_intervals_beside_no_learning(detector, tmp_path):
    import dist_vad

    run = tmp_path / "run"
    shutil.copytree(detector.state.folder.parent, run / "states")
    shutil.copy(detector.state.folder.parent.parent / "run.json", run)
    state = read_state(run / "states" / detector.state.folder.name)
    metrics = dist_vad.evaluate(state.folder, out=run)
    card = model_card(state)
    final = metrics["final"]
    low, high = final["micro_auc_interval"]
    assert f"| {final['micro_auc']:.3f} | {low:.3f} to {high:.3f} |" in card
    assert "no learning | box_width" in card and "perception" not in card.split("## Measured")[1]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660), (0o077, 0o600)])
def test_files_of_a_state_have_the_modes_of_the_umask(detector, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        tensors = load_file(detector.state.folder / MODEL)
        facts = {
            name: getattr(detector.state, name) for name in ("key", "stage", "lineage", "tasks", "recipe", "metrics")
        }
        state = save_state(tmp_path / "state", tensors, **facts)
        push(detector.state, str(tmp_path / "there"))
    finally:
        os.umask(before)
    assert state.digest == detector.state.digest
    written = [*(tmp_path / "state").iterdir(), *(tmp_path / "there").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {mode}
