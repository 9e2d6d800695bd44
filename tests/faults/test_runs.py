"""Runs that diverge, meet each other, are orphaned, or hold links: told, held off, followed."""

import contextlib
import importlib
import inspect
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from launching import ROOT

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.manifest import Manifest
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.producer.agreement import check_agreement
from dist_vad.producer.verify import sets_below, verify_set
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.train import TrainSettings
from dist_vad.training.accelerators import LAUNCHERS, end_with_launcher, stay_inside
from dist_vad.training.admission.lock import stage_lock
from dist_vad.training.admission.plan_check import NOT_HONOURED, check_launch, check_plan
from dist_vad.training.guard import divergence

pytestmark = pytest.mark.kind(12)

FINE = torch.linspace(-3, 3, 7)
ENDS = {
    "weights of use": ({"w": FINE}, 0, ""),
    "one bad sample at the end": ({"w": FINE}, 1, ""),
    "a counter": ({"w": FINE, "steps": torch.tensor(10**9)}, 0, ""),
    "an empty tensor": ({"w": torch.zeros(0)}, 0, ""),
    "a rate of 1e30": ({"w": FINE * 1e30}, 0, "w has weights of 3e+30"),
    "an infinite weight": ({"a": FINE, "w": torch.tensor([1.0, float("inf")])}, 0, "w has weights of inf"),
    "a weight that is no number": ({"w": torch.tensor([1.0, float("nan")])}, 0, "w has weights of nan"),
    "a minus infinite weight": ({"w": torch.tensor([-float("inf")])}, 0, "w has weights of inf"),
    "no finite loss at the end": ({"w": FINE}, 2, "the last 2 steps had no finite loss"),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_stage_that_has_diverged_is_not_handed_on(case):
    weights, skipped, expected = ENDS[case]
    assert divergence(weights, skipped) == expected


VALIDATED = {
    "a loss of use": ({"prediction": 0.5}, ""),
    "none was measured": ({}, ""),
    "a loss that is no number": ({"prediction": 0.5, "jigsaw": math.nan}, "jigsaw has a loss of nan on held-out normal video"),
    "an infinite loss": ({"prediction": math.inf}, "prediction has a loss of inf on held-out normal video"),
}  # fmt: skip


@pytest.mark.parametrize("case", VALIDATED)
def test_a_stage_whose_held_out_loss_is_no_number_is_not_handed_on(case):
    validated, expected = VALIDATED[case]
    assert divergence({"w": FINE}, 0, validated) == expected


def test_a_stage_is_trained_by_one_process_at_a_time(tmp_path):
    with (
        stage_lock(tmp_path, "perception-1"),
        pytest.raises(Unavailable, match=rf"process {os.getpid()} on \S+ trains the stage perception-1"),
        stage_lock(tmp_path, "perception-1", patience=0.1),
    ):
        pass
    with stage_lock(tmp_path, "perception-1", patience=0), stage_lock(tmp_path, "inference-1", patience=0):
        pass


def test_a_lock_ends_with_a_killed_process(tmp_path):
    program = f"""
from pathlib import Path
from dist_vad.training.admission.lock import stage_lock
with stage_lock(Path({str(tmp_path)!r}), "perception-1"):
    print("held", flush=True)
    input()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout and process.stdout.readline() == b"held\n"
    process.kill()
    process.wait()
    with stage_lock(tmp_path, "perception-1", patience=0):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("variable", LAUNCHERS)
def test_a_rank_whose_launcher_is_killed_is_asked_to_end(variable):
    rank = (
        "import os, signal, sys, time; from dist_vad.training.accelerators import end_with_launcher\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('asked', flush=True), os._exit(0)))\n"
        f"end_with_launcher({{{variable!r}: 'x'}}); print('ready', flush=True); time.sleep(60)"
    )
    launcher = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {rank!r}]); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    process.kill()
    assert process.stdout.readline() == b"asked\n"


def test_what_another_process_finished_meanwhile_is_not_trained_again(tiny_config, tmp_path, monkeypatch):
    """Whoever waited for the lock takes the state that the other one made."""
    from accelerate import Accelerator, PartialState

    from dist_vad.curriculum.recipes import plan as stages_of_run
    from dist_vad.curriculum.state import save_state
    from dist_vad.training import trainer

    settings = plan(shards=json.loads(tiny_config.read_text())["shards"], run=str(tmp_path / "run"))
    stage = stages_of_run(settings)[0]
    facts = {"key": stage.key, "stage": stage.name, "lineage": [], "tasks": [], "recipe": {}, "metrics": {}}

    @contextlib.contextmanager
    def lock_of_another(run, name):
        save_state(run / "states" / name, {"w": FINE}, **facts)
        yield

    monkeypatch.setattr(trainer, "stage_lock", lock_of_another)
    monkeypatch.setattr(trainer, "Training", lambda *_: pytest.fail("it was trained again"))
    state = trainer.train_stage(settings, stage, None, Accelerator(cpu=True))
    PartialState._reset_state()
    assert state.folder.name == stage.folder_name


def test_a_rank_without_a_launcher_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("nobody asked for it"))
    end_with_launcher({})


ENVIRONMENTS = {
    "two ranks of one machine": ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, "lo"),
    "two machines": ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}, None),
    "alone": ({"WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, None),
    "without a launcher": ({}, None),
    "as the user says": ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "eth7"}, "eth7"),
}  # fmt: skip


@pytest.mark.kind(11)
@pytest.mark.parametrize("case", ENVIRONMENTS)
@pytest.mark.skipif(not Path("/sys/class/net/lo").exists(), reason="needs Linux")
def test_the_ranks_of_one_machine_listen_to_each_other_alone(case):
    environment, expected = ENVIRONMENTS[case]
    stay_inside(environment := dict(environment))
    assert environment.get("GLOO_SOCKET_IFNAME") == expected


# -- the whole plan


LAUNCHES = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_DYNAMO_BACKEND": "INDUCTOR",
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_USE_MEGATRON_LM": "true",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "true",
    "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "cpu",
    "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": "nvme",
    "ACCELERATE_DEEPSPEED_CONFIG_FILE": "ds.json",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
}


@pytest.mark.kind(5)
@pytest.mark.parametrize("variable", NOT_HONOURED)
def test_what_a_launch_file_asks_for_and_nothing_does_is_refused(variable):
    name, allowed, _ = NOT_HONOURED[variable]
    with pytest.raises(InputError, match=f"{name} of the launch is '{LAUNCHES[variable]}'; allowed: "):
        check_launch({variable: LAUNCHES[variable]})
    for value in allowed:
        check_launch({variable: value, "ACCELERATE_USE_CPU": "true"})


def plan(streams: int = 8, batch: int = 16, **changes) -> Settings:
    from dist_vad.settings.stream import StreamSettings

    stages = {
        "first": StageSettings(tasks={"prediction": 1.0}, global_batch=batch, steps=3),
        "last": StageSettings(tasks={"virtual": 1.0}, global_batch=batch, steps=3, keep=changes.pop("keep", "last")),
    }
    return Settings(stream=StreamSettings(streams=streams), curriculum=stages, stage=stages["first"], **changes)


PLANS = {
    "keep best where nothing is measured": (lambda: plan(keep="best"), 1, "curriculum.last.keep is 'best', but none of its"),
    "a micro-batch that no step has": (lambda: plan(train=TrainSettings(micro_batch=64)), 1, "micro_batch is 64, but each of 1 ranks has 16"),
    "a micro-batch that divides nothing": (lambda: plan(train=TrainSettings(micro_batch=3)), 1, "allowed: 0 for all at once, 2, 4, 8, 16"),
    "a micro-batch of half a stream": (lambda: plan(train=TrainSettings(micro_batch=1)), 1, "micro_batch is 1, but"),
    "more ranks than streams": (lambda: plan(), 16, "16 ranks do not divide the 8 streams"),
    "ranks that divide nothing": (lambda: plan(), 3, "3 ranks do not divide the 8 streams"),
    "a folder of mix without shards": (lambda: plan(mix={"/no/such/shards": 4}), 1, "mix names '/no/such/shards', where there is no shard set"),
    "all is well": (lambda: plan(train=TrainSettings(micro_batch=2)), 4, None),
}  # fmt: skip


@pytest.mark.kind(5)
@pytest.mark.parametrize("case", PLANS)
def test_what_a_late_stage_would_stumble_over_is_refused_at_once(case):
    make, world, message = PLANS[case]
    if message is None:
        check_plan(make(), world)
    else:
        with pytest.raises(InputError, match=message):
            check_plan(make(), world)


# -- shard sets that are there


ASKED = {
    "nothing": ({}, [], None),
    "the same": ({}, ["data.dataset", "data.root", "data.train_stride"], None),
    "another data set": ({"dataset": "plaza"}, ["data.dataset"], "was cut with dataset 'folder', but data.dataset is 'plaza'"),
    "another stride": ({"train_stride": 3}, ["data.train_stride"], "cut with train_stride 2, but data.train_stride is 3"),
    "another stride that nobody gave": ({"train_stride": 3}, ["data.dataset"], None),
    "another size": ({"cube_size": 64}, ["data.cube_size"], "cut with cube_size 48, but data.cube_size is 64"),
    "another codec": ({"codec": "png"}, ["data.codec"], "cut with codec 'jpeg', but data.codec is 'png'"),
    "another context": ({"context": 0.5}, ["data.context"], "cut with context 0.1, but data.context is 0.5"),
    "a threshold of the detector": ({"threshold": 30}, ["data.detector.threshold"], "cut with detector.threshold 22"),
    "another data set of the same kind": ({"root": "other"}, ["data.root"], "was cut from other train videos than lie at data.root"),
    "a data set that is not here": ({"root": "/no/such"}, ["data.root"], "data.root is '/no/such', where there is no folder"),
}  # fmt: skip


@pytest.mark.kind(5)
@pytest.mark.parametrize("case", ASKED)
def test_shard_sets_that_are_there_must_be_those_that_are_asked_for(case, tiny_dataset, tiny_sets, tmp_path):
    import dataclasses

    from miniature import make_folder

    changes, asked, message = ASKED[case]
    changes = dict(changes)
    if changes.get("root") == "other":
        make_folder(tmp_path / "other", train=3, count=14)
        changes["root"] = str(tmp_path / "other")
    if "threshold" in changes:
        changes = {"detector": dataclasses.replace(tiny_dataset.detector, **changes)}
    settings: DataSettings = dataclasses.replace(tiny_dataset, **changes)
    needs = ["cube-train", "cube-val", "cube-test", "virtual-train"]
    if message is None:
        check_agreement(settings, str(tiny_sets), needs, asked)
    else:
        with pytest.raises(InputError, match=message):
            check_agreement(settings, str(tiny_sets), needs, asked)


@pytest.mark.kind(5)
def test_a_video_that_was_added_since_is_noticed(tiny_dataset, tiny_sets, tmp_path):
    import dataclasses
    import shutil

    from miniature import write_pictures

    root = shutil.copytree(tiny_dataset.root, tmp_path / "data")
    moved = dataclasses.replace(tiny_dataset, root=str(root))
    check_agreement(moved, str(tiny_sets), ["cube-train", "cube-val"], ["data.root"])
    write_pictures(root / "train/a_9", 14)
    with pytest.raises(InputError, match=r"other train videos .*'train_a_9'"):
        check_agreement(moved, str(tiny_sets), ["cube-train", "cube-val"], ["data.root"])


# -- links


def test_a_linked_folder_of_shards_is_followed_and_a_circle_ends(tiny_sets, tmp_path):
    (tmp_path / "linked").symlink_to(tiny_sets)
    (tmp_path / "linked-set").symlink_to(tiny_sets / "cube-train")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "nothing").symlink_to("/no/such")
    found = {store.where() for store in sets_below(open_store(tmp_path))}
    assert any(where.endswith("linked/cube-val") for where in found)
    assert verify_set(tmp_path / "linked-set") == [] and len(ShardSet(tmp_path / "linked-set"))
    assert Manifest.load(tmp_path / "linked/cube-test").samples


def test_a_signal_at_the_very_end_leaves_no_mark_for_the_next_start(tiny_config, tmp_path, monkeypatch):
    """The stage is finished, the mark says so; whoever starts next finds the run at its end, and removes it."""
    from accelerate import PartialState

    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.recipes import training_needs
    from dist_vad.training.trainer import PREEMPTION

    values = json.loads(tiny_config.read_text())
    settings = plan(shards=values["shards"], run=str(tmp_path / "run"), train=TrainSettings(tracker="none"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / PREEMPTION).write_text("{}")
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    accelerator = open_run(settings, training_needs(settings))
    accelerator.end_training()
    PartialState._reset_state()
    assert not (tmp_path / "run" / PREEMPTION).exists() and (tmp_path / "run/run.json").exists()


def test_a_run_whose_stages_are_not_there_keeps_its_record(tiny_config, tmp_path, monkeypatch):
    """Who asks with other settings than it was trained with is refused, and nothing is noted down in their place."""
    from accelerate import PartialState

    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.recipes import training_needs

    settings = plan(
        shards=json.loads(tiny_config.read_text())["shards"], run=str(tmp_path), train=TrainSettings(tracker="none")
    )
    (tmp_path / "run.json").write_text("as it was")
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    with pytest.raises(InputError, match="no finished stage"):
        open_run(settings, training_needs(settings), finished=True)
    PartialState._reset_state()
    assert (tmp_path / "run.json").read_text() == "as it was"


WITHOUT_STEPS = (
    "dist_vad.cli.session", "dist_vad.cli.evaluate", "dist_vad.cli.validate", "dist_vad.cli.demo", "dist_vad.ablation.job",
)  # fmt: skip


@pytest.mark.parametrize("module", WITHOUT_STEPS)
def test_work_of_all_ranks_that_has_no_steps_is_watched(module):
    assert "with watched(" in inspect.getsource(importlib.import_module(module))


RANK = """
import os, signal, sys, time
from datetime import timedelta
import torch.distributed as dist
from dist_vad.training.heartbeat import watched
class Ranks:
    process_index, num_processes = int(sys.argv[1]), 2
    def wait_for_everyone(self): dist.barrier()
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="tcp://127.0.0.1:" + sys.argv[2], rank=rank, world_size=2, timeout=timedelta(seconds=60))
with watched(Ranks(), timeout=1.0):
    dist.barrier()
    print("both are there", flush=True)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(30)
"""


def test_a_rank_that_is_stopped_while_others_score_is_named(tmp_path):
    from seaweed import free_ports

    from dist_vad.base.errors import STALLED

    (port,) = free_ports(1)
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(port)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for rank in (0, 1)
    ]
    try:
        assert ranks[0].wait(timeout=120) == STALLED
        assert ranks[0].stderr and "stopped or its machine gone: rank 1" in ranks[0].stderr.read()
    finally:
        for process in ranks:
            process.kill()
            process.wait()
