"""`dist-vad judge` from the command line to its page, its files and the page of record."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from browser import BROWSERS, Browser, find_browser
from launching import ROOT, called

from dist_vad import metrics
from dist_vad.cli import judge
from dist_vad.judge.record import record_page


@pytest.fixture
def files(tmp_path, scores) -> list[str]:
    """Two methods: one as it is, one with each video scaled by itself."""
    np.savez(tmp_path / "mine.npz", **scores)
    scaled = {name: (own - own.min()) / (own.max() - own.min()) for name, own in scores.items()}
    np.savez(tmp_path / "scaled.npz", allow_pickle=False, **scaled)
    return [str(tmp_path / "mine.npz"), str(tmp_path / "scaled.npz")]


def labels(annotations: Path) -> list[np.ndarray]:
    return [np.load(path) for path in sorted((annotations / "test_frame_mask").glob("*.npy"))]


def run(monkeypatch, capfd, files: list[str], annotations: Path, out: Path, *more: str) -> tuple[int, str, str]:
    options = ["--dataset", "shanghaitech", "--root", str(annotations), "--out", str(out), "--resamples", "50", *more]
    return called(judge.main, monkeypatch, capfd, *files, *options)


def test_all_that_is_said_is_in_the_text_and_in_the_file(tmp_path, files, annotations, scores, monkeypatch, capfd):
    auc = metrics.micro_auc(labels(annotations), [*scores.values()])
    more = ["--published", f"{auc:.3f}", "--threshold", "1.5", "--fps", "24"]
    status, out, error = run(monkeypatch, capfd, files, annotations, tmp_path / "out", *more)
    assert (status, error) == (0, "")
    for text in (f"{auc:.3f}  micro  <- comes near the published figure", "mine: protocol check\n  clean sheet",
                 "scaled: protocol check\n  WARNING: each video reaches exactly 0 and 1", "mine less each other method",
                 "as given, from 1.5 on"):  # fmt: skip
        assert text in out
    facts = json.loads((tmp_path / "out/judge.json").read_text())
    assert [row["scorer"] for row in facts["rows"]] == ["mine", "scaled"]
    assert facts["rows"][0]["micro_auc"] == auc
    assert set(facts["rows"][0]["scenes"]) == {"01", "02"}  # the normal video's scene has no AUC
    mine, other = facts["methods"]
    assert mine["findings"] == [] and [finding["key"] for finding in other["findings"]] == ["per_video_minmax"]
    assert other["less_than_first_by"]["micro_auc"] == auc - facts["rows"][1]["micro_auc"]
    alarms = metrics.count_alarms(labels(annotations), [*scores.values()], 1.5, fps=24, join=1)
    assert mine["alarms"][0]["found"] == alarms.found and mine["alarms"][0]["alarms"] == alarms.alarms


def test_results_are_written_down_for_others_and_what_a_person_adds_stays(
    tmp_path, files, annotations, monkeypatch, capfd
):
    record = tmp_path / "results"
    arguments = (monkeypatch, capfd, files, annotations, tmp_path / "out", "--record", str(record))
    assert run(*arguments)[0] == 0
    path = record / "shanghaitech/mine.json"
    facts = json.loads(path.read_text())
    assert facts["provenance"]["command"].startswith("dist-vad judge ") and len(facts["scores_sha256"]) == 64
    facts["source"]["paper"] = "Doe et al., 2031"
    path.write_text(json.dumps(facts))
    assert run(*arguments)[0] == 0
    assert json.loads(path.read_text())["source"]["paper"] == "Doe et al., 2031"
    page = (record / "index.md").read_text()
    assert page == record_page(record)
    assert "| mine | frames | none |" in page and "per_video_minmax" in page and "dist-vad judge" in page


def test_the_page_of_record_is_made_of_the_files_beside_it():
    folder = ROOT / "docs/results"
    assert (folder / "index.md").read_text() == record_page(folder), "write it anew with dist-vad judge --record"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--dataset", "avenue"], "holds no CUHK Avenue"),
        (["--ground_truth", "masks"], "--ground_truth is 'masks'; shanghaitech has frames"),
        (["--regions", "nothing.csv"], "no video of this data set has annotated regions"),
        (["--budgets", "[]"], "budgets"),
        (["--repeat", "0"], "repeat is 0"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    more, says, tmp_path, files, annotations, monkeypatch, capfd
):
    status, _, error = run(monkeypatch, capfd, files, annotations, tmp_path / "out", *more)
    assert status == 2 and says in error and not (tmp_path / "out").exists()


def test_methods_without_learning_stand_as_baselines_behind_the_others(
    tmp_path, files, annotations, monkeypatch, capfd
):
    status, out, _ = run(monkeypatch, capfd, files, annotations, tmp_path, "--unlearned", "[mine]")
    assert status == 0 and "scaled less each other method" in out
    assert "ground truth frames" in out.partition("no learning, ")[2]
    rows = json.loads((tmp_path / "judge.json").read_text())["rows"]
    assert [(row["scorer"], row["group"]) for row in rows] == [("mine", "no learning"), ("scaled", "learned")]
    status, _, error = run(monkeypatch, capfd, files, annotations, tmp_path, "--unlearned", "[yours]")
    assert status == 2 and "--unlearned names 'yours'; the methods are called mine, scaled" in error


def test_a_run_without_labels_has_a_page_and_no_figures(tmp_path, monkeypatch, capfd):
    from test_frame_files import manifest, rows_and_raw, write_frame_scores

    whole = manifest([60, 40, 50], [])
    rows, raw = rows_and_raw(whole.videos, [], "median17")
    write_frame_scores(tmp_path, whole, raw, rows, rows[3], 100, {})
    status, out, _ = called(judge.main, monkeypatch, capfd, str(tmp_path), "--out", str(tmp_path / "out"))
    assert status == 0 and "written:" in out
    assert all(row["micro_auc"] is None for row in json.loads((tmp_path / "out/judge.json").read_text())["rows"])
    assert (tmp_path / "out/judge.html").is_file()


@pytest.mark.slow
def test_the_masks_of_avenue_alone_are_a_ground_truth(shared, tmp_path, monkeypatch, capfd):
    """All 15,324 test frames and 3712 anomalous ones, read from the masks as published, without any video."""
    flags = json.loads((shared / "data/annotations/avenue/mask_labels.json").read_text())
    perfect = {}
    for number, video in flags.items():
        own = np.zeros(video["frames"])
        for first, last in video["anomalous_0based_inclusive"]:
            own[first : last + 1] = 1
        perfect[f"{int(number) + 1:02d}"] = own + np.random.default_rng(0).random(len(own)) / 2
    np.savez(tmp_path / "perfect.npz", allow_pickle=False, **perfect)
    root = str(shared / "data/annotations/avenue")
    more = ["--dataset", "avenue", "--root", root, "--out", str(tmp_path), "--resamples", "0"]
    status, *_ = called(judge.main, monkeypatch, capfd, str(tmp_path / "perfect.npz"), *more)
    facts = json.loads((tmp_path / "judge.json").read_text())
    assert status == 0 and (facts["videos"], facts["frames"], facts["ground_truth"]) == (21, 15_324, "pixel_masks")
    assert facts["rows"][0]["micro_auc"] == 1.0


def test_scores_without_a_data_set_are_refused_with_what_to_pass(files, monkeypatch, capfd):
    status, _, error = called(judge.main, monkeypatch, capfd, files[0])
    assert status == 2 and "--dataset NAME --root DIR" in error
    status, _, error = called(judge.main, monkeypatch, capfd)
    assert status == 2 and "scores are missing" in error


def test_regions_of_ped2_give_the_rates_of_the_same_boxes_by_hand(shared, tmp_path, monkeypatch, capfd):
    """A region on every annotated one and none elsewhere detects all, without a false one."""
    from dist_vad.judge.truth import ground_truth
    from dist_vad.settings.judge import JudgeSettings

    root = str(shared / "data/ped2")
    videos = ground_truth(JudgeSettings(dataset="ucsd", root=root))
    rows = [
        f"{video.source_name},{event.start + n},{','.join(map(str, box))},1"
        for video in videos
        for event in video.events
        for n, box in enumerate(event.boxes)
    ]
    (tmp_path / "regions.csv").write_text("\n".join(["video,frame,x1,y1,x2,y2,score", *rows]))
    np.savez(
        tmp_path / "a.npz",
        allow_pickle=False,
        **{video.source_name: np.arange(video.frames or 0) % 7.0 for video in videos},
    )
    more = ["--dataset", "ucsd", "--root", root, "--out", str(tmp_path), "--regions", str(tmp_path / "regions.csv")]
    assert called(judge.main, monkeypatch, capfd, str(tmp_path / "a.npz"), "--resamples", "0", *more)[0] == 0
    row = json.loads((tmp_path / "judge.json").read_text())["rows"][0]
    assert (row["rbdc"], row["tbdc"]) == (1.0, 1.0)


def test_the_page_draws_its_charts_and_complains_of_nothing(
    tmp_path, files, annotations, monkeypatch, capfd, tmp_path_factory
):
    found = find_browser()
    if found is None:
        pytest.skip(f"NO BROWSER, the page's script is NOT tested: install one of {', '.join(BROWSERS)}")
    assert run(monkeypatch, capfd, files, annotations, tmp_path / "out", "--published", "0.7")[0] == 0
    page = Browser(found, tmp_path_factory.mktemp("profile"))
    try:
        page.open((tmp_path / "out/judge.html").resolve())
        for chart, least in (("conventions-chart", 2), ("differences-chart", 2), ("roc", 2), ("pr", 2), ("curve", 1)):
            assert int(page.run(f'document.getElementById("{chart}").dataset.drawn')) >= least, chart
        assert page.run('document.querySelectorAll("#protocol .serious").length') == 1
        assert page.run('document.querySelectorAll("#protocol .clean").length') == 1
        assert page.run("document.documentElement.scrollWidth") <= 1280
        assert page.complaints == []
    finally:
        page.close()


def test_an_undefined_figure_is_null_in_the_file(tmp_path, annotations, scores, monkeypatch, capfd):
    """Only the normal video: no AUC, no event, and nothing breaks."""
    np.savez(tmp_path / "one.npz", **{"12_0142": scores["12_0142"]})
    more = ["--subset", "true"]
    status, out, _ = run(monkeypatch, capfd, [str(tmp_path / "one.npz")], annotations, tmp_path / "out", *more)
    assert status == 0 and "1 of 4 videos are judged" in out
    row = json.loads((tmp_path / "out/judge.json").read_text())["rows"][0]
    assert row["micro_auc"] is None and math.isnan(metrics.micro_auc([np.zeros(3, int)], [np.zeros(3)]))
