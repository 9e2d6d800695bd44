"""The page that travels with a state: what it is, what it was measured to do, and what it has never seen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dist_vad.base.errors import Damaged
from dist_vad.base.log import log
from dist_vad.base.sealed import read_sealed
from dist_vad.base.sealed_arrays import read_arrays
from dist_vad.base.text.figures import figure
from dist_vad.curriculum.state import State
from dist_vad.metrics.results_file import METRICS, read_metrics
from dist_vad.settings.provenance import RUN_KEYS

RUN = "run.json"
NOT_KNOWN = "not stated: ask whoever pushed it"


def model_card(state: State, licence: str | None = None) -> str:
    """The card of a state as Markdown with the front matter that hubs read.

    Args:
        state: with `run.json` beside it or in its run; with the run's `metrics.json` where it was evaluated.
        licence: of the data that it was trained on.
    """
    run = _facts(state, RUN, lambda path: read_sealed(path, RUN_KEYS))
    metrics = _facts(state, METRICS, read_metrics)
    settings = run.get("settings", {})
    data, virtual = settings.get("data", {}), settings.get("data", {}).get("virtual", "none")
    lines = [
        "---",
        "library_name: dist_vad",
        "tags: [video-anomaly-detection, dist_vad]",
        "---",
        "",
        f"# {state.folder.name}",
        "",
        "A state of dist_vad, for video anomaly detection by proxy tasks. It scores any video of the place that it was "
        "trained on:",
        "",
        "```",
        "dist-vad pull hf://USER/NAME state",
        "dist-vad score VIDEO --state state",
        "```",
        "",
        "## Data",
        "",
        *_table(
            ("data set", data.get("dataset", NOT_KNOWN)),
            ("scenes", ", ".join(_scenes(state)) or NOT_KNOWN),
            ("labelled virtual video", virtual),
            ("objects found by", data.get("detector", {}).get("name", NOT_KNOWN)),
            ("licence of the data", licence or NOT_KNOWN),
        ),
        "## Recipe",
        "",
        *_table(
            ("tasks", ", ".join(state.tasks)),
            ("begins from", Path(settings.get("init") or "random weights").name if settings else NOT_KNOWN),
            ("stages", " > ".join([*state.lineage, state.folder.name])),
            ("key", state.key),
            ("digest of the weights", state.digest),
            ("seed", settings.get("seed", NOT_KNOWN)),
            ("width of the network", settings.get("model", {}).get("width", NOT_KNOWN)),
            ("commit", run.get("commit", NOT_KNOWN)),
            ("versions", ", ".join(f"{name} {value}" for name, value in run.get("versions", {}).items()) or NOT_KNOWN),
        ),
        "## Measured",
        "",
        *_measured(state, metrics),
        "## Never seen",
        "",
        "- Any place but the scenes above. Video of another place scores high all day; `dist-vad score` says so.",
        "- An anomaly: it was trained on normal video alone"
        + (f", and on labelled virtual video ({virtual})." if virtual != "none" else "."),
        *([] if metrics else ["- A test: this state was not evaluated before it was pushed."]),
        "",
    ]
    return "\n".join(lines)


def _facts(state: State, name: str, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """A file of facts beside the state or in its run; empty where there is none, or where it is damaged."""
    for folder in (state.folder, state.folder.parent.parent):
        if (folder / name).is_file():
            try:
                return read(folder / name)
            except Damaged as error:
                log.warning("warning: %s; the card does without it", error)
    return {}


def _scenes(state: State) -> list[str]:
    path = state.folder / "calibration.safetensors"
    if not path.is_file():
        return []
    return json.loads(read_arrays(path)[1]).get("scene_names", [])


def _table(*rows: tuple[str, object]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]


def _measured(state: State, metrics: dict[str, Any]) -> list[str]:
    """The rows of this state, and beside them those that need no learning."""
    provenance = metrics.get("provenance", {})
    if state.folder.name not in provenance.get("lineage", []) or metrics["final"]["micro_auc"] is None:
        return ["Not evaluated on labelled test video.", ""]
    rows = [row for row in metrics["rows"] if row["group"] != "learned" or row["phase"] == state.stage]
    best = {}
    for row in rows:  # the smoothing of the headline where a row has it
        key = (row["group"], row["phase"], row["scorer"])
        if key not in best or row["smoothing"] == metrics["final"]["smoothing"]:
            best[key] = row
    listed = sorted(best.values(), key=lambda row: (row["group"] != "learned", row["group"]))
    head = ["group", "score", "smoothing", "micro AUC", "95 % interval", "macro AUC"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in listed:
        low, high = map(figure, row.get("micro_auc_interval") or (None, None))
        figures = (figure(row["micro_auc"]), f"{low} to {high}", figure(row["macro_auc"]))
        lines.append(f"| {' | '.join([row['group'], row['scorer'], row['smoothing'], *figures])} |")
    told = f"On the test video of {provenance['settings']['data']['dataset']}; intervals are bootstrapped over videos."
    warning = "A score is worth what it adds to the rows that need no learning."
    return [told, warning, "", *lines, ""]


def write_card(state: State, path: Path, licence: str | None) -> None:
    """Write the card of a state."""
    path.write_text(model_card(state, licence), encoding="utf-8")
