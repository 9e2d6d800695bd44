"""Test video that is not the run's own: shards of its own for it, the run's states and calibrations."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import digest
from dist_vad.base.log import log
from dist_vad.base.sealed import read_sealed
from dist_vad.base.text.dotted import dotted
from dist_vad.curriculum.recipes import last_state
from dist_vad.curriculum.state import STATE, State, read_state
from dist_vad.metrics.results_file import METRICS, read_metrics
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.settings.data import DataSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.provenance import RUN_KEYS
from dist_vad.settings.run import Settings

RUN = "run.json"
OF_CUBES = ("clip_length", "cube_size", "context", "scene", "scene_grid")
"""Settings of the data without which a cube is another thing."""
RESULTS = (METRICS, "report.html", "frame_scores.parquet", "frame_scores.npz")
"""What an evaluation writes into a run's folder."""


def trained_settings(settings: Settings) -> Settings | None:
    """The settings with which a run was trained, where other test video is asked for than it has; else None.

    Other video is that of another data set, another folder or with other labels.
    """
    path = Path(settings.run) / RUN
    if not path.is_file():
        return None
    trained = settings_of(Settings, read_sealed(path, RUN_KEYS)["settings"], path)
    if _video(trained.data) == _video(settings.data):
        return None
    return dataclasses.replace(trained, run=settings.run, score=settings.score)


def check_fits(settings: Settings, trained: Settings, asked: Collection[str]) -> None:
    """Refuse other test video whose cubes would not be such as a run was trained on.

    Args:
        asked: names of the settings that the user gave.

    Raises InputError, naming what differs. Another detector is only remarked on: its boxes may be as good.
    """
    config = f"give the --config with which {trained.run} was trained, and the --data.root of the other video"
    if settings.data.dataset != trained.data.dataset and not {"data", "data.dataset"} & {*asked}:
        raise InputError(f"{trained.run} was trained on {trained.data.dataset}, and no other video is named; {config}")
    then, now = (_of_cubes_and_network(own) for own in (trained, settings))
    if differ := [f"{key} {then[key]!r}, now {now[key]!r}" for key in then if then[key] != now[key]]:
        raise InputError(f"{trained.run} was trained with {'; '.join(differ)}; {config}")
    found, learned = settings.data.detector.name, trained.data.detector.name
    if found != learned:
        log.warning("remark: the boxes of this video are those of %s, the run learned with those of %s", found, learned)


def with_own_shards(settings: Settings, trained: Settings) -> Settings:
    """The settings with another place for the shards of other test video than the run was trained with."""
    if settings.shards != trained.shards:
        return settings
    return dataclasses.replace(settings, shards=f"{settings.shards}-{digest(_video(settings.data))[:8]}")


def state_of(trained: Settings) -> State:
    """The last finished state of a run, whether or not its training video is at hand."""
    if NormalVideo(trained).is_there:
        return last_state(trained)
    states = [read_state(path.parent) for path in sorted((Path(trained.run) / "states").glob(f"*/{STATE}"))]
    ancestors = {folder for state in states for folder in state.lineage}
    last = [state for state in states if state.folder.name not in ancestors]
    if len(last) != 1:
        names = ", ".join(state.folder.name for state in last) or "none"
        raise InputError(
            f"expected one last state under {trained.run}/states, found {names}; name one with --state, or bring back "
            f"the training shards at {trained.shards}, which tell them apart"
        )
    return last[0]


def set_aside(run: Path, content_digest: str) -> None:
    """Move the results of another test set, if there are such, into a folder of their own: nothing is lost."""
    try:
        found = read_metrics(run / METRICS)["provenance"]["data"]["test"]["content digest"]
    except FileNotFoundError:
        return
    except (Damaged, KeyError, TypeError) as error:  # of which test set they are, nobody knows
        log.warning("warning: %s", error)
        found = "damaged"
    if found != content_digest:
        folder = run / f"results-{found[:8]}"
        folder.mkdir(exist_ok=True)
        for name in RESULTS:
            if (run / name).is_file():
                (run / name).replace(folder / name)
        log.info("the results of the test set %s now lie in %s", found[:8], folder)


def _of_cubes_and_network(settings: Settings) -> dict[str, Any]:
    """What must be as it was in training, by the names of the settings."""
    cubes = {key: getattr(settings.data, key) for key in OF_CUBES}
    return dotted({"data": cubes, "model": vars(settings.model)})


def _video(data: DataSettings) -> list[str]:
    """What tells one test video from another."""
    labels = data.labels and data.labels.replace("{root}", str(data.root))
    return [data.dataset, *(str(Path(path).resolve()) if path else "" for path in (data.root, labels))]
