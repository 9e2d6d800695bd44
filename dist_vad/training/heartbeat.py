"""Names the rank that stalled, and ends the run, where training makes no progress.

Ranks wait for each other in every step, so one that hangs (a dead disk, a stopped process, a lost machine) stops all,
and none of them knows which it was. Each rank counts its progress; a thread publishes the count in the store through
which the ranks found each other, and compares when the own count stands still.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch.distributed as dist
from accelerate import Accelerator

from dist_vad.base.errors import STALLED

PLACES = ("reading", "computing", "reducing", "agreeing", "validating", "saving")
"""What a rank does in a step, in order: `reducing` is the last backward pass, in which ranks wait for each other."""
MISSED = 3
"""A rank whose thread has not published for so many intervals is stopped, or gone."""


class Beat(NamedTuple):
    """What a rank last published."""

    count: int
    """Grows from place to place and from step to step."""
    place: str
    published: int
    """How many times it has published: its process is alive while this grows."""
    host: str


class Heartbeat:
    """Watches over a rank's loop within its block.

    Args:
        rank, world: this rank and the number of ranks.
        timeout: seconds without progress; 0 = never.
        end: what ends this process, given an exit status; `os._exit`, since a collective cannot be interrupted.
        in_steps: whether the work is a loop that tells where it is; without that, as in an evaluation, only processes
            that are stopped or gone are noticed.
    """

    def __init__(
        self, rank: int, world: int, timeout: float, end: Callable[[int], Any] = os._exit, in_steps: bool = True
    ) -> None:
        self.rank, self.world, self.timeout, self.end, self.in_steps = rank, world, timeout, end, in_steps
        self.interval = min(max(timeout / 10, 0.2), 10.0)
        self._count, self._place, self._moved = 0, "starting", time.monotonic()
        self._store: Any = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="heartbeat")

    def at(self, step: int, place: str) -> None:
        """The loop has come to one of PLACES in a step, or goes on there."""
        self._count, self._place = step * len(PLACES) + PLACES.index(place), f"{place}, step {step}"
        self._moved = time.monotonic()

    def __enter__(self) -> "Heartbeat":
        self._moved = time.monotonic()
        if self.timeout:
            # Before anything can stop this process, so that the others know of it.
            self._store = _store("dist_vad/heartbeat") if self.world > 1 else None
            self._publish(0)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self.timeout:
            self._thread.join()

    def _watch(self) -> None:
        store = self._store
        seen: dict[int, tuple[Beat, float]] = {}
        published = 0
        while not self._stopped.wait(self.interval):
            published += 1
            try:
                mine = self._publish(published)
                beats = {self.rank: mine}
                if store is not None:
                    others = [r for r in range(self.world) if r != self.rank and store.check([str(r)])]
                    beats |= {r: Beat(*json.loads(store.get(str(r)))) for r in others}
            except RuntimeError:  # the store has ended with the machine that held it
                beats = {self.rank: self._beat(published)}
            now = time.monotonic()
            for rank, beat in beats.items():
                if rank not in seen or seen[rank][0].published != beat.published:
                    seen[rank] = (beat, now)
            if not self.in_steps:
                gone = [rank for rank, (_, when) in seen.items() if now - when > self.timeout]
                if gone:
                    self._report({rank: beat for rank, (beat, _) in seen.items()}, gone)
                    return
            elif now - self._moved > self.timeout:
                silent = [rank for rank, (_, when) in seen.items() if now - when > MISSED * self.interval]
                if silent or self.world == 1 or now - self._moved > self.timeout + 2 * MISSED * self.interval:
                    self._report({rank: beat for rank, (beat, _) in seen.items()}, silent)
                    return

    def _beat(self, published: int) -> Beat:
        return Beat(self._count, self._place, published, socket.gethostname())

    def _publish(self, published: int) -> Beat:
        mine = self._beat(published)
        if self._store is not None:
            self._store.set(str(self.rank), json.dumps(mine))
        return mine

    def _report(self, beats: dict[int, Beat], silent: list[int]) -> None:
        if self.rank == min(set(beats) - set(silent), default=self.rank):
            print(f"error: {told(beats, silent, self.timeout)}", file=sys.stderr, flush=True)
        else:
            time.sleep(2 * self.interval)  # the first process that ends makes the launcher kill the others
        self.end(STALLED)


@contextlib.contextmanager
def watched(accelerator: Accelerator, timeout: float) -> Iterator[None]:
    """Watch over work of all ranks that has no steps, such as an evaluation; they leave it together.

    A rank whose process is stopped or gone for `timeout` seconds (0 = never) is named, and ends the run.
    """
    with Heartbeat(accelerator.process_index, accelerator.num_processes, timeout, in_steps=False):
        yield
        accelerator.wait_for_everyone()


def told(beats: dict[int, Beat], silent: list[int], timeout: float) -> str:
    """Which ranks stalled: those that no longer publish, else those that are behind the others."""
    behind = min(beat.count for beat in beats.values())
    late = [rank for rank, beat in beats.items() if beat.count == behind]
    stalled = silent or (late if len(late) < len(beats) else [])
    where = "; ".join(f"rank {rank} on {beats[rank].host}, {beats[rank].place}" for rank in sorted(stalled or beats))
    if silent:
        diagnosis = f"stalled, its process is stopped or its machine gone: {where}"
    elif stalled and len(beats) > 1:
        diagnosis = f"stalled, the others wait for it: {where}"
    else:
        diagnosis = f"stalled: {where}"
    return (
        f"no progress for {timeout:.0f} s (train.timeout_seconds): {diagnosis}. The same command goes on from the last "
        "checkpoint"
    )


def _store(prefix: str) -> Any:
    """The store through which the ranks found each other."""
    return dist.PrefixStore(prefix, dist.distributed_c10d._get_default_store())  # pyright: ignore
