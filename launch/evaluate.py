"""Score the test video by a state and all its ancestors: table, metrics.json and report.html.

accelerate launch launch/evaluate.py [--config FILE] [--state DIR] [--dotted.overrides ...]
"""

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from accelerate import Accelerator

from dist_vad.commandline import Option, parse
from dist_vad.config import DataSettings, Settings
from dist_vad.curriculum import finished_state, plan
from dist_vad.errors import InputError, entry_point
from dist_vad.evaluate import Evaluation
from dist_vad.highlights import FrameReader
from dist_vad.results import write_results
from dist_vad.state import State, read_state
from launch.session import DEFAULT_CONFIG, open_run, provenance, training_needs
from shards.datasets import open_dataset

STATE = Option("state", str | None, None, "folder of the state to evaluate; without it, the run's last finished one")


def last_state(settings: Settings) -> State:
    """The state of the last finished stage of the curriculum."""
    states = [state for stage in plan(settings) if (state := finished_state(settings, stage))]
    if not states:
        raise InputError(f"no finished stage under {settings.run}/states; train one first: launch/progressive.py")
    return states[-1]


def evaluation_needs() -> list[str]:
    """The shard sets that an evaluation reads."""
    return ["cube-train", "cube-val", "cube-test"]


def evaluate_state(settings: Settings, state: State, accelerator: Accelerator) -> Path:
    """Score, then table, metrics.json and report.html under the run's folder; returns the report's path."""
    run = Path(settings.run)
    evaluation = Evaluation(settings, accelerator)
    subjects = evaluation.score(state)
    if accelerator.is_main_process:
        facts = {
            **provenance(settings),
            "state": str(state.folder),
            "lineage": [*state.lineage, state.folder.name],
            "digest": state.digest,
            "data": evaluation.data(),
        }
        write_results(run, evaluation, subjects, facts, frame_reader(settings.data))
    accelerator.wait_for_everyone()
    return run / "report.html"


def frame_reader(data: DataSettings) -> FrameReader:
    """Reads whole frames of the test video for the report's pictures, where the video is still at hand."""
    try:
        videos = {video.name: video for video in open_dataset(data) if video.split == "test"}
    except InputError:
        videos = {}

    def read(name: str, wanted: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
        last = max(wanted, default=-1)
        frames = videos[name].open() if name in videos and wanted else []
        for number, frame in enumerate(itertools.islice(frames, last + 1)):
            if number in wanted:
                yield number, frame

    return read


@entry_point
def main() -> None:
    settings, options = parse(
        Settings, "Score the test video; table, metrics.json and report.html.", DEFAULT_CONFIG, (STATE,)
    )
    accelerator = open_run(settings, [*training_needs(settings), *evaluation_needs()])
    state = read_state(Path(options.state)) if options.state else last_state(settings)
    report = evaluate_state(settings, state, accelerator)
    accelerator.print(f"report: {report}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
