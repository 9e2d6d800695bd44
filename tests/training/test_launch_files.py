"""The launch files that ship: what each asks for is what the trainer does; and nothing looks for a GPU at import."""

import os
import subprocess
import sys

import pytest
import yaml
from accelerate.commands import launch
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import launch as environments
from launching import ROOT

from dist_vad.training.accelerators import zero_stage
from dist_vad.training.admission.plan_check import check_launch

FILES = sorted((ROOT / "configs/accelerate").glob("*.yaml"))
HONOURED = {
    "compute_environment", "distributed_type", "num_machines", "num_processes", "machine_rank", "main_process_ip",
    "main_process_port", "rdzv_backend", "gpu_ids", "use_cpu", "mixed_precision", "dynamo_backend", "deepspeed_config",
}  # fmt: skip


def surroundings(path) -> dict[str, str]:
    """The variables that `accelerate launch` gives to ranks."""
    given = launch_command_parser().parse_args(["--config_file", str(path), "script.py"])
    arguments = launch._validate_launch_command(given)[0]
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = "zero_stage"
        return environments.prepare_deepspeed_cmd_env(arguments)[1]
    if arguments.multi_gpu:
        return environments.prepare_multi_gpu_env(arguments)
    return environments.prepare_simple_launcher_cmd_env(arguments)[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_launch_file_asks_for_is_honoured(path, monkeypatch):
    text = path.read_text()
    assert text.startswith("# "), "says what it is for"
    asked = yaml.safe_load(text)
    assert asked.keys() <= HONOURED and asked.get("deepspeed_config", {}).keys() <= {"zero_stage"}
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        monkeypatch.delenv(name)
    given = surroundings(path)
    check_launch(given)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert zero_stage() == asked.get("deepspeed_config", {}).get("zero_stage", 0)


def test_a_launch_file_with_what_nothing_honours_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(next(file for file in FILES if file.stem == "rtx3090").read_text().replace('"no"', "bf16"))
    with pytest.raises(ValueError, match="mixed_precision of the launch is 'bf16'; allowed: "):
        check_launch(surroundings(path))


IMPORTS = """
import importlib, pkgutil, torch
def asked(*_): raise SystemExit("a GPU was looked for at import")
torch.cuda._lazy_init = torch.cuda.init = asked
import dist_vad
for module in pkgutil.walk_packages(dist_vad.__path__, "dist_vad."):
    importlib.import_module(module.name)
print(torch.cuda.is_initialized())
"""


@pytest.mark.parametrize("visible", ["", None], ids=["none is visible", "all are visible"])
def test_no_module_touches_a_gpu_at_import(visible):
    given = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    given |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, env=given, cwd=ROOT)
    assert done.stdout.strip().endswith("False") and done.returncode == 0, done.stderr
