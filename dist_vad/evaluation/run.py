"""The evaluation of a state and its ancestors, from shards to report."""

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from accelerate import Accelerator

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import State
from dist_vad.datasets import open_dataset
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.evaluation.highlights import FrameReader
from dist_vad.evaluation.other_video import set_aside
from dist_vad.evaluation.results import write_results
from dist_vad.metrics.results_file import METRICS, read_metrics
from dist_vad.settings.data import DataSettings
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings


def evaluation_needs() -> list[str]:
    """The shard sets that an evaluation reads."""
    return ["cube-train", "cube-val", "cube-test"]


def evaluate_state(
    settings: Settings,
    state: State,
    accelerator: Accelerator,
    trained: Settings | None = None,
    ancestors: bool = True,
) -> Path:
    """Score, then table, metrics.json and report.html under the run's folder; returns the report's path.

    Args:
        trained: settings of the run that trained, where the test video is not that run's own.
        ancestors: score the states before this one as well.
    """
    run = Path(settings.run)
    evaluation = Evaluation(settings, accelerator, trained)
    models = evaluation.score(state, ancestors)
    if accelerator.is_main_process:
        facts = {
            **provenance(settings),
            "state": str(state.folder),
            "lineage": [*state.lineage, state.folder.name],
            "digest": state.digest,
            "data": evaluation.data(),
        }
        set_aside(run, evaluation.sets.test.manifest.content_digest)
        write_results(run, evaluation, models, facts, frame_reader(settings.data))
        accelerator.log(headline(run / METRICS))
    accelerator.wait_for_everyone()
    return run / "report.html"


def headline(path: Path) -> dict[str, float]:
    """The figures of the headline, as trackers take them: `test/micro_auc` and the like. None without labels."""
    final = read_metrics(path)["final"]
    return {f"test/{name}": value for name, value in final.items() if isinstance(value, float)}


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
