"""The paper's claim on one data set: does the order in which tasks are learned matter, at as many samples?

python benchmarks/claim.py --config configs/ucsd/claim.yaml --data.root PED2
    [--seeds 0,1,2] [--out FILE.json] [--plot FILE.png]

Every curriculum of ORDERS is trained under every seed; a beginning that several have in common is trained once. Then
the backbone is frozen, that after the first stages too, and the same heads, those of all tasks, are fitted on it anew
for `score.refit` steps: so what is measured is what the backbone has learned. Differences are paired by seed; their
95 % intervals come from drawing seeds and test clips anew, with replacement. The verdict is by the AUC of single
objects; where the regions of anomalies are not annotated, by that of frames. A second start goes on where the first
stopped.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from dist_vad import metrics
from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.curriculum.heads import UNTRAINED, Asked
from dist_vad.curriculum.recipes import finished_state, plan
from dist_vad.curriculum.state import State
from dist_vad.evaluation.evaluator import Evaluation, ScoredModel
from dist_vad.evaluation.object_auc import labelled_objects
from dist_vad.judge.rows import labelled
from dist_vad.settings.parsing import CONFIGS, Command, Option, parse
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings

PROGRESSIVE, CONTROL, TOGETHER = "pre > jig > virtual", "pre > pre > pre", "pre + jig + virtual"
ORDERS = (PROGRESSIVE, "pre > virtual > jig", "jig > pre > virtual", CONTROL, TOGETHER)
"""All stages have `stage.steps` steps, the tasks that are learned together too: each sees as many samples."""
TASKS = ("prediction", "jigsaw", "virtual")
SCORES = (*TASKS, "fused")
PAIRS = (
    *((PROGRESSIVE, other) for other in ORDERS[1:]), ("pre > jig", "pre"), (PROGRESSIVE, "pre > jig"),
    ("pre", UNTRAINED),
)  # fmt: skip
MEASURED = {*ORDERS, *(line for pair in PAIRS for line in pair)}
MEASURES = ("object", "micro")
"""AUC of single objects and of frames, over all clips; the first that the data set has decides."""
DRAWS = 1000
SEEDS = Option("seeds", str, "0,1,2", "seeds, each with networks of its own")
OUT = Option("out", str, "docs/results/claim.json", "file of the results")
PLOT = Option("plot", str | None, None, "file of a picture of curricula and differences; without it none is drawn")
COMMAND = Command(Settings, "The paper's claim, fairly.", CONFIGS / "ucsd/claim.yaml", (SEEDS, OUT, PLOT))
Clips = list[tuple[np.ndarray, np.ndarray]]
"""Of every test clip: labels, and scores of the same objects or frames."""


@dataclass(frozen=True)
class Measured:
    """What the score `fused`, or that of a head, says of the test clips."""

    objects: Clips
    """Empty where no regions are annotated."""
    frames: Clips

    def clips(self, measure: str) -> Clips:
        return self.objects if measure == "object" else self.frames


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if not set(options.seeds) <= set("0123456789,"):
        raise InputError(f"--seeds is {options.seeds!r}; expected whole numbers, such as 0,1,2")
    from dist_vad.cli.session import open_run
    from dist_vad.curriculum.recipes import training_needs

    first = dataclasses.replace(settings, curriculum=PROGRESSIVE)
    accelerator = open_run(first, [*training_needs(first), "cube-test"])
    seeds = [int(seed) for seed in options.seeds.split(",")]
    known = {(line, seed): found for seed in seeds for line, found in _of_seed(first, seed, accelerator).items()}
    rows = [
        {"curriculum": line, "seed": seed, "score": score, **_figures(found)}
        for (line, seed), by_score in known.items()
        for score, found in by_score.items()
    ]
    measures = [measure for measure in MEASURES if rows[0][measure] is not None]
    pairs = [_difference(known, pair, seeds, of) for pair in PAIRS for of in measures]
    facts = {
        "commit": provenance(settings).get("commit"),
        "data set": settings.data.dataset,
        "stage": settings.stage.steps,
    }
    write_json(Path(options.out), {**facts, "rows": rows, "differences": pairs, "claim": _sentence(pairs, measures[0])})
    print(_table(rows), *(_line(pair) for pair in pairs), _sentence(pairs, measures[0]), sep="\n")
    if options.plot:
        _plot(rows, pairs, measures[0], options.plot)
    print(json.dumps({"rows": len(rows), "out": options.out}))
    accelerator.end_training()


def _of_seed(base: Settings, seed: int, accelerator: Accelerator) -> dict[str, dict[str, Measured]]:
    """What every curriculum has learned under one seed, its beginnings as far as they are compared, and the untrained
    network: by curriculum so far and score."""
    settings = dataclasses.replace(base, seed=seed, run=f"{base.run}/seed-{seed}")
    asked = {UNTRAINED: Asked(UNTRAINED, None, TASKS, ())}
    for line in ORDERS:
        own = dataclasses.replace(settings, curriculum=line)
        parts, before = line.split(" > "), None
        for number, stage in enumerate(plan(own), start=1):
            before = finished_state(own, stage) or _train(own, stage, before, accelerator)
            until = " > ".join(parts[:number])
            if until not in MEASURED:
                continue
            asked.setdefault(until, Asked(until.replace(" > ", ".").replace(" ", ""), before, TASKS, ()))
    return {line: _measured(settings, each, accelerator) for line, each in asked.items()}


def _train(settings: Settings, stage: Any, before: State | None, accelerator: Accelerator) -> State:
    from dist_vad.training.trainer import train_stage

    return train_stage(settings, stage, before, accelerator)


def _measured(settings: Settings, asked: Asked, accelerator: Accelerator) -> dict[str, Measured]:
    from dist_vad.training.refit import fit_heads

    fit_heads(settings, [asked], accelerator)
    evaluation = Evaluation(settings, accelerator)
    (model,) = evaluation.score_asked([asked])
    return {score: _clips(evaluation, model, score) for score in SCORES}


def _clips(evaluation: Evaluation, model: ScoredModel, score: str) -> Measured:
    objects = labelled_objects(evaluation, model, score)
    frames = evaluation.frame_scores(model).frames[score]
    manifest, how = evaluation.sets.test.manifest, evaluation.settings.evaluate.smoothing
    truth = (manifest.ground_truths() or [""])[0]
    known = [labelled(video, truth) for video in manifest.videos]
    smoothed = [(video.labels, metrics.smooth(frames[video.name], how)) for video in known if video.labels is not None]
    return Measured([*objects.values()], smoothed)


def _auc(clips: Clips) -> float:
    return metrics.micro_auc(*zip(*clips))


def _figures(found: Measured) -> dict[str, float | None]:
    macro = metrics.macro_auc(*zip(*found.frames))
    return {"object": _auc(found.objects) if found.objects else None, "micro": _auc(found.frames), "macro": macro}


def _difference(
    known: dict[tuple[str, int], dict[str, Measured]], pair: tuple[str, str], seeds: list[int], of: str
) -> dict[str, Any]:
    """How far the first curriculum of a pair is above the second, by `fused`: the mean over seeds, and an interval."""
    both = [[known[line, seed]["fused"].clips(of) for line in pair] for seed in seeds]
    by_seed = [_auc(first) - _auc(second) for first, second in both]
    draw, drawn = np.random.default_rng(0), []
    while len(drawn) < DRAWS:
        chosen = draw.integers(len(both[0][0]), size=len(both[0][0]))
        if 0 < sum(both[0][0][clip][0].sum() for clip in chosen) < sum(len(both[0][0][clip][0]) for clip in chosen):
            some = draw.integers(len(seeds), size=len(seeds))
            gains = [[_auc([line[clip] for clip in chosen]) for line in both[seed]] for seed in some]
            drawn.append(float(np.mean([first - second for first, second in gains])))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "first": pair[0], "second": pair[1], "measure": of, "mean": float(np.mean(by_seed)), "low": float(low),
        "high": float(high), "by_seed": by_seed,
    }  # fmt: skip


def _verdict(pair: dict[str, Any]) -> str:
    return "above" if pair["low"] > 0 else "below" if pair["high"] < 0 else "not told from"


def _sentence(pairs: list[dict[str, Any]], measure: str) -> str:
    """What the intervals of a measure allow to say of the claim."""
    own = [pair for pair in pairs if pair["measure"] == measure and pair["first"] == PROGRESSIVE]
    verdicts = {pair["second"]: _verdict(pair) for pair in own if pair["second"] in ORDERS}
    how = "confirmed" if {*verdicts.values()} == {"above"} else "refuted" if "below" in verdicts.values() else "open"
    says = "; ".join(f"{verdict} `{line}`" for line, verdict in verdicts.items())
    return f"The claim is {how} here: what `{PROGRESSIVE}` has learned is {says}."


def _line(pair: dict[str, Any]) -> str:
    interval = f"{pair['mean']:+.3f} ({pair['low']:+.3f} .. {pair['high']:+.3f})"
    return f"{pair['measure']:7}{pair['first']:22} - {pair['second']:22}{interval}"


def _table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread over seeds, by curriculum so far: of `fused`, and one measure of each head."""
    measures = [key for key in (*MEASURES, "macro") if rows[0][key] is not None]
    heads = [*measures, *(f"{measures[0]}, {task}" for task in TASKS)]
    lines = [f"{'curriculum':22}" + "".join(f"{head:>21}" for head in heads)]
    for line in dict.fromkeys(row["curriculum"] for row in rows):
        own = [row for row in rows if row["curriculum"] == line]
        values = [[row[key] for row in own if row["score"] == "fused"] for key in measures]
        values += [[row[measures[0]] for row in own if row["score"] == task] for task in TASKS]
        lines.append(f"{line:22}" + "".join(f"{np.mean(some):14.3f} ± {np.std(some):.2f}" for some in values))
    return "\n".join(lines)


def _plot(rows: list[dict[str, Any]], pairs: list[dict[str, Any]], measure: str, path: str) -> None:
    """Left one measure of `fused` by curriculum so far, a point a seed; right the differences with intervals."""
    try:
        import matplotlib.pyplot as plt  # pyright: ignore[reportMissingImports]
    except ImportError:
        return print("no chart: matplotlib is not installed")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    fused = [row for row in rows if row["score"] == "fused"]
    lines = sorted(
        dict.fromkeys(row["curriculum"] for row in fused), key=lambda line: (line != UNTRAINED, line.count(">"), line)
    )
    for line in lines:
        found = [row[measure] for row in fused if row["curriculum"] == line]
        left.plot(found, [line] * len(found), "o", color="C0", alpha=0.7)
        left.plot(np.mean(found), [line], "|", color="black", markersize=14)
    left.set_title(f"{measure} AUC of fused, seeds and their mean")
    own = [pair for pair in pairs if pair["measure"] == measure]
    names = [f"{pair['first']}\nless {pair['second']}" for pair in own]
    means = np.array([pair["mean"] for pair in own])
    ends = [means - [pair["low"] for pair in own], [pair["high"] for pair in own] - means]
    right.errorbar(means, names, xerr=ends, fmt="o", color="C1", capsize=3)
    right.axvline(0, color="grey", linewidth=1)
    right.set_title("difference, with its 95 % interval")
    for axis in (left, right):
        axis.invert_yaxis()
        axis.tick_params(axis="y", labelsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
