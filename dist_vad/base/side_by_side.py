"""Pieces of work side by side, each on one thread of arithmetic."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What `work` makes of each item, in their order; as many at once as PyTorch may use threads.

    Several threads in one convolution gain little and wait for each other at full speed; whole pieces of work side by
    side share nothing. And a piece gives the same bits whatever the number of cores.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "work", torch.set_num_threads, (1,))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
