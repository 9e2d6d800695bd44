"""Anomalies planted on held-out normal cubes, to learn without any test label how far each head can be trusted."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from dist_vad import counters
from dist_vad.shardset import Batch

Plant = Callable[[Batch, np.ndarray], Batch]
"""Changes a batch; the second argument holds the f_scene of every scene there is, float32 [S, D_B]."""


def hasty(batch: Batch, scenes: np.ndarray) -> Batch:
    """Motion at twice its speed around the middle frame, which stays; at the clip's ends time turns back."""
    length = batch.clips.shape[1]
    middle = length // 2
    turned = (2 * np.arange(length) - middle) % (2 * (length - 1))
    frames = np.where(turned < length, turned, 2 * (length - 1) - turned)
    return Batch(batch.clips[:, frames], batch.scenes, batch.labels, batch.positions)


def foreign(batch: Batch, scenes: np.ndarray) -> Batch:
    """A thing of random colours over the middle of the crop, still in all frames."""
    b, t, h, w, _ = batch.clips.shape
    coarse = counters.uniform("foreign", batch.positions[:, None], np.arange(3 * 16)).reshape(b, 3, 4, 4)
    size = (h * 5 // 8, w * 5 // 8)
    thing = functional.interpolate(torch.from_numpy(coarse).float(), size=size, mode="bilinear").mul(255).byte()
    clips, top, left = batch.clips.clone(), h * 3 // 16, w * 3 // 16
    clips[:, :, top : top + size[0], left : left + size[1]] = thing.permute(0, 2, 3, 1)[:, None].expand(b, t, *size, 3)
    return Batch(clips, batch.scenes, batch.labels, batch.positions)


def elsewhere(batch: Batch, scenes: np.ndarray) -> Batch:
    """The same happening in another scene."""
    own = np.abs(batch.scenes.numpy()[:, None] - scenes[None]).sum(axis=2).argmin(axis=1)
    other = (own + counters.integers(1, len(scenes), "elsewhere", batch.positions)) % len(scenes)
    return Batch(batch.clips, torch.from_numpy(scenes[other]), batch.labels, batch.positions)


def plants(scenes: np.ndarray) -> dict[str, Plant]:
    """What can be planted, given the f_scene of every scene; with a single scene there is no elsewhere."""
    possible: dict[str, Plant] = {"hasty": hasty, "foreign": foreign, "elsewhere": elsewhere}
    if len(scenes) < 2:
        del possible["elsewhere"]
    return possible
