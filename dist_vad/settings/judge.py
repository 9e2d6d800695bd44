"""Settings of the judge: the ground truth, how score files are read, and what is said of the scores."""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.base import plugins
from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class JudgeSettings:
    """How anybody's frame scores are judged."""

    dataset: str | None = None
    """Whose ground truth counts. Not needed for the files of our own evaluations, which hold theirs."""
    root: str | None = None
    """Where the data set, or its annotations alone, lies."""
    title: str | None = None
    """What the data set is called on the page and on record; null: by its name, such as ucsd_ped2 or shanghaitech."""
    labels: str | None = None
    """For `folder`: a JSON file {video: [[first, last], ...]} of anomalous frames, 0-based, both ends inclusive."""
    column: str | None = None
    """Column of a table that holds the scores; null: `score`, or the only one that can."""
    out: str = "judged"
    """Folder for judge.html and judge.json."""
    ground_truth: str | None = None
    """The ground truth that the authors of the scores say they use; null: not said. All are judged in any case."""
    smoothing: Literal["median17", "gaussian4", "median17_causal", "gaussian4_causal", "none"] = "none"
    """The smoothing that the scores have, as their authors state it. Nothing is smoothed by it: it is checked."""
    higher: Literal["anomalous", "normal"] = "anomalous"
    """What a higher score means; `normal` (PSNR, regularity) judges the negative of the scores."""
    repeat: int = 1
    """Frames that each score stands for, as 16 where a method scores snippets of 16 frames."""
    missing: Literal["refuse", "start", "end", "both"] = "refuse"
    """Where a video's scores are fewer than its frames: stop, or repeat the nearest score over the frames that have
    none, at the start, at the end, or half of them at each."""
    subset: bool = False
    """Judge the videos that have scores and leave out the others; the results say so."""
    videos: str | None = None
    """For one list of all scores: a text file that names the videos in the order of the list, one a line, each with its
    number of frames where the ground truth does not know it. Without it, the order of the data set."""
    regions: str | None = None
    """A CSV or Parquet file of the first method's regions for RBDC and TBDC: video, frame, x1, y1, x2, y2, score."""
    fps: float | None = None
    """Frames a second, for alarms an hour and delays; null: as the data set says."""
    threshold: float | None = None
    """Score from which on a frame raises an alarm; null: alarms are shown for some budgets of false alarms alone."""
    budgets: list[float] = field(default_factory=lambda: [1.0, 10.0, 60.0])
    """False alarms an hour of normal video for which operating points are shown."""
    join: float = 1.0
    """Alarms less than so many seconds apart are one."""
    published: float | None = None
    """An AUC from a paper, 0 to 1: the conventions that come nearest to it are marked."""
    resamples: int = 1000
    """Bootstrap resamples of the videos for the intervals; 0 = no intervals."""
    unlearned: list[str] = field(default_factory=list)
    """Names of methods that no learning went into, as box_width of box_width.npz: they stand as baselines."""
    record: str | None = None
    """A folder such as docs/results in which the results are written down for others, as DATASET/METHOD.json."""

    def __post_init__(self) -> None:
        known = plugins.names(plugins.DATASETS)
        if self.dataset is not None:
            refuse_unless(self.dataset in known, "dataset", self.dataset, ", ".join(known))
        refuse_unless(self.repeat >= 1, "repeat", self.repeat, "1 or more")
        refuse_unless(self.fps is None or self.fps > 0, "fps", self.fps, "more than 0, or null")
        positive = bool(self.budgets) and all(budget > 0 for budget in self.budgets)
        refuse_unless(positive, "budgets", self.budgets, "one or more numbers of more than 0")
        refuse_unless(self.join >= 0, "join", self.join, "0 or more")
        refuse_unless(
            self.published is None or 0 <= self.published <= 1, "published", self.published, "0 to 1, or null"
        )
        refuse_unless(self.resamples >= 0, "resamples", self.resamples, "0 or more")
