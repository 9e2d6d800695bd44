"""Anomalies planted on held-out normal cubes, to learn without any test label how far each score can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from dist_vad.base import counters
from dist_vad.data.shardset import Batch
from dist_vad.scoring.geometry import SPEED, WIDTH

Change = Callable[[Batch, np.ndarray], Batch]
"""Changes a batch; the second argument holds the f_scene of every scene there is, float32 [S, D_B]."""


@dataclass(frozen=True)
class Plant:
    """One kind of planted anomaly: what it does to the pixels of a cube, and what to its box."""

    change: Change
    wider: tuple[float, float] = (1.0, 1.0)
    """The box becomes so many times as wide: lowest and highest factor, drawn uniformly for each object."""
    faster: tuple[float, float] = (1.0, 1.0)
    """It moves so many times as fast, likewise."""

    def boxes(self, features: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The same change of the features [B, 5] of boxes, as dist_vad.scoring.geometry.features_of gives them."""
        low, high = np.array([self.wider, self.faster]).T
        wider, faster = (low + (high - low) * counters.uniform("boxes", positions[:, None], np.arange(2))).T
        changed = features.copy()
        changed[:, WIDTH] += np.log(wider)
        changed[:, SPEED] *= faster
        return changed


def hasty(batch: Batch, scenes: np.ndarray) -> Batch:
    """Motion at twice its speed around the middle frame, which stays; at the clip's ends time turns back."""
    length = batch.clips.shape[1]
    middle = length // 2
    turned = (2 * np.arange(length) - middle) % (2 * (length - 1))
    frames = np.where(turned < length, turned, 2 * (length - 1) - turned)
    return _with_clips(batch, batch.clips[:, frames])


def gliding(batch: Batch, scenes: np.ndarray) -> Batch:
    """The middle frame slides sideways as one rigid thing, as what rolls does, 8 to 20 % of the crop a frame.

    What comes into the crop from its side repeats the edge, which is background: a crop stays where its box was in the
    middle frame, so what is fast is not in it for long. A walker moves by about 5 %.
    """
    length = batch.clips.shape[1]
    speed = _signed(0.08, 0.20, "gliding", batch.positions)
    moved = _moved(batch.clips[:, length // 2], np.ones(len(batch)), speed, length, "border")
    return _with_clips(batch, moved.round().byte())


def foreign(batch: Batch, scenes: np.ndarray) -> Batch:
    """A thing with another object's texture, turned and enlarged, slides sideways over the clip; in the middle frame it
    covers the middle nine sixteenths."""
    b, length, h, w, _ = batch.clips.shape
    texture = batch.clips[:, length // 2].roll(1, dims=0).transpose(1, 2).flip(1)  # a quarter turn of the neighbour
    enlarged = 1.5 + 1.5 * counters.uniform("foreign/size", batch.positions)
    thing = _moved(texture, enlarged, np.zeros(b), 1, "reflection")[:, 0]
    cover = torch.zeros(b, h, w, 1)
    cover[:, h // 8 : h - h // 8, w // 8 : w - w // 8] = 1
    speed = _signed(0.0, 0.20, "foreign/speed", batch.positions)
    moved = _moved(torch.cat([thing * cover, cover], dim=3), np.ones(b), speed, length, "zeros")
    clips = moved[..., :3] + (1 - moved[..., 3:]) * batch.clips
    return _with_clips(batch, clips.round().clamp(0, 255).byte())


def elsewhere(batch: Batch, scenes: np.ndarray) -> Batch:
    """The same happening in another scene."""
    own = np.abs(batch.scenes.numpy()[:, None] - scenes[None]).sum(axis=2).argmin(axis=1)
    other = (own + counters.integers(1, len(scenes), "elsewhere", batch.positions)) % len(scenes)
    return Batch(batch.clips, torch.from_numpy(scenes[other]), batch.labels, batch.positions)


def plants(scenes: np.ndarray) -> dict[str, Plant]:
    """What can be planted, given the f_scene of every scene; with a single scene there is no elsewhere."""
    possible = {
        "hasty": Plant(hasty, faster=(2.0, 2.0)),
        "gliding": Plant(gliding, wider=(1.0, 1.5), faster=(1.5, 4.0)),
        "foreign": Plant(foreign, wider=(1.0, 3.0), faster=(1.0, 3.0)),
        "elsewhere": Plant(elsewhere),
    }
    if len(scenes) < 2:
        del possible["elsewhere"]
    return possible


def _with_clips(batch: Batch, clips: torch.Tensor) -> Batch:
    return Batch(clips, batch.scenes, batch.labels, batch.positions)


def _signed(low: float, high: float, name: str, positions: np.ndarray) -> np.ndarray:
    """A number between low and high, or its negative, for each position: float64 [B]."""
    size, side = (counters.uniform(name, positions, part) for part in ("size", "side"))
    return (low + (high - low) * size) * np.where(side < 0.5, -1, 1)


def _moved(picture: torch.Tensor, enlarged: np.ndarray, speed: np.ndarray, length: int, padding: str) -> torch.Tensor:
    """Pictures [B, H, W, C], enlarged about their centre, that move sideways by `speed` of their width a frame through
    clips of that length, in the middle in the middle frame: float [B, T, H, W, C]."""
    b, h, w, channels = picture.shape
    steps = torch.arange(length) - length // 2
    transform = torch.zeros(b, length, 2, 3)
    scale = torch.from_numpy(1 / enlarged).float()
    transform[:, :, 0, 0] = transform[:, :, 1, 1] = scale[:, None]
    transform[:, :, 0, 2] = -2 * torch.from_numpy(speed).float()[:, None] * steps * scale[:, None]
    pictures = picture.permute(0, 3, 1, 2).float().repeat_interleave(length, dim=0)
    grid = functional.affine_grid(transform.flatten(0, 1), [b * length, channels, h, w], align_corners=False)
    moved = functional.grid_sample(pictures, grid, align_corners=False, padding_mode=padding)
    return moved.view(b, length, channels, h, w).permute(0, 1, 3, 4, 2)
