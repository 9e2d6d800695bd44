"""Show which samples make up a global batch and which rank reads them.

dist-vad explain --step N [--phase NAME] [--ranks W] [--config FILE] [--KEY VALUE ...]
"""

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

OPTIONS = (
    Option("step", int, 0, "step of the stage, counted from 0"),
    Option("phase", str | None, None, "name of the stage; without it, the first"),
    Option("ranks", int, 1, "number of ranks that share the batch", least=1),
)
COMMAND = Command(
    Settings, "Show which samples make up a global batch and which rank reads them.", DEFAULT_CONFIG, OPTIONS
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    from dist_vad.curriculum.recipes import plan
    from dist_vad.data.explain import explain
    from dist_vad.training.batches import open_sources

    stages = plan(settings)
    stage = next((stage for stage in stages if options.phase in (None, stage.name)), None)
    if stage is None:
        raise InputError(f"--phase is {options.phase!r}; allowed: {', '.join(stage.name for stage in stages)}")
    last = stage.settings.steps - 1
    if options.step > last:
        raise InputError(f"--step is {options.step}; allowed: 0 to {last}, the steps of stage {stage.name}")
    print(f"stage {stage.name}, step {options.step} of {stage.settings.steps}, {options.ranks} ranks")
    for kind in stage.kinds:
        for source in open_sources(settings, stage, kind):
            print("\n".join(explain(source, kind, options.step, options.ranks)))
