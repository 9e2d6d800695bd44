"""Settings of the detectors: where the objects of a frame come from, and which of them are cut."""

from dataclasses import dataclass

from dist_vad.base import plugins
from dist_vad.base.errors import refuse_unless

NETWORKS = ("darknet", "yolo")
"""The detectors that are trained networks."""
READ_BY = {"boxes": ("boxes",), "weights": NETWORKS, "cfg": ("darknet",), "names": ("darknet",), "input_size": NETWORKS}
"""Setting -> those of our detectors that read it."""


@dataclass(kw_only=True)
class DetectorSettings:
    """Where the objects of a frame come from."""

    name: str = "motion"
    """motion: regions that differ from the background of the video, no weights needed. boxes: read from a file.
    darknet: YOLOv3 and its family as published, run by OpenCV. yolo: whatever Ultralytics loads; an optional extra
    under the AGPL-3.0."""
    boxes: str | None = None
    """For `boxes`: a JSON file {video: [[[x1, y1, x2, y2, confidence], ...] per frame]}; {root} stands
    for data.root, {split} for the split as the data set calls it."""
    weights: str | None = None
    """For `darknet`: the .weights file. For `yolo`: a file such as yolov8n.pt, or the folder of an exported model; not
    given = yolov3u.pt. It must be there: nothing is ever downloaded."""
    cfg: str | None = None
    """For `darknet`: the .cfg file that describes the network of the weights."""
    names: str | None = None
    """For `darknet`: a text file with the name of one class per line, such as coco.names."""
    input_size: int | None = None
    """For `darknet` and `yolo`: frames are resized to this many pixels for the network, a multiple of 32; not given =
    416 for darknet, 640 for yolo. A model exported with a fixed size keeps its own."""
    nms: float = 0.45
    """For `darknet` and `yolo`: of two boxes of one class that overlap by more than this (intersection over union, 0
    to 1), the less confident one is left out."""
    classes: list[str] | None = None
    """For `darknet` and `yolo`: only boxes of these classes are kept, such as [person, bicycle]; not given = all."""
    batch: int = 8
    """Frames that the detector sees at once. Memory grows with it: as many windows of data.clip_length frames wait."""
    min_confidence: float | None = None
    """Boxes below this confidence, in [0, 1], are left out; not given = 0.25 for darknet and yolo, 0 for the others.
    OpenCV itself leaves out darknet's boxes below 0.2."""
    continued_confidence: float | None = None
    """Boxes from this confidence on, but below the least one, are kept where they go on an object that had a confident
    box up to 50 frames before: who falls, or is half hidden, has an unsure one. Not given = no such boxes."""
    min_size: int = 10
    """Boxes whose shorter side is below this many pixels are left out."""
    threshold: int = 22
    """For `motion` and motion_union: a pixel moves if any channel differs from the background by more than this, in
    1..254."""
    motion_union: bool = False
    """Add the moving regions that the detector missed: those of which no box covers more than half of the area."""
    max_objects: int = 0
    """Most objects of one frame, those of the highest confidence; what is left out is counted and reported. 0 = all."""

    def __post_init__(self) -> None:
        known = plugins.names(plugins.DETECTORS)
        refuse_unless(self.name in known, "data.detector.name", self.name, ", ".join(known))
        for key in ("min_confidence", "nms"):
            value = getattr(self, key)
            refuse_unless(value is None or 0 <= value <= 1, f"data.detector.{key}", value, "0 to 1")
        unsure = self.continued_confidence
        allowed = f"at least 0 and below {self.least_confidence}, from which boxes stand on their own"
        below = unsure is None or 0 <= unsure < self.least_confidence
        refuse_unless(below, "data.detector.continued_confidence", unsure, allowed)
        size = self.input_size
        refuse_unless(size is None or (size >= 32 and size % 32 == 0), "data.detector.input_size", size, "32, 64, 96 …")
        refuse_unless(self.batch >= 1, "data.detector.batch", self.batch, "1 or more")
        refuse_unless(self.min_size >= 2, "data.detector.min_size", self.min_size, "2 or more pixels")
        refuse_unless(1 <= self.threshold <= 254, "data.detector.threshold", self.threshold, "1 to 254")
        refuse_unless(self.max_objects >= 0, "data.detector.max_objects", self.max_objects, "0 or more")
        for key in {"boxes": ("boxes",), "darknet": ("weights", "cfg", "names")}.get(self.name, ()):
            value = getattr(self, key)
            refuse_unless(value is not None, f"data.detector.{key}", value, f"a path when detector is `{self.name}`")
        only = f"not given when detector is `{self.name}`, whose boxes have no classes"
        refuse_unless(self.classes is None or self.name in NETWORKS, "data.detector.classes", self.classes, only)
        refuse_unless(
            self.classes is None or len(self.classes) > 0, "data.detector.classes", self.classes, "one class or more"
        )
        moving = self.motion_union and self.name == "motion"
        allowed = "false when detector is `motion`, which finds all moving regions by itself"
        refuse_unless(not moving, "data.detector.motion_union", self.motion_union, allowed)

    @property
    def unread(self) -> list[str]:
        """The settings that are given, but that this detector does not read."""
        if self.name not in plugins.own(plugins.DETECTORS):
            return []
        return [key for key, names in READ_BY.items() if getattr(self, key) is not None and self.name not in names]

    @property
    def least_confidence(self) -> float:
        """`min_confidence`, or what holds where it is not given."""
        if self.min_confidence is not None:
            return self.min_confidence
        return 0.25 if self.name in NETWORKS else 0.0

    @property
    def lowest_confidence(self) -> float:
        """Below this, no box is ever kept."""
        return self.least_confidence if self.continued_confidence is None else self.continued_confidence

    @property
    def needs_background(self) -> bool:
        """Whether objects are found by what differs from the background."""
        return self.name == "motion" or self.motion_union
