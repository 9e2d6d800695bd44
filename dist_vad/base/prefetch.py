"""An iterator that is worked through in a thread of its own, some items ahead of whoever takes them."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterable[T], count: int) -> Generator[T]:
    """Yield `items` in order; at most `count` wait, so memory is bounded. What they raise is raised here.

    Decoding, detecting, cutting, encoding and writing then overlap: the libraries that do the work let go of the
    interpreter. When the taker stops early, so does the thread, at its next item.
    """
    waiting: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(count)
    stopped = threading.Event()

    def put(kind: str, item: T | BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                return waiting.put((kind, item), timeout=0.1)

    def work() -> None:
        try:
            for item in items:
                put("item", item)
                if stopped.is_set():
                    return
            put("end", None)
        except BaseException as error:  # whatever it is, it belongs to the taker
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise item  # pyright: ignore[reportGeneralTypeIssues]
            yield item  # pyright: ignore[reportReturnType]
    finally:
        stopped.set()
        thread.join()
