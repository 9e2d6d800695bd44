"""How many samples one rank passes through the network at once. It changes speed and memory, not what is learned."""

from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, reduce

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.sealed import read_or, write_sealed
from dist_vad.curriculum.recipes import Stage
from dist_vad.data.loader import Loader, Source
from dist_vad.settings.train import TrainSettings
from dist_vad.training.batches import BatchPreparer
from dist_vad.training.stage_module import StageModule

MICRO_BATCH = "micro_batch.json"
"""In a run's folder: what `auto` chose, by stage. A restart takes that, so that its weights are bit-identical."""


def planned(settings: TrainSettings, global_batch: int, world: int) -> int:
    """The micro-batch that settings name; 0 = a rank's whole share. With fewer ranks than planned for, it is what each
    of those would take."""
    size = 0 if settings.micro_batch == "auto" else settings.micro_batch
    return size if size or settings.ranks <= world else global_batch // settings.ranks


def candidates(sources: dict[str, list[Source]], world: int) -> list[int]:
    """Micro-batches into which a rank's share falls in whole streams, largest first."""
    share = sum(s.streams.share for s in next(iter(sources.values()))) // world
    sizes = []
    for size in (share // count for count in range(1, share + 1) if share % count == 0):
        try:
            Loader(sources, 0, world, size, threads=1, prefetch=1)
        except InputError:
            continue
        sizes.append(size)
    return sizes


def too_large(sources: dict[str, list[Source]], world: int, micro_batches: int, saved: str) -> InputError:
    """What to say where a rank's samples of one pass do not fit into its memory.

    Args:
        micro_batches: of a step, on each rank.
        saved: what of the training is kept.
    """
    sizes = candidates(sources, world)
    now = sizes[0] // micro_batches
    smaller = next((size for size in sizes if size < now), None)
    advice = f"--train.micro_batch {smaller}, or auto" if smaller else "a smaller --model.width, or more ranks"
    return InputError(f"the device's memory does not hold {now} samples at once; give {advice}: {saved}")


def largest(sizes: list[int], fits: Callable[[int], bool]) -> int:
    """The first of `sizes`, largest first, that fits. Raises InputError where none does."""
    for size in sizes:
        if fits(size):
            return size
    raise InputError(
        f"train.micro_batch auto: not even {sizes[-1]} samples at once fit into the memory of the GPU, or into "
        "train.memory_gb; raise it, give stream.streams more streams, or choose a smaller model.width"
    )


def choose(
    settings: TrainSettings,
    run: Path,
    stage: Stage,
    sources: dict[str, list[Source]],
    module: StageModule,
    preparer: BatchPreparer,
    accelerator: Accelerator,
) -> int:
    """The micro-batch of a stage on this launch, the same on every rank; 0 = a rank's whole share.

    `auto` on a CPU is the whole share at the planned ranks, as 0 is: there memory is not what is short.
    """
    world = accelerator.num_processes
    if settings.micro_batch != "auto" or accelerator.device.type != "cuda":
        return planned(settings, stage.settings.global_batch, world)
    path = run / MICRO_BATCH
    known = broadcast_object_list([read_or(path, {})])[0] or {}
    sizes = candidates(sources, world)
    if stage.folder_name in known:
        # With fewer ranks than before, or with more: the largest that divides the new share.
        return next((size for size in sizes if size <= known[stage.folder_name]), sizes[-1])
    module.to(accelerator.device)

    def fits(size: int) -> bool:
        alone = _fits(size, settings, sources, module, preparer, accelerator)
        everywhere = reduce(torch.tensor(float(alone), device=accelerator.device), reduction="sum")
        return float(everywhere) == world  # pyright: ignore[reportArgumentType]

    size = largest(sizes, fits)
    if accelerator.is_main_process:
        write_sealed(path, {**known, stage.folder_name: size})
        log.info("  micro-batch of %s: %s samples, the largest of %s that fits", stage.name, size, sizes)
    return size


def _fits(
    size: int,
    settings: TrainSettings,
    sources: dict[str, list[Source]],
    module: StageModule,
    preparer: BatchPreparer,
    accelerator: Accelerator,
) -> bool:
    """Whether a forward and backward pass over so many samples, beside AdamW's moments, stays within the memory."""
    rank, world = accelerator.process_index, accelerator.num_processes
    (batches, *_) = Loader(sources, rank, world, size, threads=1, prefetch=1).read(0)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        losses = module(preparer.inputs(0, batches), preparer.draws(0, batches))
        torch.stack([loss.sum() for loss in losses.values()]).sum().backward()
    except torch.cuda.OutOfMemoryError:
        return False
    finally:
        module.zero_grad(set_to_none=True)
    moments = 2 * sum(p.numel() * p.element_size() for p in module.parameters() if p.requires_grad)
    limit = settings.memory_gb * 1e9 or 0.92 * torch.cuda.get_device_properties(accelerator.device).total_memory
    return torch.cuda.max_memory_reserved() + moments <= limit
