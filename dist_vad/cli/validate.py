"""Validation AUC on synthetic anomalies: how well the states of a run tell them from held-out normal video.

dist-vad validate [--config FILE] [--state DIR] [--KEY VALUE ...]

Choose a model by this figure: no test video is read.
"""

from pathlib import Path

from dist_vad.base.errors import entry_point
from dist_vad.cli.evaluate import STATE
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, parse
from dist_vad.settings.run import Settings

COMMAND = Command(
    Settings, "Validation AUC on synthetic anomalies; no test video is read.", DEFAULT_CONFIG, options=(STATE,)
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    import numpy as np

    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.heads import asked
    from dist_vad.curriculum.recipes import last_state, training_needs
    from dist_vad.curriculum.state import read_state
    from dist_vad.evaluation.candidates import lineage
    from dist_vad.scoring.kept import calibrations
    from dist_vad.scoring.normal_video import NormalVideo
    from dist_vad.training.heartbeat import watched
    from dist_vad.training.refit import fit_heads

    accelerator = open_run(settings, training_needs(settings), options.asked, finished=not options.state)
    state = read_state(Path(options.state)) if options.state else last_state(settings)
    with watched(accelerator, settings.train.timeout_seconds):
        fit_heads(settings, asked(settings, state), accelerator)
        if accelerator.is_main_process:
            normal, candidates = NormalVideo(settings), [*lineage(settings, state)]
            size = normal.train.manifest.scene_size
            scorers = [own.scorer(settings, scene_size=size, device=accelerator.device) for own in candidates]
            kept = calibrations(scorers, [own.calibration for own in candidates], normal)
            for name, calibration in zip([own.name for own in candidates], [own.calibration for own in kept]):
                weights = ", ".join(f"{task} {weight:.2f}" for task, weight in calibration.weights.items())
                shares = ", ".join(f"{score} {share:.2f}" for score, share in calibration.shares.items())
                print(f"{name}: fused = {weights}; combined = {shares}")
                for score, kinds in calibration.synthetic_auc.items():
                    figures = "  ".join(f"{kind} {auc:.3f}" for kind, auc in kinds.items())
                    print(f"  {score:24} {np.mean([*kinds.values()]):.3f}   {figures}", flush=True)
    accelerator.end_training()
