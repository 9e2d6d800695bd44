"""What entry points do first and last: check the settings, make missing shards, note down how the run was started; make
the state whole that a training ends with."""

from collections.abc import Collection
from pathlib import Path

from accelerate import Accelerator

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.sealed import read_or, write_sealed
from dist_vad.base.text.redact import all_redacted
from dist_vad.curriculum.heads import DATA
from dist_vad.curriculum.initial import given_state
from dist_vad.curriculum.precision import keep_precision
from dist_vad.curriculum.recipes import check_tasks, last_state
from dist_vad.curriculum.stages import remarks, stages_of
from dist_vad.curriculum.state import State
from dist_vad.data.manifest import MANIFEST, SPLITS, Manifest
from dist_vad.data.store import open_store
from dist_vad.producer.agreement import check_agreement
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.command_line.flat import flat
from dist_vad.settings.data import unused
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings
from dist_vad.training.accelerators import make_accelerator
from dist_vad.training.admission.plan_check import check_launch, check_plan
from dist_vad.training.heartbeat import watched
from dist_vad.training.trainer import PREEMPTION

TEST_SETS = ["cube-test", "clip-test"]


def open_run(settings: Settings, needs: list[str], asked: Collection[str] = (), finished: bool = False) -> Accelerator:
    """Check the settings, write the shard sets among `needs` that are missing, write `run.json`.

    Args:
        needs: shard sets such as `cube-train` that the caller is going to read.
        asked: names of the settings that the user gave: shard sets that are there must be as these say.
        finished: a stage of these settings must be finished, or what the run has noted stays as it is.
    """
    check_launch()
    check_tasks(settings)
    given_state(settings)
    run = Path(settings.run)
    accelerator = make_accelerator(settings.train, run)
    check_plan(settings, accelerator.num_processes)
    with watched(accelerator, settings.train.timeout_seconds):
        if accelerator.is_main_process:
            for remark in [*remarks(stages_of(settings)), *unused(settings.data, asked)]:
                log.info("remark: %s", remark)
            check_agreement(settings.data, settings.shards, needs, asked)
            _make_missing_shards(settings, needs)
            _check_unchanged(settings, needs)
            if finished:
                last_state(settings)
            (run / PREEMPTION).unlink(missing_ok=True)  # the run goes on, or was at its end
            write_sealed(run / "run.json", {**provenance(settings), "precision": keep_precision(settings)})
    accelerator.init_trackers(
        "dist_vad", config=all_redacted(flat(settings)), init_kwargs={"wandb": {"name": run.name}}
    )
    return accelerator


def open_test_video(settings: Settings, trained: Settings, asked: Collection[str] = ()) -> Accelerator:
    """Write the shards of test video that is not the run's own, where they are missing; what the run has noted stays.

    Args:
        trained: settings of the run that trained.
        asked: names of the settings that the user gave: shard sets that are there must be as these say.
    """
    check_launch()
    accelerator = make_accelerator(settings.train, Path(settings.run))
    with watched(accelerator, settings.train.timeout_seconds):
        if accelerator.is_main_process:
            log.info("test video of %s, by the states that %s trained", settings.data.root, trained.run)
            check_agreement(settings.data, settings.shards, TEST_SETS, asked)
            _make_missing_shards(settings, TEST_SETS[:1], ("test",))
    return accelerator


def _make_missing_shards(settings: Settings, needs: list[str], splits: Collection[str] = SPLITS) -> None:
    root = settings.shards
    store = open_store(root)
    missing = [name for name in dict.fromkeys(needs) if store.child(name).size(MANIFEST) is None]
    if missing:
        what = ", ".join(missing)
        log.info("shard sets missing in %s: %s; writing them now (%s)", root, what, settings.data.dataset)
        write_shards(settings.data, root, WriteOptions(splits=tuple(splits)))


def _check_unchanged(settings: Settings, needs: list[str]) -> None:
    """Refuse shard sets that hold other samples than when this run first read them: half of what was trained, or of
    what was scored, would be of the one and half of the other."""
    path = Path(settings.run) / DATA
    then = read_or(path, {})
    now = {
        f"{root}/{name}": Manifest.load(store).content_digest
        for root, place in ((root, open_store(root)) for root in [settings.shards, *settings.mix])
        for name in needs
        if (store := place.child(name)).size(MANIFEST) is not None
    }
    changed = [name for name in now if then.get(name, now[name]) != now[name]]
    if changed:
        how = "; ".join(f"{name} was {then[name][:12]}, now {now[name][:12]}" for name in changed)
        raise InputError(
            f"shard sets changed since {settings.run} began: {how}; choose another --run, or bring back the shards "
            f"that it began with"
        )
    write_sealed(path, {**then, **now})


def calibrate_state(settings: Settings, state: State, accelerator: Accelerator) -> None:
    """Write `calibration.safetensors` into the state's folder, unless a fitting one is there; the others wait.

    What keeps a state from being calibrated is no fault of its training: it is said, and the state stays as it is.
    """
    from dist_vad.inference.detector import Detector  # what only evaluates needs nothing of it

    with watched(accelerator, settings.train.timeout_seconds):
        if accelerator.is_main_process:
            try:
                Detector.load(state, accelerator.device)
            except InputError as error:
                log.warning("warning: %s is not calibrated: %s", state.folder, error)
