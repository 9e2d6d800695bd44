"""The batch scripts under a true Slurm of two nodes: whatever ends a job early, its run ends the same."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from launching import succeed
from slurm_cluster import CannotStartError, Cluster
from states import digests

from dist_vad.base.files import write_json
from dist_vad.curriculum.state import read_state, relative_difference
from dist_vad.data.manifest import Manifest

SAME_BITS = ("--train.micro_batch", "4", "--train.cpu_threads", "1")
"""With these, one rank and two of them learn the same, bit by bit."""
OFTEN = ("--train.checkpoint_steps", "4")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    try:
        made = Cluster(tmp_path_factory.mktemp("slurm"))
    except CannotStartError as error:
        pytest.skip(f"needs a Slurm: {error}")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def config(tiny_config, tiny_shards) -> Path:
    """The tiny configuration, with the settings that its shards were written with, and time to be interrupted."""
    settings = json.loads(tiny_config.read_text())
    settings["data"] = Manifest.load(tiny_shards / "cube-train").settings
    settings["curriculum"]["comprehension"]["steps"] = 40
    path = tiny_config.with_name("slurm.json")
    write_json(path, settings)
    return path


@pytest.fixture(scope="session")
def calm(config, tmp_path_factory) -> Path:
    """The folder of a run without Slurm, without a break, on one rank."""
    run = tmp_path_factory.mktemp("calm")
    arguments = ["--config", str(config), "--run", str(run), *SAME_BITS]
    succeed("launch/demo.py", *arguments)  # training and evaluation in one process
    return run


def measured(run: Path) -> list:
    """The table of metrics.json."""
    return json.loads((run / "metrics.json").read_text())["rows"]


def restarts(cluster: Cluster, job: int) -> int:
    return int(cluster.facts(job)["Restarts"])


def training(run: Path, stage: str) -> Callable[[], bool]:
    """Whether a stage has left a checkpoint, and is not done."""
    return lambda: any(run.glob(f"training/{stage}-*/step-*/checkpoint.json"))


def ranks(run: Path) -> list[psutil.Process]:
    """The processes that train."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "launch/progressive.py" in words and str(run) in words and "slurm/node.py" not in words:
            found += [process] if words[0] != "srun" and "bash" not in words[0] else []
    return found


def submit(cluster: Cluster, script: str, config: Path, run: Path, *more: str, options=("--nodes=2",)) -> int:
    arguments = ("--config", str(config), "--run", str(run), *SAME_BITS, *OFTEN, *more)
    return cluster.submit(script, *arguments, options=options)


def test_a_pipeline_asked_to_end_in_mid_training_ends_with_the_weights_and_metrics_of_a_calm_run(
    cluster, config, calm, tmp_path
):
    """From video to report over two nodes; USR1 before the limit, a checkpoint, a requeue, the rest."""
    arguments = ["--config", str(config), "--run", str(tmp_path), "--shards", str(tmp_path / "shards"), *SAME_BITS]
    said = cluster.run("slurm/pipeline.sh", *arguments, *OFTEN)
    _, train, evaluate = (int(word) for word in said.replace(";", " ").split() if word.isdigit())
    assert cluster.state(evaluate) == "PENDING"
    cluster.wait(train, until=training(tmp_path, "comprehension"))
    cluster.run("scancel", "--batch", "--signal=USR1", str(train))
    assert cluster.wait(train) == "COMPLETED", cluster.log(train)
    assert cluster.wait(evaluate) == "COMPLETED", cluster.log(evaluate)

    assert restarts(cluster, train) == 1 and "start 0 ended with 75, after USR1" in cluster.log(train)
    assert "requeues  1" in cluster.run("slurm/status.sh", str(tmp_path)).splitlines()
    assert digests(tmp_path) == digests(calm)
    assert measured(tmp_path) == measured(calm)


def test_a_failing_stage_cancels_the_rest_and_is_not_tried_again(cluster, config, tmp_path):
    rate = "--curriculum.perception.tasks"
    arguments = ["--config", str(config), "--run", str(tmp_path), rate, "{no_such_task: 1}"]
    said = cluster.run("slurm/pipeline.sh", *arguments)
    _, train, evaluate = (int(word) for word in said.replace(";", " ").split() if word.isdigit())
    assert cluster.wait(train) == "FAILED" and restarts(cluster, train) == 0
    assert "no_such_task" in cluster.log(train) and "not requeued" in cluster.log(train)
    assert cluster.wait(evaluate) == "CANCELLED"


@pytest.mark.slow
def test_a_loop_of_requeues_that_leads_nowhere_stops_and_says_why(cluster, config, tmp_path):
    cluster.environment["ACCELERATE_CONFIG"] = str(tmp_path / "none.yaml")
    try:
        job = submit(cluster, "progressive.sh", config, tmp_path)
    finally:
        del cluster.environment["ACCELERATE_CONFIG"]
    assert cluster.wait(job) == "FAILED"
    assert restarts(cluster, job) == 1, "tried twice"
    log = cluster.log(job)
    assert "the last two starts led nowhere" in log and "start 0 ended with 1" in log and "none.yaml" in log


@pytest.mark.slow
def test_a_cancelled_step_is_made_good_by_the_next_start(cluster, config, calm, tmp_path):
    job = submit(cluster, "progressive.sh", config, tmp_path)
    cluster.wait(job, until=training(tmp_path, "comprehension"))
    cluster.run("scancel", f"{job}.0")
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert restarts(cluster, job) == 1 and digests(tmp_path) == digests(calm)


@pytest.mark.slow
def test_a_rank_killed_on_one_node_is_made_good_by_the_next_start(cluster, config, calm, tmp_path):
    job = submit(cluster, "progressive.sh", config, tmp_path)
    cluster.wait(job, until=training(tmp_path, "perception"))
    ranks(tmp_path)[-1].kill()
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert restarts(cluster, job) == 1 and digests(tmp_path) == digests(calm)


@pytest.mark.slow
def test_a_job_that_someone_requeues_goes_on_and_is_requeued_once(cluster, config, calm, tmp_path):
    job = submit(cluster, "progressive.sh", config, tmp_path)
    cluster.wait(job, until=training(tmp_path, "comprehension"))
    cluster.run("scontrol", "requeue", str(job))
    cluster.wait(job, until=lambda: restarts(cluster, job) == 1)
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert restarts(cluster, job) == 1 and digests(tmp_path) == digests(calm)


@pytest.mark.slow
def test_a_job_that_someone_cancels_stays_cancelled(cluster, config, tmp_path):
    job = submit(cluster, "progressive.sh", config, tmp_path)
    cluster.wait(job, until=training(tmp_path, "perception"))
    cluster.run("scancel", str(job))
    assert cluster.wait(job) == "CANCELLED" and not ranks(tmp_path)


@pytest.mark.slow
def test_a_time_limit_is_met_with_a_checkpoint_and_a_requeue(cluster, config, tmp_path):
    """The true clock: a limit of three minutes, a signal one to two minutes before it, as Slurm sees fit."""
    options = ("--nodes=2", "--time=3", "--signal=B:USR1@60")
    more = ("--curriculum.perception.steps", "40000")
    job = submit(cluster, "progressive.sh", config, tmp_path, *more, options=options)
    cluster.wait(job, until=lambda: restarts(cluster, job) == 1)
    assert "start 0 ended with 75, after USR1" in cluster.log(job)
    cluster.run("scancel", str(job))
    assert cluster.wait(job) == "CANCELLED"


@pytest.mark.slow
def test_deepspeed_trains_over_two_nodes_in_the_same_way(cluster, config, calm, tmp_path):
    cluster.environment["ACCELERATE_CONFIG"] = "configs/accelerate/zero2.yaml"
    try:
        job = submit(
            cluster, "progressive.sh", config, tmp_path, options=("--nodes=2", "--export=ALL,DS_ACCELERATOR=cpu")
        )
    finally:
        del cluster.environment["ACCELERATE_CONFIG"]
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert digests(tmp_path).keys() == digests(calm).keys()
    for name in digests(calm):
        made, expected = (read_state(run / "states" / name).load() for run in (tmp_path, calm))
        assert relative_difference(made, expected) < 1e-4


@pytest.mark.slow
def test_an_array_of_jobs_writes_the_shards_that_one_process_writes(cluster, config, tiny_shards, tmp_path):
    out = tmp_path / "shards"
    job = submit(cluster, "shards.sh", config, tmp_path, "--shards", str(out), options=("--array=1-3", "--ntasks=2"))
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    made = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert made == {p.relative_to(tiny_shards): p.read_bytes() for p in tiny_shards.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_a_bucket_that_is_down_is_waited_for_and_the_job_ends_well(
    cluster, server, environment, url, config, tiny_shards, tmp_path
):
    """Status 69: requeued, and gone on with once the server is there again."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        cluster.environment[name] = os.environ[name]
    server.kill()
    try:
        job = submit(cluster, "shards.sh", config, tmp_path, "--shards", url, options=("--ntasks=2", "--export=ALL"))
        cluster.wait(job, until=lambda: restarts(cluster, job) == 1)
        assert "start 0 ended with 69" in cluster.log(job) and "requeued" in cluster.log(job)
    finally:
        server.start()
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    for name in ("cube-train", "virtual-train"):
        assert Manifest.load(f"{url}/{name}").content_digest == Manifest.load(tiny_shards / name).content_digest


@pytest.mark.slow
def test_a_reading_process_that_is_killed_is_made_good_by_the_next_start(cluster, config, calm, tmp_path):
    job = submit(cluster, "progressive.sh", config, tmp_path, "--train.processes", "1", options=("--nodes=1",))
    cluster.wait(job, until=training(tmp_path, "comprehension"))
    readers = [
        child for rank in ranks(tmp_path) for child in rank.children() if "spawn_main" in " ".join(child.cmdline())
    ]
    readers[0].kill()
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert restarts(cluster, job) == 1 and "start 0 ended with 69" in cluster.log(job)
    assert digests(tmp_path) == digests(calm)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_full_disk_is_waited_for_and_the_job_ends_well(cluster, config, calm, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        filler = disk / "filler"
        job = submit(cluster, "progressive.sh", config, disk / "run", options=("--nodes=1",))
        cluster.wait(job, until=training(disk / "run", "comprehension"))
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(2**14))
                file.flush()
        cluster.wait(job, until=lambda: restarts(cluster, job) >= 1)
        assert "the disk is full" in cluster.log(job)
        filler.unlink()
        assert cluster.wait(job) == "COMPLETED", cluster.log(job)
        assert digests(disk / "run") == digests(calm)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], capture_output=True)
