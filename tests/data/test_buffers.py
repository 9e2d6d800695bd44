"""Memory that is lent out again: never while anybody still holds it."""

import threading

import numpy as np
import pytest
import torch

from dist_vad.data.buffers import KEPT, borrow

SHAPE = (3, 5, 7)


def hold(how: str) -> object:
    """Something made from a borrowed array full of ones, and nothing else."""
    array = borrow(SHAPE)
    array[:] = 1
    tensor = torch.from_numpy(array)
    return {
        "array": lambda: array,
        "view": lambda: array[1:].reshape(-1)[2:],
        "memoryview": lambda: array.data,
        "tensor": lambda: tensor,
        "part of a tensor": lambda: tensor[1, 2:],
        "array of a tensor": lambda: tensor.view(torch.int8).permute(2, 0, 1)[1:].numpy(),
    }[how]()


@pytest.mark.parametrize("how", ["array", "view", "memoryview", "tensor", "part of a tensor", "array of a tensor"])
def test_memory_is_not_lent_again_while_anything_made_from_it_is_held(how):
    held = hold(how)
    others = [borrow(SHAPE) for _ in range(2 * KEPT)]
    for other in others:
        other[:] = 2
    assert set(np.asarray(held).ravel().tolist()) == {1}


def test_memory_that_nobody_holds_is_lent_again():
    first = borrow(SHAPE)
    place = first.ctypes.data
    del first
    assert borrow(SHAPE).ctypes.data == place


def test_threads_never_share_memory():
    clashes = []

    def work(number: int) -> None:
        for _ in range(2000):
            array = borrow(SHAPE)
            array[:] = number
            clashes.extend(np.flatnonzero(array != number).tolist())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []


@pytest.mark.parametrize("shape", [(0, 9, 4), (1,), (2, 3)])
def test_an_array_has_the_shape_that_was_asked_for(shape):
    array = borrow(shape)
    assert array.shape == shape and array.dtype == np.uint8 and array.flags.writeable
