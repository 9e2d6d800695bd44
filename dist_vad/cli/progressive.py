"""Train the whole curriculum, stage after stage. Started again, it skips what is done and goes on where it stopped.

dist-vad train [--config FILE] [--KEY VALUE ...]
"""

from dist_vad.base.errors import entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, parse
from dist_vad.settings.run import Settings

COMMAND = Command(Settings, "Train the whole curriculum, stage after stage.", DEFAULT_CONFIG)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.recipes import training_needs
    from dist_vad.training.progressive import train_curriculum

    accelerator = open_run(settings, training_needs(settings), options.asked)
    state = train_curriculum(settings, accelerator)
    accelerator.print(f"state: {state.folder}")
    accelerator.end_training()
