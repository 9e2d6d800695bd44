"""Every setting of the system, with its meaning, its unit and what is allowed.

Settings are dataclasses; YAML files in `configs/`, dotted overrides on the command line, `--help` and
`--print_config` come from them. A bad value is refused when it is read: the message names the key, the value
and what is allowed.
"""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.config_curriculum import split_line
from dist_vad.config_detector import DetectorSettings
from dist_vad.config_evaluate import EvaluateSettings
from dist_vad.config_scene import SceneSettings
from dist_vad.config_task import TaskSettings
from dist_vad.errors import refuse_unless
from dist_vad.manifest import CODECS


@dataclass(kw_only=True)
class PlazaSettings:
    """The generated data set: how many small videos, and of what size."""

    train_videos: int = 12
    """Normal videos to learn from (before the held-out share is taken away)."""
    test_videos: int = 12
    """Videos with labelled anomalies of all three kinds."""
    virtual_videos: int = 24
    """Short labelled videos for the inference phase."""
    frames: int = 120
    """Frames of each train and test video."""
    seed: int = 0
    """Another seed, other videos."""

    def __post_init__(self) -> None:
        for key in ("train_videos", "test_videos", "virtual_videos"):
            refuse_unless(getattr(self, key) >= 2, f"data.plaza.{key}", getattr(self, key), "2 or more")
        refuse_unless(self.frames >= 60, "data.plaza.frames", self.frames, "60 or more")


@dataclass(kw_only=True)
class DataSettings(SceneSettings):
    """What the producer reads and what it cuts from it."""

    dataset: Literal["plaza", "folder", "ucsd", "avenue", "shanghaitech", "ucf_crime", "nwpu_campus", "ubnormal"] = (
        "plaza"
    )
    """plaza: generated. folder: anyone's videos or frame folders. The others (ucsd: Ped1 or Ped2) are read as published
    or as their common repack; docs/DATASETS.md shows the trees."""
    root: str | None = None
    """Where the data set lies; not needed for plaza."""
    plaza: PlazaSettings = field(default_factory=PlazaSettings)
    """Settings of the generated data set."""
    labels: str | None = None
    """For `folder`: a JSON file {video: [[first, last], ...]} of anomalous frames, 0-based, both ends inclusive."""
    labels_mismatch: Literal["refuse", "clip"] = "refuse"
    """What to do with labels that do not fit the videos: stop, or go on with what fits. Labels past the end of a video
    are cut to it; videos without labels, and labels without a video, are left out."""
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    """Where the objects of a frame come from."""
    clip_length: int = 9
    """Frames of a cube, T; odd: the object's frame and (T - 1) / 2 on each side."""
    cube_size: int = 48
    """Height and width to which a cube's crops are resized, pixels."""
    context: float = 0.1
    """Each box is widened by this share of its width and height on every side before it is cut."""
    train_stride: int = 1
    """Objects are cut from every n-th frame of training video."""
    test_stride: int = 1
    """Objects are cut from every n-th frame of test video; scores are held in between."""
    clip_stride: int = 0
    """A clip of the whole frame is taken around every n-th frame of the data set's own video; 0 = none. It shows what
    has no object: smoke, or a scene that should not be empty."""
    virtual: Literal["plaza", "ubnormal", "none"] = "plaza"
    """Where the labelled virtual clips of the inference phase come from; plaza generates them for any data set."""
    virtual_root: str | None = None
    """For `ubnormal`: where that data set lies."""
    virtual_size: int = 64
    """Height and width to which whole frames are resized, pixels (the paper: 256); of virtual video and of clips."""
    virtual_stride: int = 3
    """A virtual clip is taken around every n-th frame."""
    codec: Literal["jpeg", "png", "raw"] = "jpeg"
    """How crops are stored: jpeg (quality 95), png (lossless), raw (lossless, large, fast)."""
    tracks: bool = False
    """Write a track id into every cube's json, counted per video from 0: boxes that overlap from one sampled frame to
    the next are one object's."""
    val_share: float = 0.15
    """Share of the training videos held out as normal validation video, chosen by hash of the name."""
    shard_samples: int = 512
    """Most samples in one tar shard."""

    def __post_init__(self) -> None:
        super().__post_init__()
        odd = self.clip_length % 2 == 1 and self.clip_length >= 3
        refuse_unless(odd, "data.clip_length", self.clip_length, "an odd number, 3 or more")
        for key in ("cube_size", "virtual_size"):
            size = getattr(self, key)
            refuse_unless(size >= 16 and size % 8 == 0, f"data.{key}", size, "a multiple of 8, 16 or more")
        for key in ("train_stride", "test_stride", "virtual_stride", "shard_samples"):
            refuse_unless(getattr(self, key) >= 1, f"data.{key}", getattr(self, key), "1 or more")
        refuse_unless(self.clip_stride >= 0, "data.clip_stride", self.clip_stride, "0 or more")
        refuse_unless(0 <= self.context <= 1, "data.context", self.context, "0 to 1")
        refuse_unless(0 < self.val_share < 1, "data.val_share", self.val_share, "more than 0, less than 1")
        refuse_unless(self.codec in CODECS, "data.codec", self.codec, ", ".join(CODECS))
        if self.dataset != "plaza":
            refuse_unless(self.root is not None, "data.root", self.root, f"the folder of the `{self.dataset}` data set")
        if self.virtual == "ubnormal":
            refuse_unless(self.virtual_root is not None, "data.virtual_root", None, "the folder of UBnormal")


@dataclass(kw_only=True)
class StreamSettings:
    """How samples are drawn. Everything here is part of what is learned."""

    streams: int = 64
    """Canonical streams K; divides the global batch and is a multiple of every number of ranks one plans for."""
    block: int = 128
    """Blocks are whole shards, or runs of at most this many samples of one shard."""
    window: int = 1024
    """Samples of a stream are shuffled within windows of this many."""

    def __post_init__(self) -> None:
        for key in ("streams", "block", "window"):
            refuse_unless(getattr(self, key) >= 1, f"stream.{key}", getattr(self, key), "1 or more")


@dataclass(kw_only=True)
class ModelSettings:
    """Size of the network."""

    width: int = 32
    """Channels of the backbone's first layer; later layers have two and four times as many."""
    embedding: int = 128
    """Length of the comprehension head's embedding and width of the inference head's hidden layer."""

    def __post_init__(self) -> None:
        refuse_unless(self.width >= 4 and self.width % 4 == 0, "model.width", self.width, "a multiple of 4")
        refuse_unless(self.embedding >= 2, "model.embedding", self.embedding, "2 or more")


@dataclass(kw_only=True)
class LearningSettings:
    """How a stage of the curriculum learns, and for how long."""

    steps: int = 10000
    """Optimiser steps."""
    global_batch: int = 64
    """Samples of each kind (cubes, virtual clips) in one step, over all ranks together."""
    learning_rate: float = 3e-4
    """AdamW's initial learning rate; falls to 0 over the stage by a cosine."""
    backbone_rate: float = 1.0
    """The backbone learns at this share of the rate: less than 1 keeps more of what earlier stages taught it."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    warmup: int = 0
    """Steps over which the learning rate rises linearly at the start of the stage."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this global L2 norm where theirs is larger; 0 = never."""
    validate_every: int = 1000
    """The loss on held-out normal video is measured after every so many steps; 0 = never."""
    retain: Literal["none", "distill", "replay"] = "none"
    """What keeps earlier tasks' heads useful. none: nothing, as in the paper. distill: the backbone's features of this
    stage's samples are held near those of the parent state. replay: the losses of earlier tasks go on being learned, on
    samples of their kinds."""
    retain_weight: float = 1.0
    """Weight of the loss of `retain`: of the distance of features, or of each replayed task."""
    ema: float = 0.0
    """Share of its old value that a moving average of the weights keeps at each step, such as 0.999; the average is
    what is validated and handed on. 0 = none."""
    keep: Literal["last", "best"] = "last"
    """Which weights are handed on: the last, or those measured best on held-out normal video."""

    def __post_init__(self) -> None:
        refuse_unless(self.steps >= 1, "steps", self.steps, "1 or more")
        refuse_unless(self.global_batch >= 1, "global_batch", self.global_batch, "1 or more")
        refuse_unless(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        refuse_unless(0 <= self.backbone_rate <= 1, "backbone_rate", self.backbone_rate, "0 to 1")
        for key in ("weight_decay", "warmup", "clip_norm", "validate_every"):
            refuse_unless(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        refuse_unless(self.retain_weight > 0, "retain_weight", self.retain_weight, "above 0")
        refuse_unless(0 <= self.ema < 1, "ema", self.ema, "0 to less than 1")
        measured = self.keep == "last" or self.validate_every > 0
        refuse_unless(measured, "validate_every", self.validate_every, "1 or more where keep is `best`")


@dataclass(kw_only=True)
class StageSettings(LearningSettings):
    """One stage of the curriculum: which tasks are learned, how, and for how long."""

    tasks: dict[str, float]
    """Proxy task -> weight of its loss. Several tasks are learned at the same time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unless(len(self.tasks) > 0, "tasks", self.tasks, "at least one task with its weight")
        for name, weight in self.tasks.items():
            refuse_unless(weight > 0, f"tasks.{name}", weight, "a weight above 0")


@dataclass(kw_only=True)
class TrainSettings:
    """How the work is done on this machine. Nothing here, but for `precision`, changes what is learned."""

    precision: Literal["no", "tf32", "bf16"] = "no"
    """no: fp32. tf32: fp32 whose products are rounded to TF32, on a GPU that has it. bf16: mixed precision. Part of a
    state's recipe."""
    ranks: int = 0
    """Ranks, such as GPUs, that the run is planned for; 0 = as many as are launched. On fewer, each takes more
    micro-batches of the same size."""
    micro_batch: int | Literal["auto"] = 0
    """Samples of each kind that one rank passes through the network at once; gradients are accumulated. 0 = its whole
    share at `ranks` ranks. auto: the largest that a GPU's memory holds, found once and kept with the run."""
    memory_gb: float = 0.0
    """Most GPU memory, in 1e9 bytes, that `micro_batch: auto` may use, such as 24; 0 = what the GPU has."""
    compile: bool = False
    """Compile the network by torch.compile; not together with ZeRO-3."""
    threads: int = 2
    """Threads that read and decode ahead of the training step."""
    processes: int = 0
    """Read in so many processes of their own instead; 0 = in threads. Faster for raw samples; Linux."""
    prefetch: int = 4
    """Steps that are read ahead."""
    cpu_threads: int = 0
    """Threads of one rank's arithmetic on a CPU; 0 = cores / ranks. The same threads and micro-batch give the
    same bits on one rank as on two."""
    checkpoints: str | None = None
    """Folder, or s3://bucket/prefix, of the checkpoints for restarting; None = RUN/training."""
    checkpoint_seconds: float = 300.0
    """A checkpoint is written after so many seconds."""
    checkpoint_steps: int = 0
    """And after every so many steps; 0 = by the clock alone."""
    keep_checkpoints: int = 2
    """So many of the newest checkpoints of a stage are kept."""
    max_skipped: int = 3
    """A step whose loss or gradient is not finite changes nothing; after more of them than this a stage ends, naming
    the samples."""
    spike: float = 6.0
    """A loss above its running mean by so many standard deviations is warned of; 0 = never."""
    timeout_seconds: float = 600.0
    """Training that makes no progress for so long ends, naming the rank that stalled; 0 = never. The compilation of a
    network, and a slow bucket, must fit in."""
    log_every: int = 10
    """Losses are logged every so many steps."""
    tracker: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    """Where curves of losses and rates go; tensorboard: into the run's folder."""

    def __post_init__(self) -> None:
        for key in ("threads", "prefetch", "log_every", "keep_checkpoints"):
            refuse_unless(getattr(self, key) >= 1, f"train.{key}", getattr(self, key), "1 or more")
        for key in (
            "ranks", "memory_gb", "cpu_threads", "checkpoint_seconds", "checkpoint_steps", "processes", "max_skipped",
            "spike", "timeout_seconds",
        ):  # fmt: skip
            refuse_unless(getattr(self, key) >= 0, f"train.{key}", getattr(self, key), "0 or more")
        allowed = self.micro_batch == "auto" or self.micro_batch >= 0
        refuse_unless(allowed, "train.micro_batch", self.micro_batch, "0 or more, or auto")


@dataclass(kw_only=True)
class CacheSettings:
    """Where shards of a bucket are kept on this machine; nothing here changes what is learned."""

    folder: str = "~/.cache/dist_vad"
    """Shared by all processes of a node and by all runs: files are named by their content."""
    gigabytes: float = 50.0
    """Most bytes of all of them together, in 1e9; those longest unused make room. At least the shards that all streams
    of a node read at the same time should fit."""

    def __post_init__(self) -> None:
        refuse_unless(self.gigabytes > 0, "cache.gigabytes", self.gigabytes, "more than 0")

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(self.gigabytes * 1e9)


@dataclass(kw_only=True)
class ScoreSettings:
    """How objects are scored. Nothing here looks at test labels or test scores."""

    batch: int = 64
    """Objects scored at once; every batch is padded to this number, so that its size never changes a score."""
    calibration: int = 4096
    """Normal training cubes by which scores are standardised, and to which distances are measured."""
    neighbours: int = 3
    """`semantic_reconstruction` scores the mean distance to so many nearest normal embeddings."""

    def __post_init__(self) -> None:
        refuse_unless(self.batch >= 1, "score.batch", self.batch, "1 or more")
        refuse_unless(self.neighbours >= 1, "score.neighbours", self.neighbours, "1 or more")
        low = 4 * self.neighbours
        refuse_unless(self.calibration >= low, "score.calibration", self.calibration, f"{low} (4 x neighbours) or more")


@dataclass(kw_only=True)
class Settings:
    """A whole run: data, curriculum, training, scoring."""

    run: str = "runs/default"
    """Folder for states, logs, scores, metrics and the report."""
    shards: str = "runs/shards/plaza"
    """Folder of the shard sets, or s3://bucket/prefix; written with the settings under `data` if nothing is there."""
    mix: dict[str, int] = field(default_factory=dict)
    """Folders of further shard sets to train on -> how many samples of a global batch come from each, such as
    {shards/avenue: 16}; the rest comes from `shards`. It counts for each kind of sample that a folder holds."""
    augment: Literal["none", "mirror"] = "none"
    """mirror: half of the training samples, by draw, are shown mirrored. Part of a state's recipe."""
    seed: int = 0
    """Seed of the weights and of every random draw."""
    data: DataSettings = field(default_factory=DataSettings)
    """What the producer reads and cuts; here, or a path to a file such as configs/data/plaza.yaml."""
    stream: StreamSettings = field(default_factory=StreamSettings)
    """How samples are drawn."""
    model: ModelSettings = field(default_factory=ModelSettings)
    """Size of the network."""
    curriculum: str | dict[str, StageSettings] = "pre > sr > virtual"
    """The stages in the order in which they are learned. As a line: `>` between stages, `+` between tasks that are
    learned at the same time, `*` before a weight, such as "pre > rec*1 + sr*2 > virtual". Or by name with all their
    settings, of which `--curriculum.NAME.steps 100` overrides one."""
    stage: LearningSettings = field(default_factory=LearningSettings)
    """How every stage of a curriculum in one line learns."""
    stages: dict[str, dict[str, int | float | str]] = field(default_factory=dict)
    """What single stages of such a line do otherwise than `stage` says: {virtual: {steps: 500}}. A stage is named by
    its tasks, as the line has them: virtual, or pre+sr."""
    task: TaskSettings = field(default_factory=TaskSettings)
    """Settings of single proxy tasks."""
    cache: CacheSettings = field(default_factory=CacheSettings)
    """Where shards of a bucket are kept on this machine."""
    train: TrainSettings = field(default_factory=TrainSettings)
    """How the work is done on this machine."""
    score: ScoreSettings = field(default_factory=ScoreSettings)
    """How objects are scored."""
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    """From object scores to the table."""

    def __post_init__(self) -> None:
        refuse_unless(len(self.curriculum) > 0, "curriculum", self.curriculum, "at least one stage")
        stages: dict[str, LearningSettings] = {"stage": self.stage}
        if isinstance(self.curriculum, dict):
            refuse_unless(not self.stages, "stages", self.stages, "none, where the curriculum is not a line")
            stages = {f"curriculum.{name}": stage for name, stage in self.curriculum.items()}
        else:
            split_line(self.curriculum)
        for name, stage in stages.items():
            key, batch, streams = f"{name}.global_batch", stage.global_batch, self.stream.streams
            refuse_unless(batch % streams == 0, key, batch, f"a multiple of stream.streams ({streams})")
        for root, share in self.mix.items():
            refuse_unless(share >= 1, f"mix.{root}", share, "1 or more samples of each global batch")
