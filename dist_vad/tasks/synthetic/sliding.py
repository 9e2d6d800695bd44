"""Things that slide over stored clips as no walker moves, or lie still: synthetic anomalies to weigh scores by.

Every function takes clips as they are stored, uint8 [B, T, H, W, 3], and the positions of their samples, int64 [B],
which decide all draws; it gives clips of the same shape. dist_vad/tasks/synthetic/transforms.py changes other things,
in clips as a network takes them.
"""

import numpy as np
import torch
from torch.nn import functional

from dist_vad.base import counters


def gliding(clips: torch.Tensor, positions: np.ndarray) -> torch.Tensor:
    """The middle frame slides sideways as one rigid thing, as what rolls does, 8 to 20 % of the crop a frame.

    What comes into the crop from its side repeats the edge, which is background: a crop stays where its box was in the
    middle frame, so what is fast is not in it for long. A walker moves by about 5 %.
    """
    length = clips.shape[1]
    speed = _signed(0.08, 0.20, "gliding", positions)
    moved = _moved(clips[:, length // 2], np.ones(len(clips)), speed, length, "border")
    return moved.round().byte()


def foreign(clips: torch.Tensor, positions: np.ndarray) -> torch.Tensor:
    """A thing with another object's texture, turned and enlarged, slides sideways over the clip; in the middle frame it
    covers the middle nine sixteenths. The other object is the one before in the batch."""
    b, length, h, w, _ = clips.shape
    texture = clips[:, length // 2].roll(1, dims=0).transpose(1, 2).flip(1)  # a quarter turn of the neighbour
    enlarged = 1.5 + 1.5 * counters.uniform("foreign/size", positions)
    thing = _moved(texture, enlarged, np.zeros(b), 1, "reflection")[:, 0]
    cover = torch.zeros(b, h, w, 1)
    cover[:, h // 8 : h - h // 8, w // 8 : w - w // 8] = 1
    speed = _signed(0.0, 0.20, "foreign/speed", positions)
    moved = _moved(torch.cat([thing * cover, cover], dim=3), np.ones(b), speed, length, "zeros")
    covered = moved[..., :3] + (1 - moved[..., 3:]) * clips
    return covered.round().clamp(0, 255).byte()


def fallen(clips: torch.Tensor, positions: np.ndarray) -> torch.Tensor:
    """The middle frame, turned by a quarter to the left or to the right, lies still. Frames must be square."""
    middle = clips[:, clips.shape[1] // 2]
    left = torch.from_numpy(counters.uniform("fallen", positions) < 0.5)
    turned = torch.where(left[:, None, None, None], middle.rot90(1, (1, 2)), middle.rot90(-1, (1, 2)))
    return turned[:, None].expand_as(clips).contiguous()


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
