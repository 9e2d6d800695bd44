"""Heads fitted on a frozen backbone, so that states which were trained on different tasks are asked the same things."""

import math
from collections.abc import Iterable

import torch
from accelerate import Accelerator
from torch import nn

from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.curriculum.heads import Asked, refit_precision
from dist_vad.curriculum.recipes import Stage
from dist_vad.curriculum.state import Tensors
from dist_vad.data.loader import Loader
from dist_vad.data.manifest import Manifest
from dist_vad.data.shard_sets import shard_store
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.run import Settings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import network_of, parts
from dist_vad.training.batches import BatchPreparer, open_sources
from dist_vad.training.stage_module import StageModule

BATCH, RATE = 32, 2e-3
"""Samples of a step, and the learning rate at its begin, from which it falls along a cosine."""


def fit_heads(settings: Settings, chosen: Iterable[Asked], accelerator: Accelerator) -> None:
    """Fit and keep the heads that each of some states, or the untrained network, is asked by and has not trained.

    Nothing to do where `score.refit` is 0, or where they are there already. The main process fits; all ranks must call
    it.
    """
    if settings.score.refit and accelerator.is_main_process:
        for each in chosen:
            if each.fitted and not each.is_kept(settings):
                each.save(settings, fit(settings, each, accelerator.device))
    accelerator.wait_for_everyone()


def fit(settings: Settings, each: Asked, device: torch.device) -> Tensors:
    """Train the heads of `each.fitted` for `score.refit` steps on the frozen backbone; gives the whole network.

    A phase's trunk is trained along where none of the phase's tasks has trained it.
    """
    scene_size = Manifest.load(shard_store(settings.shards, "cube", "train")).scene_size
    network = network_of(settings, each.tasks, each.own_weights(), each.trained, scene_size)
    module = StageModule(network, each.fitted, settings.task, refit_precision(settings)).to(device)
    own = _fitted_parameters(module, each)
    for parameter in module.parameters():
        parameter.requires_grad_(any(parameter is some for some in own))
    stage = Stage(
        "refit",
        StageSettings(tasks=dict.fromkeys(each.fitted, 1.0), global_batch=BATCH),
        {},
        "refit",
        partner=any(task.wants_partner for task in module.tasks.values()),
    )
    sources = {kind: open_sources(settings, stage, kind) for kind in stage.kinds}
    loader = Loader(sources, 0, 1, 0, settings.train.threads, settings.train.prefetch)
    preparer = BatchPreparer(settings, stage, module, device)
    optimizer, steps = torch.optim.AdamW(own, lr=RATE), settings.score.refit
    bar = progress_bar(loader.steps(0, steps), total=steps, desc=f"heads on {each.name}", unit=" steps")
    for step, (batches,) in bar:
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        losses = module(preparer.inputs(step, batches), preparer.draws(step, batches))
        torch.stack([loss.mean() for loss in losses.values()]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    last = ", ".join(f"{name} {float(loss.detach().mean()):.3f}" for name, loss in losses.items())
    log.info("heads fitted on the frozen backbone of %s: %s", each.name, last)
    return dict(network.state_dict())


def _fitted_parameters(module: StageModule, each: Asked) -> list[nn.Parameter]:
    """Those of the tasks' output layers, and of the trunks that no task has trained."""
    trained = {task.phase for task in make_tasks(each.trained, next(iter(module.tasks.values())).settings).values()}
    prefixes = []
    for task in module.tasks.values():
        _, trunk, output = parts(task)
        prefixes += [output] if task.phase in trained else [output, trunk]
    return [p for name, p in module.named_parameters() if name.startswith(tuple(prefixes))]
