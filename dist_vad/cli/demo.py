"""From raw video to AUC and report in one command, each of the four steps shown as it goes. `make demo` calls it.

dist-vad demo [--config FILE] [--KEY VALUE ...]
"""

import time

from dist_vad.base.errors import entry_point
from dist_vad.base.log import log
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, parse
from dist_vad.settings.run import Settings

COMMAND = Command(
    Settings,
    "From raw video to AUC and report in one command.",
    DEFAULT_CONFIG,
    preset=("--run", "runs/demo", "--shards", "runs/demo/shards"),
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.heads import asked
    from dist_vad.curriculum.recipes import training_needs
    from dist_vad.curriculum.stages import stages_of
    from dist_vad.evaluation.run import evaluate_state, evaluation_needs
    from dist_vad.training.heartbeat import watched
    from dist_vad.training.progressive import train_curriculum
    from dist_vad.training.refit import fit_heads

    started = time.monotonic()
    log.info("\n[1/4] shards: cut object cubes and virtual clips from video into %s", settings.shards)
    accelerator = open_run(settings, [*training_needs(settings), *evaluation_needs()], options.asked)
    log.info("\n[2/4] training: %s, states under %s/states", " > ".join(stages_of(settings)), settings.run)
    state = train_curriculum(settings, accelerator)
    log.info("\n[3/4] evaluation: every object of the test video scored after every phase")
    with watched(accelerator, settings.train.timeout_seconds):
        fit_heads(settings, asked(settings, state), accelerator)
        report = evaluate_state(settings, state, accelerator)
    log.info("\n[4/4] %.0f s in all", time.monotonic() - started)
    accelerator.print(f"report: open {report} in a browser")
    accelerator.end_training()
