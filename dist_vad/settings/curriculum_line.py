"""A curriculum as one line: `pre > rec > jig > virtual`, `pre*1 + sr*2 + virtual*1`, `pre + rec > jig > virtual`."""

from dist_vad.base.errors import refuse_unless

NEXT, WITH, TIMES = ">", "+", "*"
EXAMPLE = "tasks joined by > (in turn) and + (together), each with *WEIGHT if need be: pre > rec + sr*2"


def split_line(line: str) -> list[dict[str, float]]:
    """The stages of a line in their order: for each its tasks, as the line names them, with their weights.

    Only the form is looked at here; which tasks there are, dist_vad.tasks knows. Raises ValueError for another form.
    """
    stages: list[dict[str, float]] = []
    for part in line.split(NEXT):
        stage: dict[str, float] = {}
        for term in part.split(WITH):
            name, times, weight = (some.strip() for some in term.partition(TIMES))
            refuse_unless(name.isidentifier(), "curriculum", line, f"{EXAMPLE}; {term.strip()!r} is no task")
            refuse_unless(name not in stage, "curriculum", line, f"a task once in a stage, {name!r} stands there twice")
            stage[name] = _weight(weight, line) if times else 1.0
        stages.append(stage)
    return stages


def write_line(stages: list[dict[str, float]]) -> str:
    """The line of some stages; the inverse of `split_line`."""
    parts = [
        f" {WITH} ".join(name if weight == 1 else f"{name}{TIMES}{weight:g}" for name, weight in stage.items())
        for stage in stages
    ]
    return f" {NEXT} ".join(parts)


def _weight(text: str, line: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    refuse_unless(0 < weight < float("inf"), "curriculum", line, f"weights above 0, not {text!r}")
    return weight
