"""Synthetic anomalies that weigh the heads: the same bits in the same place of memory, whoever makes them."""

import numpy as np
import pytest
import torch

from dist_vad.data.shardset import Batch
from dist_vad.scoring.synthetic_anomalies import synthetic_anomalies


@pytest.mark.parametrize("length", [3, 5, 9, 16])
def test_hasty_is_motion_accelerated_by_two_in_the_bits_and_the_order_of_the_frames_picked_by_hand(length):
    draw = np.random.default_rng(length)
    clips = torch.from_numpy(draw.integers(0, 256, (4, length, 6, 7, 3), dtype=np.uint8))
    batch = Batch(clips, torch.eye(4), torch.zeros(4, dtype=torch.int64), np.arange(4))
    middle = length // 2
    turned = (2 * np.arange(length) - middle) % (2 * (length - 1))
    frames = np.where(turned < length, turned, 2 * (length - 1) - turned)
    expected = clips[:, frames]
    hasty = synthetic_anomalies(np.eye(4, dtype=np.float32))["hasty"].change(batch, np.eye(4, dtype=np.float32)).clips
    assert torch.equal(hasty, expected)
    assert hasty.stride() == expected.stride()
