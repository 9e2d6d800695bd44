"""Global batches to a rank's batches, read ahead in threads or processes, fetched ahead where they lie in a bucket."""

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch.utils.data import IterableDataset, get_worker_info

from dist_vad.base.errors import InputError
from dist_vad.data.readers import Answer, BufferSpec, Readers
from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.data.streams import Streams

STEPS_FETCHED_AHEAD, FETCHERS = 64, 4
"""Steps whose shards are fetched before they are read, and threads that fetch."""


Step = tuple[int, list[dict[str, Batch]]]
"""A step and its micro-batches, each {kind of sample: Batch}."""


@dataclass
class Source:
    """A shard set and the streams that draw from it."""

    shards: ShardSet
    streams: Streams
    first: int = 0
    """Position of its first sample in the global batch of its kind: several sources lie there one after another."""


class Loader:
    """One rank's part of every global batch, read ahead in threads or processes.

    Args:
        sources: kind of sample -> the sources that share its global batch.
        rank, world: this rank and the number of ranks.
        micro_batch: most samples of one kind in one forward pass; 0 = the rank's whole share.
        threads, prefetch: reading threads and the number of steps to read ahead.
        pin: give batches in page-locked memory, for a GPU.
        processes: read in so many processes instead of in threads; 0 = threads.

    Example:
        sources = {"cube": open_sources(settings, stage, "cube")}
        loader = Loader(sources, rank=0, world=1, micro_batch=0, threads=2, prefetch=4)
        for step, micro_batches in loader.steps(0, 100):
            clips = micro_batches[0]["cube"].clips  # uint8 [B, T, H, W, 3]
    """

    def __init__(
        self,
        sources: dict[str, list[Source]],
        rank: int,
        world: int,
        micro_batch: int,
        threads: int,
        prefetch: int,
        pin: bool = False,
        processes: int = 0,
    ) -> None:
        self.sources, self.rank, self.world = sources, rank, world
        self.threads, self.prefetch, self.pin, self.processes = threads, prefetch, pin, processes
        if processes and not hasattr(os, "memfd_create"):
            raise InputError(f"train.processes is {processes}, which needs Linux; allowed here: 0, to read in threads")
        for source in (source for of_kind in sources.values() for source in of_kind):
            source.streams.check_ranks(world)
        self.micro_batches = max(_micro_batches(kind, of_kind, world, micro_batch) for kind, of_kind in sources.items())

    @property
    def bytes_ahead(self) -> int:
        """Bytes of the batches that are in memory at the same time: those read ahead, and the one in use."""
        of_step = sum(Batch.bytes_of(*self._buffer_spec(kind)) for kind in self.sources) * self.micro_batches
        return of_step * (self.prefetch + 1)

    def steps(self, start: int, stop: int) -> Iterator[Step]:
        """Yield (step, its micro-batches, each {kind: Batch}) for steps start..stop-1."""
        steps = self._steps_of_processes(start, stop) if self.processes else self._steps_of_threads(start, stop)
        with ThreadPoolExecutor(FETCHERS) as fetchers:
            try:
                for step in range(start, min(start + STEPS_FETCHED_AHEAD, stop)):
                    self._fetch(fetchers, step)
                for step, batches in steps:
                    if step + STEPS_FETCHED_AHEAD < stop:
                        self._fetch(fetchers, step + STEPS_FETCHED_AHEAD)
                    yield step, batches
            finally:
                steps.close()
                fetchers.shutdown(wait=True, cancel_futures=True)

    def _steps_of_threads(self, start: int, stop: int) -> Generator[Step, None, None]:
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                yield from self._in_turn(start, stop, lambda step: self._request(pool, step))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _request(self, pool: ThreadPoolExecutor, step: int) -> Answer:
        requests = [
            {kind: pool.submit(self._read, kind, step, rank, self.pin) for kind in self.sources}
            for rank in self._virtual_ranks()
        ]
        return lambda: [{kind: batch.result() for kind, batch in by_kind.items()} for by_kind in requests]

    def _steps_of_processes(self, start: int, stop: int) -> Generator[Step, None, None]:
        specs = {kind: self._buffer_spec(kind) for kind in self.sources}
        # Batches are copied to page-locked memory in one thread, in order, not in the loop that waits for them.
        with Readers(self.processes, self._read_into, specs) as readers, ThreadPoolExecutor(1) as pinning:

            def request(step: int) -> Answer:
                answer = readers.request(step, self._virtual_ranks())
                return pinning.submit(_pinned, answer).result if self.pin else answer

            yield from self._in_turn(start, stop, request)

    def _in_turn(self, start: int, stop: int, request: Callable[[int], Answer]) -> Generator[Step, None, None]:
        """The steps as they were asked for, `prefetch` of them ahead of the one that is taken."""
        pending: deque[tuple[int, Answer]] = deque()
        for step in range(start, stop):
            pending.append((step, request(step)))
            if len(pending) > self.prefetch:
                step, answer = pending.popleft()
                yield step, answer()
        while pending:
            step, answer = pending.popleft()
            yield step, answer()

    def _virtual_ranks(self) -> list[int]:
        """Micro-batch i of M of rank r of W is what rank r + i W of W M would read: so it holds the same samples,
        and its gradient is bit-identical, however many ranks share the micro-batches of a step."""
        return [self.rank + i * self.world for i in range(self.micro_batches)]

    def read(self, step: int) -> list[dict[str, Batch]]:
        """This rank's micro-batches of a step, read here and now, in ordinary memory."""
        return [{kind: self._read(kind, step, rank) for kind in self.sources} for rank in self._virtual_ranks()]

    def _buffer_spec(self, kind: str) -> BufferSpec:
        sources = self.sources[kind]
        share = sum(source.streams.share for source in sources)
        return BufferSpec(share // (self.world * self.micro_batches), sources[0].shards.manifest)

    def _read(self, kind: str, step: int, rank: int, pin: bool = False) -> Batch:
        """One micro-batch of a kind: what a virtual rank reads of a step."""
        batch = Batch.empty(*self._buffer_spec(kind), pin)
        self._read_into(kind, step, rank, batch)
        return batch

    def _read_into(self, kind: str, step: int, rank: int, batch: Batch) -> None:
        """Read one micro-batch of a kind, from all sources of that kind, into `batch`, which has its size."""
        start = 0
        for source in self.sources[kind]:
            ids, positions = source.streams.rank_batch(step, rank, self.world * self.micro_batches)
            stop = start + len(ids)
            source.shards.read(ids, source.first + positions, into=batch[start:stop])
            start = stop

    def _fetch(self, pool: ThreadPoolExecutor, step: int) -> None:
        """Fetch the shards that a step will read, where they are not on this machine: the plan is known. What goes
        wrong here goes wrong again, and is reported, when they are read."""
        for source in (source for of_kind in self.sources.values() for source in of_kind if source.shards.is_remote):
            for rank in self._virtual_ranks():
                pool.submit(
                    source.shards.prepare, source.streams.rank_batch(step, rank, self.world * self.micro_batches)[0]
                )


def _pinned(answer: Answer) -> list[dict[str, Batch]]:
    return [{kind: batch.pin_memory() for kind, batch in by_kind.items()} for by_kind in answer()]


def _micro_batches(kind: str, sources: list[Source], world: int, micro_batch: int) -> int:
    """Into how many micro-batches a rank's share of one kind falls."""
    streams = [source.streams.count for source in sources]
    share = sum(source.streams.share for source in sources) // world
    count = share // micro_batch if 0 < micro_batch < share else 1
    whole = all(of_source % (world * count) == 0 for of_source in streams)
    if micro_batch and (share % count or not whole or (count > 1 and share % micro_batch)):
        least = math.gcd(*streams) // world
        raise InputError(
            f"train.micro_batch is {micro_batch}, which does not divide the {share} samples of kind {kind} that each "
            f"of {world} ranks has in a step into whole streams; allowed: {share} divided by a divisor of {least}, or "
            "0 for all at once"
        )
    return count


class BatchDataset(IterableDataset):
    """The batches of a `Loader` as a PyTorch dataset, for a loop of one's own.

    It yields (step, {kind: Batch}) from step `start` on, for one rank.

    The workers of a `DataLoader(dataset, batch_size=None, num_workers=N)` take turns, so it gives every step once and
    in order.
    """

    def __init__(
        self, sources: dict[str, list[Source]], rank: int = 0, world: int = 1, start: int = 0, stop: int = 2**62
    ) -> None:
        self.loader = Loader(sources, rank, world, micro_batch=0, threads=1, prefetch=2)
        self.start, self.stop = start, stop

    def __iter__(self) -> Iterator[tuple[int, dict[str, Batch]]]:
        process = get_worker_info()
        if process is None:
            for step, (batch,) in self.loader.steps(self.start, self.stop):
                yield step, batch
            return
        for step in range(self.start + process.id, self.stop, process.num_workers):
            yield step, self.loader.read(step)[0]
