"""Train the whole curriculum on all GPUs of this machine. Started again, it goes on where it stopped.

dist-vad train [--config FILE] [--ranks N] [--KEY VALUE ...]

Under `accelerate launch`, torchrun or srun it is one of the ranks that they start.
"""

import sys
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

RANKS = Option("ranks", int, 0, "processes to train with; 0 = as many as this machine has GPUs, at least one")
COMMAND = Command(Settings, "Train the whole curriculum, stage after stage.", DEFAULT_CONFIG, (RANKS,))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    ranks = ranks_to_start(options.ranks)
    if ranks > 1:
        from dist_vad.training.launcher import launch
        from dist_vad.training.trainer import PREEMPTION

        arguments = without_ranks(sys.argv[1:])
        sys.exit(launch("dist_vad.cli.progressive", arguments, ranks, Path(settings.run) / PREEMPTION))
    from dist_vad.cli.session import calibrate_state, open_run
    from dist_vad.curriculum.recipes import training_needs
    from dist_vad.training.progressive import train_curriculum

    accelerator = open_run(settings, training_needs(settings), options.asked)
    state = train_curriculum(settings, accelerator)
    calibrate_state(settings, state, accelerator)
    accelerator.print(f"state: {state.folder}")
    accelerator.end_training()


def ranks_to_start(asked: int) -> int:
    """How many processes to start: 1 = none but this one. Raises InputError for a number that cannot be."""
    from dist_vad.training.launcher import is_launched

    if is_launched():
        if asked:
            raise InputError(f"--ranks is {asked}, but a launcher has started this; leave it out")
        return 1
    import torch

    gpus = torch.cuda.device_count()
    if gpus and asked > gpus:
        raise InputError(f"--ranks is {asked}, but this machine has {gpus} GPUs; allowed: 1 to {gpus}")
    return asked or max(1, gpus)


def without_ranks(arguments: list[str]) -> list[str]:
    """The arguments for each rank: all but `--ranks N`."""
    kept, words = [], iter(arguments)
    for word in words:
        if word == "--ranks":
            next(words, None)
        elif not word.startswith("--ranks="):
            kept.append(word)
    return kept


if __name__ == "__main__":
    main()
