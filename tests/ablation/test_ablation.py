"""The ablation as one job: it trains what is missing and nothing twice, and says what it does not know."""

import json
from pathlib import Path

import pytest
import torch
from launching import ROOT, succeed
from tiny_clip import make_tiny_clip

from dist_vad.ablation import record
from dist_vad.ablation.table import Figure, Line, Table, claims, summary
from dist_vad.ablation.text import format_table
from dist_vad.base.errors import InputError
from dist_vad.cli import ablation
from dist_vad.settings.ablation import AblationSettings, RowSettings
from dist_vad.settings.run import Settings

ROWS = [
    {"curriculum": "pre > sr", "paper": {"Campus": [57.9, 66.2, 66.2]}, "paper_simultaneous": {"Campus": 60.0}},
    {"curriculum": "pre > virtual", "name": "without sr"},
]


@pytest.fixture(scope="module")
def table(tiny_config, tmp_path_factory) -> Path:
    """A table of two rows on the tiny data set: three stages in the tree, and two simultaneous ones."""
    folder = tmp_path_factory.mktemp("ablation")
    base = json.loads(tiny_config.read_text())
    base |= {"run": str(folder / "run"), "curriculum": "pre", "evaluate": {"resamples": 50}}
    base["stage"] = {"steps": 4, "global_batch": 8, "learning_rate": 1e-3, "validate_every": 0}
    base["train"] = {"cpu_threads": 1, "micro_batch": 4}
    (folder / "base.yaml").write_text(json.dumps(base))
    settings = {"table": "two", "base": "base.yaml", "simultaneous": True, "rows": ROWS}
    (folder / "two.yaml").write_text(json.dumps(settings))
    return folder / "two.yaml"


@pytest.fixture
def job(monkeypatch, capfd, table):
    """The job as a command on that table, in this process: its arguments in, what it printed out."""
    threads = torch.get_num_threads()

    def started(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["ablation.py", "--config", str(table), *arguments])
        capfd.readouterr()
        ablation.main()
        return capfd.readouterr().out

    yield started
    torch.set_num_threads(threads)


def times(folder: Path, pattern: str) -> dict[str, int]:
    """File -> when it was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob(pattern)}


def test_each_stage_is_trained_once_and_the_table_is_filled(table, job, capfd):
    folder = table.parent / "run"

    def listed() -> list[dict]:
        return json.loads(job("--list", "json"))

    stages = listed()
    assert [stage["name"] for stage in stages] == [
        "prediction",
        "semantic_reconstruction",
        "pre+sr",
        "virtual",
        "pre+virtual",
    ]
    assert [stage["parent"] for stage in stages] == [None, stages[0]["key"], None, stages[0]["key"], None]
    assert not any(stage["done"] for stage in stages)
    with pytest.raises(SystemExit):
        job("--stage", stages[1]["key"])
    assert f"train it first with --stage {stages[0]['key']}" in capfd.readouterr().err

    # One stage by its key, one row by its name, and then the rest.
    job("--stage", stages[0]["key"])
    assert [stage["done"] for stage in listed()] == [True, False, False, False, False]
    first = times(folder, "states/*/state.json")
    job("--only", "without sr")
    assert [stage["done"] for stage in listed()] == [True, False, False, True, True]
    shown = job()
    assert "57.9 / 66.2 / 66.2  60.0" in shown
    states, measured = times(folder, "states/*/state.json"), times(folder, "ablation/measured/*.json")
    assert len(states) == 5 and first.items() <= states.items() and len(measured) == 5 + 1

    results = json.loads((folder / "ablation/two.json").read_text())
    for row in results["rows"]:
        figures = [*(some for some in row["phases"] if some), row["final"], row["simultaneous"]]
        assert all(0 <= some["low"] <= some["mean"] <= some["high"] <= 100 for some in figures)
    assert results["without_learning"].keys() >= {"box_width", "untrained network, fused"}
    assert "<html" in (folder / "ablation/two.html").read_text()

    # Started again: nothing is trained, nothing is measured, and the dry run knows it.
    assert "nothing is left to do" in job("--dry-run")
    job()
    assert times(folder, "states/*/state.json") == states
    assert times(folder, "ablation/measured/*.json") == measured


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "pre > jig"], "allowed: pre > sr; without sr"),
        (["--stage", "abc"], "--stage is 'abc'; allowed: "),
        (["--seeds", "0,one"], "--seeds is '0,one'; allowed: whole numbers"),
        (["--list", "xml"], "allowed: json"),
    ],
)
def test_a_wrong_choice_is_refused(job, capfd, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        job(*arguments)
    assert stopped.value.code == 2 and message in capfd.readouterr().err


def test_a_row_that_lacks_something_is_left_out_with_the_reason(monkeypatch, job):
    def check(settings: Settings) -> None:
        if "virtual" in settings.curriculum:
            raise InputError("virtual needs a file that is not there")

    monkeypatch.setattr(record, "check_tasks", check)
    said = job("--dry-run")
    assert "2 rows: 3 of 4 stages" in said and "2 more for 2 simultaneous columns" in said
    assert "without sr: not run: virtual needs a file that is not there" in said
    assert said.count("left out") == 2, "its own stage, and its simultaneous column"


def test_an_interval_over_seeds_is_students_and_a_missing_seed_is_no_figure():
    rows = [{"micro_auc": auc, "micro_auc_interval": [0.5, 0.9]} for auc in (0.70, 0.74, 0.72)]
    figure = summary([*rows])
    assert figure is not None and figure.seeds == 3
    assert figure.mean == pytest.approx(72) and figure.high == pytest.approx(72 + 4.303 * 2 / 3**0.5, abs=0.01)
    assert summary([rows[0]]) == Figure(70.0, 50.0, 90.0, 1)
    assert summary([*rows, None]) is None and summary([]) is None


def test_the_table_says_where_the_papers_order_does_not_show():
    def line(name: str, phases: list[float], beside: float, paper: list[float | None], sim: float) -> Line:
        row = RowSettings(curriculum=name, paper={"Campus": paper}, paper_simultaneous={"Campus": sim})
        figures = tuple(Figure(auc, auc - 1, auc + 1, 1) for auc in phases)
        return Line(row, figures, figures[-1], Figure(beside, None, None, 1), None)

    lines = [
        line("pre > sr", [60, 70, 70], 65, [57.9, 66.2, 66.2], 60.0),
        line("sr > pre", [60, 59, 59], 65, [65.4, 64.8, 66.1], 67.2),
        line("virtual > sr", [50, 51, 52], 65, [None, 58.1, 64.3], 64.2),
        line("rec > jig", [50, 51, 53], 40, [55.1, 71.2, 72.1], 68.0),
    ]
    settings = AblationSettings(rows=[some.row for some in lines], simultaneous=True)
    said = claims(Table(settings, "plaza", [0], lines))
    assert said[0] == "progressive learning ends above simultaneous in 2 of 4 rows; in the paper, on Campus, in 3 of 4"
    assert said[1] == "the AUC never falls from phase to phase in 3 of 4 rows"
    assert said[2].startswith("rank correlation of the rows' final AUCs with the paper's on Campus: +0.40")
    for width in (80, 120, 200):
        shown = format_table(Table(settings, "plaza", [0], lines), width)
        assert max(map(len, shown.splitlines())) <= width and "- / 58.1 / 64.3  64.2" in shown
        assert all(sentence in " ".join(shown.split()) for sentence in said)


@pytest.mark.slow
def test_two_ranks_make_the_table_of_one(table, job, tmp_path):
    job()
    arguments = ["--config", str(table), "--base.run", str(tmp_path)]
    succeed("launch/ablation.py", *arguments, ranks=2)
    one, two = (json.loads((run / "ablation/two.json").read_text()) for run in (table.parent / "run", tmp_path))
    assert one["rows"] == two["rows"] and one["without_learning"] == two["without_learning"]


@pytest.mark.slow
def test_table_3_trains_31_stages_and_11_beside_them_and_then_none(tiny_config, monkeypatch, capfd, tmp_path):
    """All thirteen rows, with a CLIP that is fit for the machinery alone."""
    base = json.loads(tiny_config.read_text())
    base |= {"run": str(tmp_path / "run"), "curriculum": "pre", "evaluate": {"resamples": 0}}
    base |= {"task": make_tiny_clip(tmp_path), "train": {"cpu_threads": 1}, "score": {"batch": 16, "calibration": 32}}
    base["stage"] = {"steps": 2, "global_batch": 8, "validate_every": 0}
    (tmp_path / "base.yaml").write_text(json.dumps(base))
    arguments = ["--config", str(ROOT / "configs/ablation/table3.yaml"), "--base", str(tmp_path / "base.yaml")]
    monkeypatch.setattr("sys.argv", ["ablation.py", *arguments])
    ablation.main()
    assert "13 rows: 31 of 45 stages" in capfd.readouterr().out
    made = times(tmp_path / "run", "states/*/state.json")
    assert len(made) == 31 + 11
    results = json.loads((tmp_path / "run/ablation/table3.json").read_text())
    assert all(row["final"] and row["simultaneous"] and not row["left_out"] for row in results["rows"])
    marked = [row["row"]["name"] for row in results["rows"] if row["notes"]]
    assert marked == ["rec > jig > vl", "rec > completion > vl"], "the figures of a toy CLIP mean nothing, and say so"
    ablation.main()
    assert "nothing is left to do" in capfd.readouterr().out
    assert times(tmp_path / "run", "states/*/state.json") == made
