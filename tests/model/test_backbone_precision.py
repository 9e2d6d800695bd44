"""What the backbone computes in mixed precision."""

import pytest
import torch

from dist_vad.model.backbone import Backbone


@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_bfloat16_gives_the_features_of_float32_to_its_rounding_for_clips_of_any_length(frames):
    torch.manual_seed(0)
    backbone, clip = Backbone(8), torch.rand(2, 3, frames, 48, 48)
    with torch.no_grad():
        exact = backbone(clip)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = backbone(clip)
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_a_single_frame_is_what_a_clip_padded_by_nothing_but_zeros_gives():
    torch.manual_seed(0)
    layer = Backbone(8).stem[0]
    assert isinstance(layer, torch.nn.Conv3d)
    frame = torch.rand(2, 3, 1, 48, 48)
    with torch.no_grad():
        around = torch.nn.functional.conv3d(frame, layer.weight, None, (1, 2, 2), 1)
        assert torch.allclose(layer(frame), around, atol=1e-5)
