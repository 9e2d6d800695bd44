"""Masks of anomalous pixels, one a frame, as events with a box in every frame."""

from collections.abc import Iterable

import cv2
import numpy as np

from dist_vad.base.boxes import matches
from dist_vad.base.labels import Event


def mask_events(masks: Iterable[np.ndarray]) -> list[Event]:
    """The anomalies of one video, in the order in which they appear.

    masks: for each frame [H, W], non-zero where anomalous. Each connected piece (8 neighbours) is a region; pieces
    whose boxes overlap from one frame to the next, chosen as in `dist_vad.video.tracks`, are one event. One that
    vanishes for a frame is another when it comes back.
    """
    tracks: list[tuple[int, list[list[float]]]] = []  # first frame, boxes
    running: list[tuple[int, list[list[float]]]] = []
    for number, mask in enumerate(masks):
        boxes = _boxes(mask)
        pairs = matches(np.array(boxes), np.array([track[-1] for _, track in running]))
        before, running = running, []
        for row, box in enumerate(boxes):
            if row in pairs:
                before[pairs[row]][1].append(box)
                running.append(before[pairs[row]])
            else:
                running.append((number, [box]))
                tracks.append(running[-1])
    return [Event(start=s, end=s + len(track), name="", kind="", boxes=track) for s, track in tracks]


def _boxes(mask: np.ndarray) -> list[list[float]]:
    """x1, y1, x2, y2 of each connected piece of a mask, from top to bottom; x2 and y2 lie one past its last pixel."""
    pieces, _, facts, _ = cv2.connectedComponentsWithStats((np.asarray(mask) != 0).astype(np.uint8), connectivity=8)
    return [[float(x), float(y), float(x + w), float(y + h)] for x, y, w, h, _ in facts[1:pieces].tolist()]
