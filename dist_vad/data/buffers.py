"""Memory for clips, lent out again once nobody holds it: new memory costs more than what is written into it.

At its first touch the kernel has to find and clear every page of it, and an allocator hands megabytes that are freed
back to the kernel sooner or later: reading raw samples then takes twice to three times as long.
"""

import functools
import itertools
import math
import mmap
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KEPT = 8
"""Most free blocks of one size that are kept."""
MAPPED = 64
"""Most blocks of another process that are mapped at the same time."""


@dataclass(frozen=True)
class SharedAddress:
    """Where other processes of this machine find memory that is lent to them too."""

    path: str
    size: int
    serial: int
    """Tells this memory from later memory of the same path."""


@dataclass(frozen=True)
class Block:
    """Memory that is lent out as a whole."""

    memory: memoryview
    address: SharedAddress | None = None


_free: dict[int, list[Block]] = {}
"""Bytes of a block -> blocks that nobody holds. Several threads may take and give back: both are one operation."""
_free_shared: dict[int, list[Block]] = {}
"""Bytes of a block -> blocks that nobody holds and that other processes can map."""
_serials = itertools.count()


def borrow(shape: tuple[int, ...]) -> np.ndarray:
    """An array of undefined content, uint8 of this shape. Its memory is lent out again once the array, and every
    tensor, array or view made from it, is gone."""
    return _lend(_free, lambda size: Block(np.empty(size, np.uint8).data), shape)[0]


def borrow_shared(shape: tuple[int, ...]) -> tuple[np.ndarray, SharedAddress]:
    """An array as `borrow` gives it, uint8 of this shape, and where another process finds its memory. Linux only."""
    array, address = _lend(_free_shared, _shared_block, shape)
    assert address is not None, "shared blocks have an address"
    return array, address


@functools.lru_cache(maxsize=MAPPED)
def open_shared(address: SharedAddress) -> np.ndarray:
    """The memory that another process has lent, uint8 [its size]."""
    with Path(address.path).open("r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), address.size), np.uint8)


def _lend(
    free: dict[int, list[Block]], make: Callable[[int], Block], shape: tuple[int, ...]
) -> tuple[np.ndarray, SharedAddress | None]:
    length = math.prod(shape)
    size = 1 << max(length - 1, 0).bit_length()  # few sizes, so that batches of any length find a block
    blocks = free.setdefault(size, [])
    try:
        block = blocks.pop()  # the last to come back: it may still lie in the processor's cache
    except IndexError:
        block = make(size)
    # Made from a memoryview: a view of `lent` then refers to `lent`. Made from an array, it would refer to that array,
    # and `lent` could go before its views do.
    lent = np.frombuffer(block.memory, np.uint8)
    weakref.finalize(lent, _give_back, blocks, block).atexit = False
    return lent[:length].reshape(shape), block.address


def _shared_block(size: int) -> Block:
    """Memory with a name in /proc for as long as this process keeps it, so that nothing stays behind a killed one."""
    descriptor = os.memfd_create("batch")
    os.ftruncate(descriptor, size)
    mapped = mmap.mmap(descriptor, size)
    weakref.finalize(mapped, os.close, descriptor).atexit = False
    return Block(memoryview(mapped), SharedAddress(f"/proc/{os.getpid()}/fd/{descriptor}", size, next(_serials)))


def _give_back(blocks: list[Block], block: Block) -> None:
    if len(blocks) < KEPT:
        blocks.append(block)
