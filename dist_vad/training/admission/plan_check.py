"""The whole plan of a run, checked before its first step: what a late stage asks for is refused at once."""

import os
from collections.abc import Mapping

from dist_vad.base.errors import InputError
from dist_vad.base.machine import usable_memory
from dist_vad.curriculum.recipes import loss_weights
from dist_vad.curriculum.stages import stages_of
from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import shard_store
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS

NOT_HONOURED = {
    "ACCELERATE_MIXED_PRECISION": ("mixed_precision", ("no",), "train.precision says how a run computes"),
    "ACCELERATE_DYNAMO_BACKEND": ("dynamo_backend", ("no",), "train.compile says whether a network is compiled"),
    "ACCELERATE_USE_FSDP": ("distributed_type FSDP", ("false",), "configs/accelerate/zero3.yaml shares weights out"),
    "ACCELERATE_USE_MEGATRON_LM": ("distributed_type MEGATRON_LM", ("false",), "there are DDP and ZeRO"),
    "ACCELERATE_USE_PARALLELISM_CONFIG": ("parallelism_config", ("false",), "there are DDP and ZeRO"),
    "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": ("offload_optimizer_device", ("none",), "nothing is offloaded"),
    "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": ("offload_param_device", ("none",), "nothing is offloaded"),
    "ACCELERATE_DEEPSPEED_CONFIG_FILE": ("deepspeed_config_file", ("none",), "zero_stage alone is read"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": (
        "gradient_accumulation_steps", ("1", "none", "auto"), "train.micro_batch says how gradients are accumulated",
    ),
}  # fmt: skip
"""What a launch file leaves in the environment -> its name there, values that change nothing, what to use instead."""


def check_launch(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse what a launch file asks for and nothing here does. Raises InputError."""
    for variable, (name, allowed, instead) in NOT_HONOURED.items():
        value = environment.get(variable, allowed[0])
        if value.lower() not in (*allowed, ""):
            raise InputError(f"{name} of the launch is {value!r}; allowed: {', '.join(allowed)}, since {instead}")


def check_memory(ahead: int, prefetch: int, ranks_here: int, usable: int | None = None) -> None:
    """Refuse batches that do not fit into the memory that this process may use. Raises InputError, with both figures.

    Args:
        ahead: bytes of the batches in memory.
        ranks_here: ranks that share the memory of this machine.
        usable: bytes that they may use together; None = as the machine and its control groups say.
    """
    have = (usable_memory() if usable is None else usable) // ranks_here
    if ahead > have:
        raise InputError(
            f"train.prefetch is {prefetch}: with it batches take {ahead / 1e9:.1f} GB, and this process may use "
            f"{have / 1e9:.1f} GB; lower it, or curriculum.NAME.global_batch"
        )


def check_plan(settings: Settings, world: int) -> None:
    """Refuse what a stage of the curriculum would stumble over on so many ranks. Needs no sample. Raises InputError."""
    earlier: tuple[str, ...] = ()
    for name, stage in stages_of(settings).items():
        tasks = loss_weights(stage, earlier)
        if stage.keep == "best" and not any(TASKS[task].kind == "cube" for task in tasks):
            raise InputError(
                f"curriculum.{name}.keep is 'best', but none of its tasks can be measured on held-out normal video, "
                "which has cubes only; allowed: last"
            )
        _check_ranks(settings, name, stage, world)
        earlier = tuple(dict.fromkeys([*earlier, *stage.tasks]))
    kinds = {TASKS[task].kind for task in earlier}
    for root in settings.mix:
        if not any(shard_store(root, kind, "train").size(MANIFEST) is not None for kind in kinds):
            listed = ", ".join(f"{kind}-train" for kind in sorted(kinds))
            raise InputError(f"mix names {root!r}, where there is no shard set of those that are trained on ({listed})")


def _check_ranks(settings: Settings, name: str, stage: StageSettings, world: int) -> None:
    streams, micro = settings.stream.streams, settings.train.micro_batch
    if streams % world:
        raise InputError(
            f"{world} ranks do not divide the {streams} streams; set stream.streams to a multiple of {world}, or "
            "launch a number of ranks that divides them"
        )
    share = stage.global_batch // world
    if micro == "auto" or not micro or settings.mix:
        return
    count = share // micro
    if micro > share or share % micro or (streams // world) % count:
        sizes = [share // parts for parts in range(1, streams // world + 1) if (streams // world) % parts == 0]
        raise InputError(
            f"train.micro_batch is {micro}, but each of {world} ranks has {share} samples in a step of stage {name}; "
            f"allowed: 0 for all at once, {', '.join(map(str, sorted(sizes)))}"
        )
