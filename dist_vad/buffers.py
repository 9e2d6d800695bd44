"""Memory for clips, lent out again once nobody holds it: new memory costs more than what is written into it.

At its first touch the kernel has to find and clear every page of it, and an allocator hands megabytes that are freed
back to the kernel sooner or later: reading raw samples then takes twice to three times as long.
"""

import math
import weakref

import numpy as np

KEPT = 8
"""Most free blocks of one size that are kept."""

_free: dict[int, list[memoryview]] = {}
"""Bytes of a block -> blocks that nobody holds. Several threads may take and give back: both are one operation."""


def borrow(shape: tuple[int, ...]) -> np.ndarray:
    """An array of undefined content, uint8 of this shape. Its memory is lent out again once the array, and every
    tensor, array or view made from it, is gone."""
    length = math.prod(shape)
    size = 1 << max(length - 1, 0).bit_length()  # few sizes, so that batches of any length find a block
    blocks = _free.setdefault(size, [])
    try:
        block = blocks.pop()  # the last to come back: it may still lie in the processor's cache
    except IndexError:
        block = np.empty(size, np.uint8).data
    # Made from a memoryview: a view of `lent` then refers to `lent`. Made from an array, it would refer to that array,
    # and `lent` could go before its views do.
    lent = np.frombuffer(block, np.uint8)
    weakref.finalize(lent, _give_back, blocks, block).atexit = False
    return lent[:length].reshape(shape)


def _give_back(blocks: list[memoryview], block: memoryview) -> None:
    if len(blocks) < KEPT:
        blocks.append(block)
