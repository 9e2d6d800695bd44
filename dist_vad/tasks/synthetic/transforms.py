"""What normal clips become when their motion or their look is changed by draws.

Every function takes clips [B, 3, T, H, W] in [0, 1] and draws [B, DRAWS] in [0, 1), and gives clips of the same shape.
A sample is changed by nothing but itself and its own draws: no other sample of the batch is looked at.
"""

import math
from collections.abc import Callable

import torch

from dist_vad.tasks.base import pick

DRAWS = 9
"""Uniform draws that a kind may use."""

Kind = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def accelerated(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Motion at three or four times its speed around the middle frame: twice is what scores are weighed by
    (dist_vad/scoring/synthetic_anomalies.py), and no task may be trained on that."""
    return sped_up(clip, 3 + pick(draws[:, :1], 2))


def sped_up(clip: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Motion at `factor`, int64 [B, 1], times its speed around the middle frame, which stays; at the clip's ends time
    turns back. Clips of any type, [B, 3, T, H, W]."""
    middle = clip.shape[2] // 2
    return _at(clip, _turned_back(middle + factor * (_times(clip) - middle), clip.shape[2]))


def stuttering(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Two or three frames at a time are the first of them, repeated, and the others skipped."""
    hold = 2 + pick(draws[:, :1], 2)
    start = pick(draws[:, 1:2], 3) % hold
    return _at(clip, ((_times(clip) + start) // hold * hold - start).clamp(min=0))


def backwards(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Time reversed."""
    return clip.flip(2)


def patched(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """A patch of the clip, from another place, turned by a quarter or upside down, and running backwards.

    The work takes patches of other objects; another sample would make a loss depend on the micro-batch.
    """
    half = torch.where(draws[:, :1] < 0.5, 0, 1)
    other = torch.where(half[:, :, None, None, None] == 0, clip.transpose(3, 4), clip.flip(3)).flip(2)
    b, _, _, h, w = clip.shape
    moved = [(n * (0.25 + 0.5 * draws[:, i : i + 1])).long() for n, i in ((h, 1), (w, 2))]
    rows, columns = ((torch.arange(n, device=clip.device) + by) % n for n, by in zip((h, w), moved))
    index = (rows[:, :, None] * w + columns[:, None]).view(b, 1, 1, h * w)
    shifted = other.flatten(3).gather(3, index.expand(*clip.shape[:3], h * w)).view_as(clip)
    return torch.where(_ellipse(clip, draws[:, 3:7]), shifted, clip)


def textured(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """A patch with a texture of its own: a grating in a drawn colour, direction and period, that stays."""
    h, w = clip.shape[3:]
    rows, columns = (torch.linspace(-1, 1, n, device=clip.device) for n in (h, w))
    angle, period = math.pi * draws[:, 4], 3 + 12 * draws[:, 5]
    along = torch.cos(angle)[:, None, None] * columns + torch.sin(angle)[:, None, None] * rows[:, None]
    wave = 0.5 + 0.5 * torch.sin(period[:, None, None] * along)
    colour = draws[:, 6:9, None, None] * wave[:, None] + (1 - draws[:, [7, 8, 6], None, None]) * (1 - wave[:, None])
    return torch.where(_ellipse(clip, draws[:, :4]), colour.unsqueeze(2), clip)


def lying(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Turned by a quarter, to the left or to the right. Clips must be square."""
    turned = clip.transpose(3, 4)
    return torch.where((draws[:, 0] < 0.5)[:, None, None, None, None], turned.flip(3), turned.flip(4))


def tinted(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """In the light of a drawn colour, brightest in a patch."""
    colour = draws[:, 4:7] / draws[:, 4:7].amax(dim=1, keepdim=True).clamp(min=1e-6)
    share = torch.where(_ellipse(clip, draws[:, :4]), 0.8, 0.3)
    return clip * (1 - share) + share * colour[:, :, None, None, None]


MOTION: dict[str, Kind] = {"accelerated": accelerated, "stuttering": stuttering, "backwards": backwards}
"""Frames in another order."""
LOOK: dict[str, Kind] = {"patched": patched, "textured": textured, "lying": lying, "tinted": tinted}
"""Seen in a single frame."""


def _times(clip: torch.Tensor) -> torch.Tensor:
    return torch.arange(clip.shape[2], device=clip.device)


def _turned_back(times: torch.Tensor, length: int) -> torch.Tensor:
    """Times that run over the clip's ends, reflected there."""
    around = times % (2 * (length - 1))
    return torch.minimum(around, 2 * (length - 1) - around)


def _at(clip: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """The frames at `times`, [B, T]."""
    return clip.gather(2, times[:, None, :, None, None].expand_as(clip))


def _ellipse(clip: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Where a patch lies: bool [B, 1, 1, H, W]; its middle and its half axes by four draws, half to all of the crop."""
    h, w = clip.shape[3:]
    rows, columns = (torch.linspace(-1, 1, n, device=clip.device) for n in (h, w))
    y, x = ((0.8 * draws[:, i] - 0.4)[:, None, None] for i in (0, 1))
    tall, wide = ((0.35 + 0.4 * draws[:, i])[:, None, None] for i in (2, 3))
    inside = ((rows[:, None] - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1
    return inside[:, None, None]
