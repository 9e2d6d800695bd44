"""From what a detector finds to the objects that are cut: the same rules for every detector."""

import numpy as np

from dist_vad.base.boxes import covered
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.detectors.base import Boxes, ObjectDetector, sorted_boxes
from dist_vad.video.detectors.continued import ContinuedObjects


class FilteredDetector:
    """The objects of one video's frames; itself a detector.

    1. Boxes of a detector are left out if they are smaller than `min_size`, not of `classes`, or less confident than
       `min_confidence`; with `continued_confidence`, those stay that go on a confident one of an earlier frame.
    2. With `motion_union`, the moving regions that those boxes miss are added.
    3. With `max_objects`, only so many are kept, and the others are counted.
    """

    def __init__(
        self, settings: DetectorSettings, detector: ObjectDetector, motion: ObjectDetector | None = None
    ) -> None:
        """`motion`: finds the moving regions to add; None for none."""
        self._settings, self._detector, self._motion = settings, detector, motion
        self._continued = ContinuedObjects(settings.least_confidence)
        self.boxes_left_out = 0
        self.frames_bounded = 0

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        """The objects of each frame; frames are RGB, uint8 [H, W, 3]."""
        objects = [self._chosen(*each) for each in zip(numbers, self._detector(numbers, frames))]
        if self._motion:
            # How much of its box moves says nothing of how sure one can be of a region: its size alone is judged.
            moving = [boxes.taken(self._large(boxes)) for boxes in self._motion(numbers, frames)]
            objects = [_united(boxes, regions) for boxes, regions in zip(objects, moving)]
        return [self._bounded(boxes) for boxes in objects]

    @property
    def note(self) -> str:
        """What the bound on objects left out so far, for the user to read; empty if nothing."""
        if not self.boxes_left_out:
            return ""
        return (
            f"detector.max_objects {self._settings.max_objects} left out {self.boxes_left_out} boxes in "
            f"{self.frames_bounded} frames, the least confident ones"
        )

    def _chosen(self, number: int, boxes: Boxes) -> Boxes:
        classes = self._settings.classes
        wanted = np.array([classes is None or name in classes for name in boxes.categories], bool)
        confident = boxes.values[:, 4] >= self._settings.lowest_confidence
        boxes = boxes.taken(confident & wanted & self._large(boxes))
        return boxes if self._settings.continued_confidence is None else boxes.taken(self._continued(number, boxes))

    def _large(self, boxes: Boxes) -> np.ndarray:
        """bool [n]: which boxes are large enough."""
        x1, y1, x2, y2 = boxes.values[:, :4].T
        return np.minimum(x2 - x1, y2 - y1) >= self._settings.min_size

    def _bounded(self, boxes: Boxes) -> Boxes:
        limit = self._settings.max_objects
        if not limit or len(boxes) <= limit:
            return boxes
        self.boxes_left_out += len(boxes) - limit
        self.frames_bounded += 1
        best = np.argsort(-boxes.values[:, 4], kind="stable")[:limit]  # equally confident ones: the leftmost
        return boxes.taken(np.isin(np.arange(len(boxes)), best))


def _united(boxes: Boxes, regions: Boxes) -> Boxes:
    """The boxes, and the moving regions that they miss.

    A region is missed if no single box covers more than half of its area. Not the intersection over the union: the
    moving arm of a person who stands is found already, for the person's box covers it, however large the box is. And
    not all boxes together: a crowd that moves as one region is kept as a whole, though each person in it is found.
    """
    share = covered(regions.values[:, :4], boxes.values[:, :4]).max(axis=1, initial=0)
    missed = regions.taken(share <= 0.5)
    rows = [*boxes.values.tolist(), *missed.values.tolist()]
    return sorted_boxes(rows, [*boxes.categories, *missed.categories])
