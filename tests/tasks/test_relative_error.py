"""The fusion input of `prediction`: an object's contrast is no anomaly, and one direction that fails is enough."""

import pytest
import torch
from torch import nn

from dist_vad.tasks.prediction import relative_error, rms


def frames(seed: int = 0) -> torch.Tensor:
    """Smooth random frames, [8, 3, 48, 48] in [0, 1]."""
    coarse = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=48, mode="bilinear")


@pytest.mark.parametrize("contrast", [0.5, 0.8])
def test_contrast_changes_the_error_but_hardly_the_relative_one(contrast):
    frame, predicted = frames(0), 0.7 * frames(0) + 0.3 * frames(1)
    low, low_predicted = (0.5 + contrast * (some - 0.5) for some in (frame, predicted))
    torch.testing.assert_close(rms(low_predicted - low), contrast * rms(predicted - frame), rtol=1e-3, atol=1e-4)
    relative, low_relative = relative_error(predicted, frame), relative_error(low_predicted, low)
    assert ((low_relative / relative - 1).abs() < 0.15).all()


def test_it_is_0_for_the_frame_itself_and_about_1_each_for_its_mean():
    frame = frames()
    nothing_known = frame.mean(dim=(2, 3), keepdim=True).expand_as(frame)
    assert (relative_error(frame, frame) < 0.01).all()
    assert ((relative_error(nothing_known, frame) - 2).abs() < 0.7).all()


def test_an_even_frame_is_not_predicted_badly_for_its_noise():
    even = torch.full((4, 3, 48, 48), 0.5)
    noise = 0.002 * torch.randn(even.shape, generator=torch.Generator().manual_seed(0))
    assert (relative_error(even, even + noise) < 1).all()
