"""Train one stage of the curriculum, from its parent's state to a state of its own.

dist-vad phase [--config FILE] [--phase NAME] [--KEY VALUE ...]
"""

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

PHASE = Option("phase", str | None, None, "name of the stage to train; without it, the first that is not finished")


COMMAND = Command(Settings, "Train one stage of the curriculum.", DEFAULT_CONFIG, (PHASE,))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    from dist_vad.cli.session import calibrate_state, open_run
    from dist_vad.curriculum.recipes import finished_state, plan, training_needs
    from dist_vad.curriculum.stages import stages_of
    from dist_vad.training.progressive import beginning
    from dist_vad.training.trainer import train_stage

    names = stages_of(settings)
    if options.phase is not None and options.phase not in names:
        raise InputError(f"--phase is {options.phase!r}; allowed: {', '.join(names)}")
    accelerator = open_run(settings, training_needs(settings), options.asked)
    stages, state = plan(settings), None
    parent = beginning(settings, stages[0], accelerator)
    for stage in stages:
        state = finished_state(settings, stage)
        wanted = stage.name == options.phase or (options.phase is None and state is None)
        if wanted and state is None:
            state = train_stage(settings, stage, parent, accelerator)
        if wanted and state and stage is stages[-1]:
            calibrate_state(settings, state, accelerator)
        if wanted:
            break
        if state is None:
            raise InputError(
                f"--phase {options.phase} starts from the state of {stage.name}, which is not finished; "
                f"train it first with --phase {stage.name}, or all in turn with `dist-vad train`"
            )
        parent = state
    if state:
        accelerator.print(f"state: {state.folder}")
    accelerator.end_training()
