"""Every setting of the system, with its meaning, its unit and what is allowed.

Settings are dataclasses; YAML files in `configs/`, dotted overrides on the command line, `--help` and
`--print_config` come from them. A bad value is refused when it is read: the message names the key, the value
and what is allowed.
"""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.base.errors import refuse_unless
from dist_vad.base.text.names import FILE_NAME, is_file_name
from dist_vad.settings.cache import CacheSettings
from dist_vad.settings.curriculum import AS_STAGE_SAYS, LearningSettings, StageSettings
from dist_vad.settings.curriculum_line import split_line
from dist_vad.settings.data import DataSettings
from dist_vad.settings.evaluate import EvaluateSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.stream import StreamSettings
from dist_vad.settings.task import TaskSettings
from dist_vad.settings.train import TrainSettings


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
    init: str = ""
    """Folder of a state with whose weights the first stage begins, such as RUN/states/NAME; `prior` = the one that
    comes with the project, trained on generated video alone. Its network must be of the same size. Empty: random."""
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
    """How every stage learns that does not say otherwise."""
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
        refuse_unless(0 <= self.seed < 2**63, "seed", self.seed, "0 to 2**63 - 1")
        refuse_unless(len(self.curriculum) > 0, "curriculum", self.curriculum, "at least one stage")
        stages: dict[str, LearningSettings] = {"stage": self.stage}
        if isinstance(self.curriculum, dict):
            instead = f"none, where stages are named: give --curriculum.{next(iter(self.curriculum))}.KEY instead"
            refuse_unless(not self.stages, "stages", self.stages, instead)
            for name in self.curriculum:
                refuse_unless(is_file_name(name), f"curriculum.{name}", name, FILE_NAME)
            first, stage = next(iter(self.curriculum.items()))
            alone = stage.retain not in (AS_STAGE_SAYS, "none", self.stage.retain)
            allowed = "none in the first stage, before which nothing was learned"
            refuse_unless(not alone, f"curriculum.{first}.retain", stage.retain, allowed)
            self.curriculum = {name: self._completed(name, stage) for name, stage in self.curriculum.items()}
            stages = {f"curriculum.{name}": stage for name, stage in self.curriculum.items()}
        else:
            split_line(self.curriculum)
        for name, stage in stages.items():
            key, batch, streams = f"{name}.global_batch", stage.global_batch, self.stream.streams
            refuse_unless(batch % streams == 0, key, batch, f"a multiple of stream.streams ({streams})")
            allowed = "1 or more; 0 only with init, whose state is then handed on as it is"
            refuse_unless(stage.steps > 0 or bool(self.init), f"{name}.steps", stage.steps, allowed)
        planned, streams = self.train.ranks, self.stream.streams
        allowed = f"0, or a number of ranks that divides stream.streams ({streams})"
        refuse_unless(planned == 0 or streams % planned == 0, "train.ranks", planned, allowed)
        for root, share in self.mix.items():
            refuse_unless(share >= 1, f"mix.{root}", share, "1 or more samples of each global batch")

    def _completed(self, name: str, stage: StageSettings) -> StageSettings:
        try:
            return stage.completed(self.stage)
        except ValueError as error:
            raise ValueError(f"curriculum.{name}.{error}") from error
