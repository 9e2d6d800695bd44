"""Results written down for others: `judge.json` beside the page, and the `results/` format with its page of record.

A folder of results holds `DATASET/METHOD.json`, a file for each method, and a page `index.md` that is made of them. A
file has the keys of `judge.json` for one method, and what makes it repeatable: the command, the commit of this code,
the sha256 of the scores, the digest of the state that gave them where it is ours, and `source`, which whoever adds a
result fills in: paper, code, and who measured it.
"""

import dataclasses
import json
import re
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dist_vad.base.commit import commit
from dist_vad.base.errors import InputError
from dist_vad.base.files import write_bytes, write_json
from dist_vad.base.text.figures import figure
from dist_vad.base.text.jsonable import without_nan
from dist_vad.base.text.redact import redacted
from dist_vad.judge.judgement import Judgement, Opinion, opinion_facts
from dist_vad.report import LEARNED

SCHEMA = 1
PAGE = "index.md"
SOURCE = {"paper": None, "code": None, "measured_by": None}
VERSIONS = ("dist-vad", "numpy", "scipy", "scikit-learn")


def judgement_facts(judgement: Judgement) -> dict[str, Any]:
    """Everything that was found, JSON-able; `rows` as in the `metrics.json` of an evaluation."""
    return without_nan(
        {
            "schema": SCHEMA,
            **_case(judgement),
            "rows": [dataclasses.asdict(row) for row in judgement.rows],
            "methods": [opinion_facts(opinion) for opinion in judgement.opinions],
            "notes": judgement.notes,
            "provenance": provenance(judgement),
        }
    )


def provenance(judgement: Judgement) -> dict[str, Any]:
    """How the judgement came about, and the scores of our own evaluations."""
    return {
        "command": redacted(f"dist-vad judge {shlex.join(sys.argv[1:])}"),
        "commit": commit(),
        "versions": {name: version(name) for name in VERSIONS},
        "settings": dataclasses.asdict(judgement.settings),
        "scores": judgement.case.provenance,
    }


def write_record(folder: Path, judgement: Judgement) -> list[Path]:
    """Write a file for each method and make the folder's page anew. What a person wrote under `source` stays."""
    paths, made = [], provenance(judgement)  # once: the first file makes the tree one with changes
    for opinion in judgement.opinions:
        path = folder / _file_name(judgement.case.dataset) / f"{_file_name(opinion.method.name)}.json"
        facts = _entry(judgement, opinion, made)
        if path.is_file():
            facts["source"] = {**SOURCE, **read_entry(path).get("source", {})}
        write_json(path, facts)
        paths.append(path)
    write_bytes(folder / PAGE, record_page(folder).encode())
    return paths


def read_entry(path: Path) -> dict[str, Any]:
    """A file of the results format. Raises InputError for anything else."""
    try:
        facts = json.loads(path.read_text())
        known = facts["schema"] == SCHEMA and {"dataset", "method", "rows", "provenance"} <= set(facts)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no result: {error}; write it with dist-vad judge --record") from error
    if not known:
        raise InputError(f"{path} is no result of schema {SCHEMA}; write it with dist-vad judge --record")
    return facts


def record_page(folder: Path) -> str:
    """The page of record of a folder of results, as Markdown."""
    entries = [read_entry(path) for path in sorted(folder.glob("*/*.json"))]
    lines = [
        "# Results on record",
        "",
        "Made by `dist-vad judge` with `--record docs/results` from the files beside this page, which have it all in",
        "full. To add yours, judge your scores in the same way and fill in `source`. Rows *without learning* belong to",
        "every table: a method that does not beat the width of a box has not learned what counts.",
    ]
    for dataset in dict.fromkeys(entry["dataset"] for entry in entries):
        own = [entry for entry in entries if entry["dataset"] == dataset]
        lines += ["", f"## {dataset}", "", *_table(own), "", *_commands(own)]
    return "\n".join(lines) + "\n"


def _case(judgement: Judgement) -> dict[str, Any]:
    videos = judgement.case.videos
    return {
        "dataset": judgement.case.dataset,
        "videos": len(videos),
        "frames": sum(video.frames for video in videos),
        "ground_truths": judgement.case.truths,
        "ground_truth": judgement.truth,
    }


def _entry(judgement: Judgement, opinion: Opinion, made: dict[str, Any]) -> dict[str, Any]:
    facts = opinion.method.facts
    rows = [
        dataclasses.asdict(row)
        for row in judgement.rows
        if (row.phase, row.scorer, row.smoothing) == (facts["phase"], facts["scorer"], facts["smoothing"])
    ]
    return without_nan(
        {
            "schema": SCHEMA,
            "source": SOURCE,
            **_case(judgement),
            **opinion_facts(opinion),
            "group": facts["group"],
            "rows": rows,
            "provenance": made,
        }
    )


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "method"


def _table(entries: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| method | ground truth | smoothing | micro AUC | 95 % | macro AUC | AP | videos | protocol check | state |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in sorted(entries, key=lambda entry: (entry["group"] != LEARNED, entry["method"])):
        named = entry["method"] if entry["group"] == LEARNED else f"*{entry['method']}* (without learning)"
        warnings = [finding["key"] for finding in entry["findings"] if finding["serious"]]
        state = (entry["provenance"]["scores"].get("digest") or "")[:12] or "–"
        for row in entry["rows"]:
            cells = [
                named,
                row["ground_truth"] or "–",
                row["smoothing"],
                figure(row["micro_auc"]),
                " to ".join(map(figure, row["micro_auc_interval"])),
                figure(row["macro_auc"]),
                figure(row["average_precision"]),
                str(entry["videos"]),
                ", ".join(warnings) or "clean",
                state,
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _commands(entries: list[dict[str, Any]]) -> list[str]:
    """Which command made which rows, on which commit."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        before = entry["source"]["code"] or entry["provenance"]["scores"].get("command") or ""
        made.setdefault((entry["provenance"]["commit"], before, entry["provenance"]["command"]), []).append(
            entry["method"]
        )
    lines = []
    for (code, before, command), methods in made.items():
        lines += [f"{', '.join(methods)}, commit {code}:", "", "```", *([before] if before else []), command, "```", ""]
    return lines[:-1]
