"""Figures of `plaza` painted into other video, and what benchmarks/figures.py makes of them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from launching import ROOT

from dist_vad.datasets.plaza.actors import box
from dist_vad.datasets.plaza.canvas import Dice
from dist_vad.datasets.plaza.figures import DRAWN, KINDS, Place, painted

PLACE = Place(x=160.0, y=150.0, height=60.0, speed=0.03)
FRAME = np.full((200, 320, 3), 120, np.uint8)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("t", [0, 4, 8])
def test_a_figure_is_seen_inside_its_box_and_hardly_outside(kind, t):
    actor = DRAWN[kind](Dice("figures", kind), PLACE, 9)
    x1, y1, x2, y2 = box(actor, t) or [0.0] * 4
    changed = (painted(FRAME, actor, t) != FRAME).any(axis=2)
    rows, columns = np.mgrid[:200, :320]
    inside = (columns >= x1 - 1) & (columns <= x2 + 1) & (rows >= y1 - 1) & (rows <= y2 + 1)
    assert changed[inside].mean() > 0.1 and changed[~inside].mean() < 0.02  # a shadow lies outside


@pytest.mark.parametrize("kind", DRAWN)
def test_in_the_middle_of_its_time_a_figure_stands_at_its_place(kind):
    x1, y1, x2, y2 = box(DRAWN[kind](Dice("figures", kind), PLACE, 9), 4) or [0.0] * 4
    assert x1 <= PLACE.x <= x2 and y1 < PLACE.y <= y2 + 0.75 * PLACE.height  # a ball may be in the air


def test_a_figure_in_grey_video_is_grey():
    actor = DRAWN["cart"](Dice("figures"), PLACE, 9)
    grey, coloured = painted(FRAME, actor, 4), painted(FRAME + np.array([0, 30, 60], np.uint8), actor, 4)
    assert (np.ptp(grey, axis=2) == 0).all() and np.ptp(coloured, axis=2).max() > 60


def test_a_figure_out_of_the_picture_changes_nothing():
    away = Place(x=-500.0, y=150.0, height=60.0, speed=0.03)
    assert (painted(FRAME, DRAWN["walker"](Dice("figures"), away, 9), 4) == FRAME).all()


@pytest.mark.slow
def test_the_command_gives_an_auc_for_every_score_and_kind(tiny_run, tmp_path):
    state = next((tiny_run / "states").glob("inference-*"))
    words = [str(state), "--places", "2", "--out", str(tmp_path / "found.json"), "--picture", str(tmp_path / "one.png")]
    done = subprocess.run(
        [sys.executable, "benchmarks/figures.py", *words], capture_output=True, text=True, timeout=600, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert {"prediction", "velocity", "geometry", "fused", "combined"} <= {row["score"] for row in rows}
    assert all(0 <= row[kind] <= 1 for row in rows for kind in KINDS) and (tmp_path / "one.png").is_file()
