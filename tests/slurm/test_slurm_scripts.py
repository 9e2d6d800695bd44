"""The batch scripts without a Slurm: what they say, what they would do, and that they are well formed."""

import os
import shutil
import subprocess
import sys

import pytest
from launching import ROOT

JOBS = ("shards", "progressive", "evaluate", "pipeline")
SCRIPTS = sorted((ROOT / "slurm").glob("*.sh"))


def call(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as on a machine that has no Slurm."""
    here = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    given = {**here, "PYTHON": sys.executable, "SITE": "/dev/null", "PYTHONPATH": str(ROOT), **environment}
    path = str(ROOT / "slurm" / f"{script}.sh")
    return subprocess.run([path, *arguments], capture_output=True, text=True, env=given, cwd="/")


@pytest.mark.parametrize("script", [*JOBS, "status"])
def test_help_is_the_comment_at_the_head_of_the_script(script):
    done = call(script, "--help")
    assert done.returncode == 0 and f"slurm/{script}.sh" in done.stdout
    assert "#" not in done.stdout and "SBATCH" not in done.stdout


def test_a_dry_run_shows_all_jobs_each_after_the_one_before_and_submits_none(tmp_path):
    site = tmp_path / "site.sh"
    site.write_text("TRAIN_JOB=(--nodes=3 --gres=gpu:4)\n")
    done = call("pipeline", "--dry-run", "--run", str(tmp_path / "run"), "--seed", "7", SITE=str(site))
    assert done.returncode == 0, done.stderr
    shards, train, evaluate = (line.split() for line in done.stdout.splitlines())
    assert "slurm/shards.sh" in shards and not any(word.startswith("--dependency") for word in shards)
    assert {"--dependency=afterok:NUMBER_OF_shards", "--nodes=3", "--gres=gpu:4"} <= set(train)
    assert "--dependency=afterok:NUMBER_OF_progressive" in evaluate
    for words in (shards, train, evaluate):
        assert words[0] == "sbatch" and "--kill-on-invalid-dep=yes" in words and words[-2:] == ["--seed", "7"]
    assert not (tmp_path / "run").exists()


def test_each_node_gets_one_launcher_and_as_many_ranks_as_gpus(tmp_path):
    given = {"SLURM_JOB_NUM_NODES": "3", "SLURM_GPUS_ON_NODE": "4", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
    done = call("progressive", "--dry-run", "--run", str(tmp_path), **given)
    srun = done.stdout.splitlines()[-1]
    assert "--nodes=3 --ntasks=3 --ntasks-per-node=1" in srun and "--num_machines 3 --num_processes 12" in srun
    assert "--multi_gpu" in srun and "--main_process_ip 10.0.0.1 --main_process_port 29500" in srun
    alone = call("progressive", "--dry-run", "--run", str(tmp_path)).stdout.splitlines()[-1]
    assert "--num_machines 1 --num_processes 1" in alone and "--multi_gpu" not in alone


def test_deepspeed_is_one_variable(tmp_path):
    config = "configs/accelerate/zero2.yaml"
    done = call("progressive", "--dry-run", "--run", str(tmp_path), ACCELERATE_CONFIG=config)
    assert f"slurm/node.py --config_file {config} --deepspeed_multinode_launcher standard" in done.stdout


@pytest.mark.parametrize("script", JOBS)
def test_wrong_settings_are_refused_before_anything_is_queued(script):
    done = call(script, "--seed", "many")
    assert done.returncode == 2 and "seed" in done.stderr and "sbatch" not in done.stderr


def test_shellcheck_is_clean():
    program = shutil.which("shellcheck")
    if not program:
        pytest.skip("no shellcheck here: apt-get install shellcheck")
    done = subprocess.run(
        [program, *(str(path.relative_to(ROOT)) for path in SCRIPTS), ".ci/run"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout
