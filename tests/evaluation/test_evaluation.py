"""Promise 5: every object is scored once, and ranks, order and restarts change no bit of a score."""

import dataclasses
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import yaml
from launching import ROOT, command, run, succeed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dist_vad.base.text.jsonable import without_nan
from dist_vad.data.shardset import ShardSet
from dist_vad.judge.methods import open_case
from dist_vad.judge.rows import rows_of
from dist_vad.scoring.calibrating import calibrate
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.synthetic_anomalies import synthetic_anomalies
from dist_vad.settings.judge import JudgeSettings
from dist_vad.settings.run import TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import TASKS, make_tasks
from dist_vad.tasks.network import build_network


@pytest.fixture(scope="module")
def trained(tiny_config, tmp_path_factory) -> Path:
    """A run that has been trained and evaluated by one rank, whose linear algebra may use two threads."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    succeed("launch/progressive.py", "--config", str(tiny_config), "--run", str(folder))
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.setenv("OMP_NUM_THREADS", "2")
        succeed("launch/evaluate.py", "--config", str(tiny_config), "--run", str(folder), "--train.cpu_threads", "1")
    return folder


def numbers(folder: Path) -> dict:
    """All metrics of a run."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {"final": metrics["final"], "rows": metrics["rows"]}


def score_files(folder: Path) -> dict[str, dict[str, list]]:
    """Each score file -> its columns."""
    return {
        f"{path.parent.name}/{path.name}": pq.read_table(path).to_pydict()
        for path in sorted((folder / "scores").rglob("*.parquet"))
    }


def test_two_ranks_one_of_them_killed_and_both_restarted_give_the_bits_of_one(trained, tiny_config, tmp_path):
    _link_states(trained, tmp_path)
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path), "--train.cpu_threads", "1"]
    _kill_a_rank_when_files_are_there(command("launch/evaluate.py", *arguments, ranks=2), tmp_path)
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").rglob("*.parquet")}
    assert 0 < len(left) < len(score_files(trained)) and not (tmp_path / "metrics.json").exists()
    succeed("launch/evaluate.py", *arguments, ranks=2)
    assert {path: path.stat().st_mtime_ns for path in left} == left
    assert score_files(tmp_path) == score_files(trained)
    assert numbers(tmp_path) == numbers(trained)


@pytest.mark.slow
def test_four_ranks_give_the_bits_of_one_in_every_score_and_metric(trained, tiny_config, tmp_path):
    _link_states(trained, tmp_path)
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path), "--train.cpu_threads", "1"]
    succeed("launch/evaluate.py", *arguments, ranks=4)
    assert score_files(tmp_path) == score_files(trained)
    assert numbers(tmp_path) == numbers(trained)


def test_without_the_states_before_it_a_state_scores_the_same(trained, tiny_config, tmp_path):
    _link_states(trained, tmp_path)
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path), "--train.cpu_threads", "1", "--final"]
    succeed("launch/evaluate.py", *arguments)
    rows = numbers(trained)["rows"]
    assert numbers(tmp_path)["rows"] == [row for row in rows if row["phase"] not in ("perception", "comprehension")]


def test_frame_scores_fed_back_to_the_judge_give_the_rows_of_metrics_json_bit_for_bit(trained):
    judged = [dataclasses.asdict(row) for row in rows_of(open_case([str(trained)], JudgeSettings()))]
    assert without_nan(judged) == numbers(trained)["rows"]


def test_score_files_that_are_there_are_kept_and_lost_ones_are_made_again(trained, tiny_config):
    before, every = score_files(trained), sorted((trained / "scores").rglob("*.parquet"))
    for lost in every[::2]:
        lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in every[1::2]}
    succeed("launch/evaluate.py", "--config", str(tiny_config), "--run", str(trained), "--train.cpu_threads", "1")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert score_files(trained) == before


def test_every_object_of_the_test_set_has_one_score_from_every_model(trained, tiny_shards):
    samples = ShardSet(tiny_shards / "cube-test").manifest.samples
    models = 1 + 1 + 3  # baselines, untrained network, three phases
    assert sum(len(columns["frame"]) for columns in score_files(trained).values()) == models * samples


def test_the_results_hold_every_phase_beside_what_learns_nothing(trained):
    rows = json.loads((trained / "metrics.json").read_text())["rows"]
    phases = {(row["phase"], row["scorer"], row["smoothing"]) for row in rows}
    for smoothing in ("none", "median17"):
        assert {("perception", "prediction", smoothing), ("inference", "fused", smoothing)} <= phases
        assert {("untrained", "fused", smoothing), ("no learning", "box_width", smoothing)} <= phases
    assert "<html" in (trained / "report.html").read_text()


def test_the_tracker_has_every_setting_and_the_figures_of_the_headline(trained):
    folders = {path.parent for path in trained.rglob("events.out.tfevents.*")}
    told = [EventAccumulator(str(folder)).Reload() for folder in sorted(folders)]
    scalars = {tag: own.Scalars(tag)[-1].value for own in told for tag in own.Tags()["scalars"]}
    final = json.loads((trained / "metrics.json").read_text())["final"]
    assert scalars["test/micro_auc"] == pytest.approx(final["micro_auc"])
    settings = yaml.safe_load(next(trained.rglob("hparams.yml")).read_text())
    assert settings["data.dataset"] == "plaza" and settings["model.width"] == 4 and settings["stage.learning_rate"]


def test_every_row_has_its_interval_and_the_criteria_of_its_objects_whatever_the_smoothing(trained):
    """plaza annotates a box in every frame of an anomaly."""
    by_scorer: dict[tuple[str, str], set] = {}
    for row in json.loads((trained / "metrics.json").read_text())["rows"]:
        low, high = row["micro_auc_interval"]
        assert low <= row["micro_auc"] <= high and len(row["classes"]) >= 2
        by_scorer.setdefault((row["phase"], row["scorer"]), set()).add((row["rbdc"], row["tbdc"]))
    assert all(len(pairs) == 1 for pairs in by_scorer.values())
    assert all(0 <= value <= 1 for pairs in by_scorer.values() for pair in pairs for value in pair)


def test_a_score_file_that_is_not_whole_is_named_and_made_anew(trained, tiny_config):
    part = max((trained / "scores").rglob("*.parquet"), key=lambda path: path.stat().st_size)
    whole, before = part.read_bytes(), numbers(trained)
    pq.write_table(pq.read_table(part).slice(1), part)
    done = run("launch/evaluate.py", "--config", str(tiny_config), "--run", str(trained))
    assert done.returncode == 0, done.stderr
    assert part.name in done.stderr and "it is made anew" in done.stderr
    assert part.read_bytes() == whole and numbers(trained) == before


def test_a_run_without_a_state_says_what_to_do(tiny_config, tmp_path):
    done = run("launch/evaluate.py", "--config", str(tiny_config), "--run", str(tmp_path))
    assert done.returncode != 0 and "dist-vad train" in done.stderr


def test_a_score_does_not_depend_on_the_objects_scored_beside_it(tiny_shards):
    shards = ShardSet(tiny_shards / "cube-test")
    scorer = _scorer(shards)
    together = scorer.measure(shards, np.arange(40))
    alone = scorer.measure(shards, np.array([7]))
    for name in TASKS:
        assert np.array_equal(together[name].values[7], alone[name].values[0]), name


def test_calibration_sees_no_test_sample(tiny_shards):
    """It takes the training and the held-out normal set and nothing else, and gives the same whoever makes it."""
    train, val = (ShardSet(tiny_shards / f"cube-{split}") for split in ("train", "val"))
    first, again = (calibrate(_scorer(train), train, val) for _ in range(2))
    assert first.tails == again.tails and first.weights == again.weights
    assert first.scores_without_objects == again.scores_without_objects
    assert all(0 <= weight <= 1 for weight in first.weights.values())


def test_synthetic_anomalies_change_what_they_say_and_nothing_else(tiny_shards):
    shards = ShardSet(tiny_shards / "cube-val")
    normal = shards.read(np.arange(12))
    scenes = np.eye(2, normal.scenes.shape[1], dtype=np.float32)
    for name, kind in synthetic_anomalies(scenes).items():
        changed = kind.change(normal, scenes)
        other_clip = (changed.clips != normal.clips).flatten(1).any(dim=1)
        other_scene = (changed.scenes != normal.scenes).any(dim=1)
        assert other_scene.all() == (name == "elsewhere") and other_scene.any() == (name == "elsewhere")
        assert other_clip.any() == (name != "elsewhere")
    hasty = synthetic_anomalies(scenes)["hasty"].change(normal, scenes)
    assert np.array_equal(hasty.clips[:, 4].numpy(), normal.clips[:, 4].numpy()), "the middle frame stays"


def _scorer(shards: ShardSet) -> Scorer:
    import torch

    tasks = make_tasks(TASKS, TaskSettings()).values()
    network = build_network(tasks, width=4, embedding=16, scene_size=shards.manifest.scene_size, seed=0)
    settings = ScoreSettings(batch=16, calibration=64, refit=0)
    return Scorer(network, list(TASKS), settings, TaskSettings(), torch.device("cpu"))


def _kill_a_rank_when_files_are_there(arguments: list[str], folder: Path) -> None:
    """Start an evaluation, kill -9 its last rank once some of its files are there, and see the launch fail for it."""
    process = psutil.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list((folder / "scores").rglob("*.parquet"))) < 3:
        assert process.poll() is None and time.monotonic() < deadline, "it ended before a rank could be killed"
        time.sleep(0.01)
    max(process.children(recursive=True), key=lambda child: child.pid).kill()
    assert process.wait(timeout=100) != 0


def _link_states(source: Path, run_folder: Path) -> None:
    run_folder.mkdir(exist_ok=True)
    (run_folder / "states").symlink_to(source / "states")
