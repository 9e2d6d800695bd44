"""Shards, a state, a checkpoint and a run of version 0.1 (commit ff8abbf): read as they are, or refused by name."""

import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dist_vad.base.errors import InputError
from dist_vad.base.sealed import read_or
from dist_vad.curriculum.recipes import last_state
from dist_vad.curriculum.state import STATE, read_state
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.inference.detector import run_settings
from dist_vad.producer.verify import verify_set
from dist_vad.training.checkpoint import CHECKPOINT, Checkpoints

pytestmark = pytest.mark.kind(7)

ARCHIVE = Path(__file__).parent / "ff8abbf.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "ff8abbf"


def the_state(old: Path) -> Path:
    return next((old / "run/states").iterdir())


@pytest.mark.parametrize("name", ["cube-train", "cube-val"])
def test_old_shards_are_whole_and_read(old, name):
    assert verify_set(old / "shards" / name) == []
    shards = ShardSet(old / "shards" / name)
    batch = shards.read(np.arange(len(shards)))
    assert batch.clips.numpy().any() and (batch.labels.numpy() == -1).all()
    digests = json.loads((old / "run/data.json").read_text())
    assert shards.manifest.content_digest == digests[f"old/shards/{name}"]


def test_an_old_state_is_read_and_its_weights_are_those_that_were_written(old):
    state = read_state(the_state(old))
    assert state.stage == "perception" and state.tasks == ["prediction"] and state.load()


def test_the_settings_of_an_old_run_are_read_or_refused_by_name(old):
    try:
        settings = run_settings(read_state(the_state(old)))
    except InputError as error:
        assert "run.json are of another version of dist_vad" in str(error)
    else:
        assert settings.shards == "old/shards" and settings.model.width == 4


def test_an_old_checkpoint_is_gone_on_with(old):
    found = Checkpoints(open_store(old / "run/training/perception-checkpoint"), keep=2).latest()
    assert found is not None and found.step == 4 and found.facts["losses"] == {"prediction": 0.5}
    assert found.groups["weights"]["w"].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_old_record_that_can_be_made_anew_is(old):
    assert read_or(old / "run/data.json", {}) == {}


def test_what_an_old_run_did_not_finish_is_told(old, tiny_settings):
    tiny_settings.run = str(old / "run")
    with pytest.raises(InputError, match="no finished stage of these settings under"):
        last_state(tiny_settings)


FILES = {
    "manifest": (f"shards/cube-val/{MANIFEST}", lambda old: Manifest.load(old / "shards/cube-val").content_digest),
    "state": (f"run/states/*/{STATE}", lambda old: read_state(the_state(old)).digest),
    "checkpoint": (f"run/training/*/*/{CHECKPOINT}", lambda old: Checkpoints(open_store(old / "run/training/perception-checkpoint"), 2).latest()),
    "run": ("run/run.json", lambda old: run_settings(read_state(the_state(old))).seed),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_an_old_file_that_is_damaged_ends_in_no_traceback(case, old):
    """Without a digest of its facts not every flip can be seen; each is read, or refused by name."""
    pattern, read = FILES[case]
    path = next(old.glob(pattern))
    content, outcomes = path.read_bytes(), Counter()
    for bit in np.random.default_rng(0).choice(8 * len(content), 60, replace=False).tolist():
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            read(old)
            outcomes["read"] += 1
        except InputError as error:
            assert path.name in str(error) or path.parent.name in str(error), error
            outcomes["refused"] += 1
    path.write_bytes(content)
    print(case, dict(outcomes))
