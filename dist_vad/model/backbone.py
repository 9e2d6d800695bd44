"""F, the backbone that every task shares."""

import torch
from torch import nn
from torch.nn import functional


class ChannelsLastGroupNorm(nn.GroupNorm):
    """GroupNorm, which torch.compile makes fast on a CPU where channels come last in memory.

    torch's own, compiled, looks up the group of each value. Here a value needs only the scale and the shift of its
    channel, which lie in memory in the same order: half the time, forward and backward.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """[B, C, ...] -> the same shape, each group of channels with mean 0 and variance 1, then scaled and shifted."""
        if not torch.compiler.is_compiling() or torch.compiler.is_exporting() or values.device.type != "cpu":
            if torch.is_inference_mode_enabled() and _is_slow(values):
                return super().forward(values.float()).to(values.dtype)
            return super().forward(values)
        with torch.autocast("cpu", enabled=False):
            wide, places = values.float(), list(range(2, values.dim()))
            sums = torch.cat([wide.mean(places), wide.square().mean(places)])  # [2 B, C]
            group = torch.arange(self.num_channels) // (self.num_channels // self.num_groups)
            same_group = (group[:, None] == group).float()
            mean, square = (sums @ (same_group / same_group.sum(dim=0))).chunk(2)
            scale = ((square - mean.square()).clamp(min=0) + self.eps).rsqrt() * self.weight
            # A product with 1: what comes out of a product is kept in memory, not computed anew for each value.
            kept = torch.cat([scale, self.bias - mean * scale]) @ torch.eye(self.num_channels)
            scale, shift = kept.view(2, *scale.shape, *(1 for _ in places))
            return (wide * scale + shift).to(values.dtype)


def _is_slow(values: torch.Tensor) -> bool:
    """Whether torch's own norm takes several times as long as in fp32: in bf16 on a CPU, below 1,024 places."""
    return values.device.type == "cpu" and values.dtype == torch.bfloat16 and values[0, 0].numel() < 1024


def norm(channels: int) -> nn.GroupNorm:
    """A norm per sample: what a network computes must not depend on how a batch is spread over ranks."""
    return ChannelsLastGroupNorm(num_groups=max(1, channels // 4), num_channels=channels)


class Backbone(nn.Module):
    """A U-Net's encoder without skip connections: one convolution, then three blocks of two 3-D convolutions.

    Space is halved by the first convolution and the first two blocks; time is never strided, so clips of any length
    T >= 1 and of any size that is a multiple of 8 pass through the same weights.

    Args:
        width: channels of the first convolution.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = 4 * width
        self.stem = _convolution(3, width, stride=2)
        self.blocks = nn.Sequential(
            _block(width, 2 * width, stride=2),
            _block(2 * width, 2 * width, stride=2),
            _block(2 * width, 4 * width, stride=1),
        )
        # Channels last is several times faster for 3-D convolutions on a CPU, and what tensor cores want.
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        """Clips [B, 3, T, H, W] in [0, 1] -> features [B, 4 * width, T, H / 8, W / 8]."""
        clip = (clip - 0.5).contiguous(memory_format=torch.channels_last_3d)
        return self.blocks(self.stem(clip))


class Convolution(nn.Conv3d):
    """A 3 x 3 x 3 convolution, padded by zeros, that strides in space alone.

    Of a single frame only the kernel's middle slice meets anything but zeros. In mixed precision it is computed in two
    dimensions: quicker, and in bfloat16 oneDNN's three-dimensional one reads memory that was never written. In fp32
    the sum is taken in the order in which it always was.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, kernel_size=3, stride=(1, stride, stride), padding=1, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """[B, C, T, H, W] -> [B, outputs, T, H / stride, W / stride]."""
        if values.shape[2] > 1 or not torch.is_autocast_enabled(values.device.type):
            return super().forward(values)
        return functional.conv2d(values[:, :, 0], self.weight[:, :, 1], stride=self.stride[1:], padding=1).unsqueeze(2)


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Convolution(inputs, outputs, stride), norm(outputs), nn.SiLU())


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs, stride), _convolution(outputs, outputs, stride=1))
