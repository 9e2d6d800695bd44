"""Processes that read batches into memory of the one that asks: what they read is not copied again."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import cv2
import torch

from dist_vad.buffers import Place, at, borrow_shared
from dist_vad.errors import InputError
from dist_vad.manifest import Manifest
from dist_vad.shardset import Batch

PATIENCE = 5.0
"""Seconds in which a process that is no longer asked has to end."""


class Room(NamedTuple):
    """What a micro-batch of one kind takes."""

    samples: int
    like: Manifest


Answer = Callable[[], list[dict[str, Batch]]]
"""Waits for the micro-batches of a step, and gives them."""
Read = Callable[[str, int, int, Batch], None]
"""Reads (kind, step, virtual rank) into a batch."""
Request = tuple[int, list[int], list[dict[str, Place]]]
"""A step, virtual ranks, and for each of them where the samples of each kind go."""


class Readers:
    """So many processes, which read in turn; to be used in a `with`.

    Args:
        read: can be pickled.
        rooms: kind of sample -> what its micro-batches take.
    """

    def __init__(self, processes: int, read: Read, rooms: dict[str, Room]) -> None:
        self._rooms, self._asked = rooms, 0
        # Spawned: forked, a process could inherit a lock that nobody will open.
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(processes)]
        self._connections = [here for here, _ in pipes]
        self._processes = [spawn.Process(target=_serve, args=(there, read, rooms), daemon=True) for _, there in pipes]
        for process, (_, there) in zip(self._processes, pipes):
            process.start()
            there.close()

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()  # which ends a process
        for process in self._processes:
            process.join(PATIENCE)
            process.kill()

    def request(self, step: int, ranks: list[int]) -> Answer:
        """Have the micro-batches of a step read. What was requested first has to be taken first."""
        number = self._asked % len(self._connections)
        self._asked += 1
        connection = self._connections[number]
        lent = [{kind: borrow_shared((Batch.bytes_of(*room),)) for kind, room in self._rooms.items()} for _ in ranks]
        try:
            connection.send((step, ranks, [{kind: place for kind, (_, place) in some.items()} for some in lent]))
        except OSError as error:
            raise self._killed(number) from error

        def answer() -> list[dict[str, Batch]]:
            try:
                fault = connection.recv()
            except (OSError, EOFError) as error:
                raise self._killed(number) from error
            if fault is not None:
                raise fault
            return [
                {kind: Batch.within(torch.from_numpy(memory), *self._rooms[kind]) for kind, (memory, _) in some.items()}
                for some in lent
            ]

        return answer

    def _killed(self, number: int) -> InputError:
        process = self._processes[number]
        process.join(PATIENCE)
        return InputError(
            f"a process that reads batches was killed (exit status {process.exitcode}); mostly memory is short: lower "
            "train.processes or train.prefetch, or read in threads with train.processes 0"
        )


def _serve(connection: Connection, read: Read, rooms: dict[str, Room]) -> None:
    """Read what is asked for until nobody is there to ask. Signals are left to the one that asks."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
    try:
        while True:
            connection.send(_fault(connection.recv(), read, rooms))
    except (OSError, EOFError):
        return


def _fault(request: Request, read: Read, rooms: dict[str, Room]) -> Exception | None:
    """Read; returns what went wrong."""
    step, ranks, places = request
    try:
        for rank, some in zip(ranks, places):
            for kind, place in some.items():
                read(kind, step, rank, Batch.within(torch.from_numpy(at(place)), *rooms[kind]))
    except Exception as error:
        if not isinstance(error, InputError):
            error.add_note(traceback.format_exc())
        return error
    return None
