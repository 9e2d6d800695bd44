"""The rows of a table become a tree: a common beginning stands in it once, and the paper's tables have known counts."""

import dataclasses
from pathlib import Path

import pytest
from launching import ROOT

from dist_vad.ablation.tree import Tree, by_phase, grow
from dist_vad.settings.ablation import AblationSettings, RowSettings
from dist_vad.settings.curriculum import LearningSettings, StageSettings
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS


def paper_table(number: int) -> AblationSettings:
    """A table of configs/ablation, on a base of no account."""
    import yaml

    given = yaml.safe_load((ROOT / f"configs/ablation/table{number}.yaml").read_text())
    given["rows"] = [RowSettings(**row) for row in given["rows"]]
    return AblationSettings(**{**given, "base": Settings(stage=LearningSettings(steps=90))})


def tree_of(number: int, **changes) -> Tree:
    table = dataclasses.replace(paper_table(number), **changes)
    return grow(table, table.rows, [0])


def test_table_3_has_31_of_45_stages_and_13_simultaneous_columns_of_11_sets_of_tasks():
    tree = tree_of(3)
    assert (len(tree.branches), tree.stages, len(tree.in_rows)) == (13, 45, 31)
    columns = [branch.simultaneous for branch in tree.branches]
    assert len(columns) == 13 and None not in columns
    assert len(tree.beside) == len(set(columns)) == 11, "three rows have the same tasks"
    assert len(tree.nodes) == 31 + 11


@pytest.mark.parametrize(("number", "stages", "trained"), [(2, 9, 9), (4, 9, 9), (5, 12, 7)])
def test_the_other_tables_have_their_counts(number, stages, trained):
    tree = tree_of(number)
    assert (tree.stages, len(tree.in_rows), tree.beside) == (stages, trained, set())


def test_stages_of_a_row_may_be_spelt_out_and_its_simultaneous_stage_learns_like_the_first():
    first = StageSettings(tasks={"prediction": 1}, steps=30, global_batch=64, learning_rate=0.5)
    spelt = {"one": first, "two": StageSettings(tasks={"jigsaw": 2}, steps=10, global_batch=64, retain="distill")}
    line = RowSettings(curriculum="pre > jig*2")
    rows = [
        RowSettings(name="spelt out", curriculum=spelt),
        RowSettings(name="kept", curriculum={**spelt, "two": first}),
    ]
    tree = grow(AblationSettings(rows=[*rows, line], simultaneous=True), [*rows, line], [0])
    assert tree.branches[0].stages[0] == tree.branches[1].stages[0], "a common beginning"
    beside = tree.nodes[str(tree.branches[0].simultaneous)].stage
    assert (beside.tasks, beside.learning_rate) == ({"prediction": 1, "jigsaw": 2}, 0.5)
    assert beside.steps == (30 + 10) // 2
    with pytest.raises(ValueError, match="a name for a row whose stages are spelt out"):
        RowSettings(curriculum=spelt)


def test_a_row_without_a_curriculum_is_that_of_the_base():
    rows = [RowSettings(name="own"), RowSettings(curriculum="rec > jig")]
    tree = grow(AblationSettings(base=Settings(curriculum="rec > jig"), rows=rows), rows, [0])
    assert tree.branches[0].stages == tree.branches[1].stages


def test_every_seed_has_a_tree_of_its_own():
    table = paper_table(5)
    tree = grow(table, table.rows, [0, 1, 2])
    assert len(tree.nodes) == 3 * 7 and {node.settings.seed for node in tree.nodes.values()} == {0, 1, 2}


def test_a_parent_comes_before_its_children_and_is_the_same_curriculum_but_for_the_last_stage():
    tree = tree_of(3)
    seen: set[str] = set()
    for node in tree.nodes.values():
        assert node.parent is None or node.parent in seen
        before = tree.nodes[node.parent].line if node.parent else ""
        assert before == node.line.rpartition(" > ")[0]
        assert [tree.nodes[some].line for some in tree.descent(node.id)][-1] == node.line
        seen.add(node.id)
    assert sorted(tree.depth_first()) == sorted(tree.nodes)


@pytest.mark.parametrize("budget", ["samples", "steps"])
def test_the_simultaneous_column_has_the_budget_of_its_row(budget):
    tree = tree_of(3, budget=budget)
    for branch in tree.branches:
        stages = [tree.nodes[node] for node in branch.stages]
        beside = tree.nodes[branch.simultaneous or ""]
        assert set(beside.stage.tasks) == {task for node in stages for task in node.stage.tasks}
        if budget == "samples":
            assert beside.samples == sum(node.samples for node in stages)
        else:
            assert beside.stage.steps == sum(node.stage.steps for node in stages)


@pytest.mark.parametrize(
    ("tasks", "columns"),
    [
        ("pre sr virtual", (0, 1, 2)),
        ("virtual sr", (None, 0, 1)),
        ("pre rec pseudo", (1, 1, 2)),
        ("pre rec sr", (1, 2, 2)),
        ("sr pre virtual", (0, 1, 2)),
        ("pre rec cls sr jig completion virtual", (2, 5, 6)),
        ("sr", (None, 0, 0)),
        ("pre sr pre sr", (1, 2, 3)),
    ],
)
def test_figures_by_phase_stand_where_the_paper_has_them(tasks, columns):
    names = {task.alias: name for name, task in TASKS.items()}
    assert by_phase([StageSettings(tasks={names[task]: 1}) for task in tasks.split()]) == columns


def test_every_stage_has_a_label_of_its_own():
    for number in (2, 3, 4, 5):
        table = paper_table(number)
        nodes = grow(table, table.rows, [0, 1]).nodes.values()
        labels = {node.label for node in nodes}
        assert len(labels) == len(nodes) and not any(set(label) & set(" >*/") for label in labels)


def test_rows_of_the_same_name_are_refused():
    with pytest.raises(ValueError, match="rows is"):
        AblationSettings(rows=[RowSettings(curriculum="pre"), RowSettings(curriculum="pre")])


def test_the_papers_figures_stand_beside_the_rows():
    table = {row.curriculum: row for row in paper_table(3).rows}
    assert table["pre > rec > jig > virtual"].paper["ShanghaiTech"] == [76.0, 85.9, 88.6]
    assert table["virtual > sr"].paper["Campus"] == [None, 58.1, 64.3]
    for number in (2, 3, 4, 5):
        for row in paper_table(number).rows:
            assert len({len(some) for some in row.paper.values()}) == 1, row.name


def test_the_tables_lie_where_they_are_named():
    assert {path.stem for path in Path(ROOT / "configs/ablation").glob("table*.yaml")} == {
        f"table{number}" for number in (2, 3, 4, 5)
    }
