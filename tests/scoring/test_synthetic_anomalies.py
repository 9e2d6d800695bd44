"""Synthetic anomalies that weigh the heads: the same bits in the same place of memory, whoever makes them."""

import numpy as np
import pytest
import torch

from dist_vad.data.shardset import Batch
from dist_vad.scoring.synthetic_anomalies import synthetic_anomalies
from dist_vad.tasks.synthetic.sliding import fallen


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


def test_who_has_fallen_lies_still_and_is_the_middle_frame_turned_by_a_quarter():
    clips = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 5, 8, 8, 3), dtype=np.uint8))
    lying = fallen(clips, np.arange(16))
    assert torch.equal(lying, lying[:, :1].expand_as(lying))
    left, right = ((lying[:, 0].rot90(turn, (1, 2)) == clips[:, 2]).flatten(1).all(1) for turn in (-1, 1))
    assert (left ^ right).all() and left.any() and right.any()
