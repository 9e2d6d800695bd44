"""The cubes of all cameras, scored together by one thread."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import groupby

import numpy as np

from dist_vad.base.log import log
from dist_vad.scoring.combined import COMBINED
from dist_vad.scoring.geometry import box_places
from dist_vad.watch.camera import Seen

MOST_TOGETHER = 64
"""Frames whose cubes are scored at once."""
Deliver = Callable[[Seen, np.ndarray | None], None]
"""Takes a frame and the scores of its objects, float64 [n]; None where it was not scored."""


class Batcher:
    """Takes frames from many threads, and delivers them, each camera's in its order, with the scores of their objects.

    It holds as many frames as cameras let wait (`waiting`), so memory is bounded.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._queue: deque[Seen] = deque()
        self._of_camera: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stopped = False
        self.worked = time.monotonic()
        """When the thread last showed that it lives, by time.monotonic()."""
        self.fault: BaseException | None = None
        """What ended it, where that was not `stop`."""
        self._thread = threading.Thread(target=self._run, name="score", daemon=True)
        self._thread.start()

    def put(self, seen: Seen) -> None:
        """Take a frame; waits where the camera does not heed `waiting`."""
        with self._changed:
            self._changed.wait_for(lambda: self._of_camera[seen.camera.name] < MOST_TOGETHER or self._stopped)
            self._queue.append(seen)
            self._of_camera[seen.camera.name] += 1
            self._changed.notify_all()

    def waiting(self, camera: str) -> int:
        """Frames of a camera that wait."""
        return self._of_camera[camera]

    def stop(self) -> None:
        """Deliver what waits, and end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        try:
            while taken := self._take():
                self._work(taken)
                with self._changed:
                    for seen in taken:
                        self._of_camera[seen.camera.name] -= 1
                    self._changed.notify_all()
        except BaseException as error:
            log.exception("scoring failed")
            self.fault = error

    def _take(self) -> list[Seen]:
        with self._changed:
            while not self._queue and not self._stopped:
                self._changed.wait(timeout=1)
                self.worked = time.monotonic()
            count = min(len(self._queue), MOST_TOGETHER)
            return [self._queue.popleft() for _ in range(count)]

    def _work(self, taken: list[Seen]) -> None:
        scores: dict[int, np.ndarray] = {}
        with_objects = [seen for seen in taken if seen.moment.samples]
        key = lambda seen: id(seen.camera.judge.scorer.detector)  # noqa: E731
        for _, group in groupby(sorted(with_objects, key=key), key=key):
            scores |= _score(list(group))
        for seen in taken:
            empty = None if seen.moment.samples is None else np.zeros(0)
            self._deliver(seen, scores.get(id(seen), empty))
            self.worked = time.monotonic()


def _score(group: list[Seen]) -> dict[int, np.ndarray]:
    """Scores of the objects of frames whose cameras share a state, by the frames' identities."""
    detector = group[0].camera.judge.scorer.detector
    counts = [len(seen.moment.samples or ()) for seen in group]
    samples = [sample for seen in group for sample in seen.moment.samples or ()]
    clips, places = np.stack([sample.clip for sample in samples]), box_places([sample.box for sample in samples])
    scenes = [seen.scene for seen in group]
    features = np.repeat(np.stack([scene.feature for scene in scenes if scene]), counts, axis=0)
    names = np.repeat(np.array([scene.name for scene in scenes if scene]), counts)
    wanted = [seen.camera.judge.scorer.counts for seen in group]
    boxes = [seen.moment.boxes for seen in group if seen.moment.boxes is not None]
    columns = detector.scores(clips, features, names, np.concatenate(boxes) if COMBINED in wanted else None, places)
    ends = np.cumsum(counts)[:-1]
    split = {name: np.split(columns[name], ends) for name in set(wanted)}
    return {id(seen): split[name][row] for row, (seen, name) in enumerate(zip(group, wanted))}
