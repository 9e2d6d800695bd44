"""Global batches to a rank's batches, read ahead in threads or processes, fetched ahead where they lie in a bucket."""

import math
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from dist_vad.errors import InputError
from dist_vad.shardset import Batch, ShardSet
from dist_vad.stream import Streams

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
    """One rank's part of every global batch, read ahead in threads.

    Args:
        sources: kind of sample -> the sources that share its global batch.
        rank, world: this rank and the number of ranks.
        micro_batch: most samples of one kind in one forward pass; 0 = the rank's whole share.
        threads, prefetch: reading threads and the number of steps to read ahead.
        pin: give batches in page-locked memory, for a GPU.
        processes: read in so many processes instead of in threads; 0 = threads.
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
        for source in (source for some in sources.values() for source in some):
            source.streams.check_ranks(world)
        self.parts = max(_micro_batches(kind, some, world, micro_batch) for kind, some in sources.items())

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
            ahead: deque[tuple[int, Requests]] = deque()
            try:
                for step in range(start, stop):
                    ahead.append((step, self._request(pool, step)))
                    if len(ahead) > self.prefetch:
                        yield _collect(*ahead.popleft())
                while ahead:
                    yield _collect(*ahead.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _request(self, pool: ThreadPoolExecutor, step: int) -> "Requests":
        return [
            {kind: pool.submit(self._read, kind, step, rank, self.pin) for kind in self.sources}
            for rank in self._virtual_ranks()
        ]

    def _steps_of_processes(self, start: int, stop: int) -> Generator[Step, None, None]:
        """The same from processes that take turns: process p of P reads the steps start + p, start + p + P, ..."""
        ahead = max(1, -(-self.prefetch // self.processes))
        items = DataLoader(
            _Turns(self, start, stop),
            batch_size=None,
            num_workers=self.processes,
            prefetch_factor=ahead,
            pin_memory=self.pin,
            multiprocessing_context="spawn",  # forked, a process could inherit a lock that nobody will open
        )
        try:
            for item in items:
                if isinstance(item, InputError):
                    raise item
                yield item
        except (RuntimeError, OSError, EOFError) as error:
            if str(error).startswith("Caught"):  # an error in a process, which is passed on; not its end
                raise
            raise InputError(
                f"a process that reads batches was killed ({error}); mostly memory is short: lower train.processes or "
                "train.prefetch, or read in threads with train.processes 0"
            ) from error

    def _virtual_ranks(self) -> list[int]:
        """Part i of rank r of W is what rank r + i W of W x parts would read: so a micro-batch holds the same samples,
        and its gradient has the same bits, however many ranks share the micro-batches of a step."""
        return [self.rank + i * self.world for i in range(self.parts)]

    def read(self, step: int) -> list[dict[str, Batch]]:
        """This rank's micro-batches of a step, read here and now, in ordinary memory."""
        return [
            {kind: self._read(kind, step, rank, pin=False) for kind in self.sources} for rank in self._virtual_ranks()
        ]

    def _read(self, kind: str, step: int, rank: int, pin: bool) -> Batch:
        """One micro-batch of a kind, from all of its sources."""
        sources = self.sources[kind]
        drawn = [source.streams.rank_batch(step, rank, self.world * self.parts) for source in sources]
        batch = Batch.empty(sum(len(ids) for ids, _ in drawn), sources[0].shards.manifest, pin)
        start = 0
        for source, (ids, positions) in zip(sources, drawn):
            stop = start + len(ids)
            source.shards.read(ids, source.first + positions, into=batch[start:stop])
            start = stop
        return batch

    def _fetch(self, pool: ThreadPoolExecutor, step: int) -> None:
        """Fetch the shards that a step will read, where they are not on this machine: the plan is known. What goes
        wrong here goes wrong again, and is reported, when they are read."""
        for source in (source for some in self.sources.values() for source in some if source.shards.is_remote):
            for rank in self._virtual_ranks():
                pool.submit(source.shards.prepare, source.streams.rank_batch(step, rank, self.world * self.parts)[0])


class _Turns(IterableDataset):
    """What one process of several reads of a loader's steps."""

    def __init__(self, loader: Loader, start: int, stop: int) -> None:
        self.loader, self.start, self.stop = loader, start, stop

    def __iter__(self) -> Iterator[Step | InputError]:
        process = get_worker_info()
        assert process is not None, "only processes of a DataLoader iterate over this"
        cv2.setNumThreads(1)
        for step in range(self.start + process.id, self.stop, process.num_workers):
            try:
                yield step, self.loader.read(step)
            except InputError as error:  # as it is: what the DataLoader itself passes on is wrapped in a stack trace
                yield error
                return


Requests = list[dict[str, "Future[Batch]"]]
"""The micro-batches of one step by kind of sample, being read."""


def _collect(step: int, requests: Requests) -> Step:
    return step, [{kind: batch.result() for kind, batch in request.items()} for request in requests]


def _micro_batches(kind: str, sources: list[Source], world: int, micro_batch: int) -> int:
    """Into how many micro-batches a rank's share of one kind falls."""
    streams = [source.streams.count for source in sources]
    share = sum(source.streams.count * source.streams.per_step for source in sources) // world
    parts = share // micro_batch if 0 < micro_batch < share else 1
    whole = all(count % (world * parts) == 0 for count in streams)
    if micro_batch and (share % parts or not whole or (parts > 1 and share % micro_batch)):
        least = math.gcd(*streams) // world
        raise InputError(
            f"train.micro_batch is {micro_batch}, which does not divide the {share} samples of kind {kind} that each "
            f"of {world} ranks has in a step into whole streams; allowed: {share} divided by a divisor of {least}, or "
            "0 for all at once"
        )
    return parts


class BatchDataset(IterableDataset):
    """The same batches for a loop of one's own: yields (step, {kind: Batch}) from `start` on, for one rank.

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
