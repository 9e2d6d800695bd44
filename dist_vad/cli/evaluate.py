"""Score the test video by a state and all its ancestors: table, metrics.json and report.html.

dist-vad evaluate [--config FILE] [--state DIR] [--final] [--KEY VALUE ...]

With another `data.root` or other `data.labels` than the run was trained with, other test video is scored by the same
states: a folder with test/ alone is enough, what is normal is read from beside the states.
"""

from pathlib import Path

from dist_vad.base.errors import entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

STATE = Option("state", str | None, None, "folder of the state to evaluate; without it, the run's last finished one")
FINAL = Option("final", bool, False, "leave out the states before it: in half the time with three stages")
SAID = "Score the test video; table, metrics.json and report.html."
COMMAND = Command(Settings, SAID, DEFAULT_CONFIG, (STATE, FINAL))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    from dist_vad.cli.session import open_run, open_test_video
    from dist_vad.curriculum.heads import asked
    from dist_vad.curriculum.recipes import last_state, training_needs
    from dist_vad.curriculum.state import read_state
    from dist_vad.evaluation.other_video import check_fits, state_of, trained_settings, with_own_shards
    from dist_vad.evaluation.run import evaluate_state, evaluation_needs
    from dist_vad.training.heartbeat import watched
    from dist_vad.training.refit import fit_heads

    trained = trained_settings(settings)
    if trained is None:
        needs = [*training_needs(settings), *evaluation_needs()]
        accelerator = open_run(settings, needs, options.asked, finished=not options.state)
        state = read_state(Path(options.state)) if options.state else last_state(settings)
    else:
        check_fits(settings, trained, options.asked)
        settings = with_own_shards(settings, trained)
        accelerator = open_test_video(settings, trained, options.asked)
        state = read_state(Path(options.state)) if options.state else state_of(trained)
    ancestors = not options.final
    with watched(accelerator, settings.train.timeout_seconds):
        fit_heads(trained or settings, asked(trained or settings, state, ancestors), accelerator)
        report = evaluate_state(settings, state, accelerator, trained, ancestors)
    accelerator.print(f"report: {report}")
    accelerator.end_training()
