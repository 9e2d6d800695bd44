"""Settings of the work on this machine."""

from dataclasses import dataclass
from typing import Literal

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class TrainSettings:
    """How the work is done on this machine. Nothing here, but for `precision`, changes what is learned."""

    precision: Literal["no", "tf32", "bf16", "auto"] = "no"
    """no: fp32. tf32: fp32 whose products are rounded to TF32, on a GPU that has it. bf16: mixed precision, the weights
    stay fp32. auto: bf16 where the GPU (Ampere or later) or the CPU (AMX, AVX-512 BF16) has units for it, else no;
    chosen once for a run. Part of a state's recipe."""
    ranks: int = 0
    """Ranks, such as GPUs, that the run is planned for; 0 = as many as are launched. On fewer, each takes more
    micro-batches of the same size."""
    micro_batch: int | Literal["auto"] = 0
    """Samples of each kind that one rank passes through the network at once; gradients are accumulated. 0 = its whole
    share at `ranks` ranks. auto: the largest that a GPU's memory holds, found once and kept with the run."""
    memory_gb: float = 0.0
    """Most GPU memory, in 1e9 bytes, that `micro_batch: auto` may use, such as 24; 0 = what the GPU has."""
    compile: bool | Literal["auto"] = "auto"
    """Compile the network by torch.compile; not together with ZeRO-3. auto: in bf16, for a stage that takes minutes,
    where a compiler is found; kept with the run. It changes weights by rounding alone."""
    threads: int = 2
    """Threads that read and decode ahead of the training step."""
    processes: int = 0
    """Read in so many processes of their own instead; 0 = in threads. Faster for raw samples; Linux."""
    prefetch: int = 4
    """Steps that are read ahead."""
    cpu_threads: int = 0
    """Threads of one rank's arithmetic on a CPU; 0 = as OMP_NUM_THREADS says, else the cores that may be used, over the
    ranks. The same threads and micro-batch give the same bits on one rank as on two."""
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
