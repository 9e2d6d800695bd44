"""Processes that read batches into memory of the one that asks: what they read is not copied again."""

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import cv2
import torch

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.buffers import SharedAddress, borrow_shared, open_shared
from dist_vad.data.manifest import Manifest
from dist_vad.data.shardset import Batch

PATIENCE = 5.0
"""Seconds in which a process that is no longer asked has to end."""


class BufferSpec(NamedTuple):
    """How large the buffer is into which a micro-batch of one kind is read: arguments of `Batch.bytes_of`."""

    samples: int
    like: Manifest
    """Of the shard set: it tells the shape of one sample."""


Answer = Callable[[], list[dict[str, Batch]]]
"""Waits for the micro-batches of a step, and gives them."""
Read = Callable[[str, int, int, Batch], None]
"""Reads (kind, step, virtual rank) into a batch."""
Request = tuple[int, list[int], list[dict[str, SharedAddress]]]
"""A step, virtual ranks, and for each of them where the samples of each kind go."""


class Readers:
    """So many processes, which read side by side; to be used in a `with`.

    Args:
        read: can be pickled.
        specs: kind of sample -> how large the buffer of a micro-batch is.
    """

    def __init__(self, processes: int, read: Read, specs: dict[str, BufferSpec]) -> None:
        self._specs = specs
        self._readers = [_Reader(read, specs) for _ in range(processes)]

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.connection.close()  # which ends a process
        for reader in self._readers:
            reader.process.join(PATIENCE)
            reader.process.kill()

    def request(self, step: int, ranks: list[int]) -> Answer:
        """Have the micro-batches of a step read. What was requested first has to be taken first."""
        lent = [{kind: borrow_shared((Batch.bytes_of(*spec),)) for kind, spec in self._specs.items()} for _ in ranks]
        # In turn they would wait for the slowest: one of them shares its core with the process that asks.
        reader = min(self._readers, key=_Reader.unanswered)
        reader.ask((step, ranks, [{kind: address for kind, (_, address) in buffers.items()} for buffers in lent]))

        def answer() -> list[dict[str, Batch]]:
            reader.wait()
            return [
                {
                    kind: Batch.within(torch.from_numpy(memory), *self._specs[kind])
                    for kind, (memory, _) in buffers.items()
                }
                for buffers in lent
            ]

        return answer


class _Reader:
    """One of the processes, as the one that asks has it."""

    def __init__(self, read: Read, specs: dict[str, BufferSpec]) -> None:
        # Spawned: forked, a process could inherit a lock that nobody will open.
        spawn = multiprocessing.get_context("spawn")
        self.connection, there = spawn.Pipe()
        self._asked, self._answered = 0, spawn.RawValue("q", 0)
        self.process = spawn.Process(target=_serve, args=(there, self._answered, read, specs), daemon=True)
        self.process.start()
        there.close()

    def unanswered(self) -> int:
        """How many requests it has still to read."""
        return self._asked - self._answered.value

    def ask(self, request: Request) -> None:
        """Send a request; it does not wait."""
        self._asked += 1
        try:
            self.connection.send(request)
        except OSError as error:
            raise self._killed() from error

    def wait(self) -> None:
        """Wait for the answer to the oldest request that was not waited for. Raises what went wrong in the process."""
        try:
            fault = self.connection.recv()
        except (OSError, EOFError) as error:
            raise self._killed() from error
        if fault is not None:
            raise fault

    def _killed(self) -> Unavailable:
        self.process.join(PATIENCE)
        return Unavailable(
            f"a process that reads batches was killed (exit status {self.process.exitcode}); mostly memory is short: "
            "lower train.processes or train.prefetch, or read in threads with train.processes 0"
        )


def _serve(connection: Connection, answered: Any, read: Read, specs: dict[str, BufferSpec]) -> None:
    """Read what is asked for until nobody is there to ask. Signals are left to the one that asks."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(1)
    try:
        while True:
            fault = _fault(connection.recv(), read, specs)
            answered.value += 1
            connection.send(fault)
    except (OSError, EOFError):
        return


def _fault(request: Request, read: Read, specs: dict[str, BufferSpec]) -> Exception | None:
    """Read what a request asks for; returns the exception that it raised, None where all went well."""
    step, ranks, addresses = request
    try:
        for rank, by_kind in zip(ranks, addresses):
            for kind, address in by_kind.items():
                read(kind, step, rank, Batch.within(torch.from_numpy(open_shared(address)), *specs[kind]))
    except Exception as error:
        if not isinstance(error, InputError | Unavailable):
            error.add_note(traceback.format_exc())
        return error
    return None
