"""Each sin is named by the check that looks for it, on real labels; honest scores get a clean sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d

from dist_vad.base.labels import interval_labels
from dist_vad.datasets.ucsd import read_mat_file
from dist_vad.judge.annotations import PED2_FRAMES
from dist_vad.judge.protocol import Stated, check_protocol
from dist_vad.metrics import SMOOTHINGS, smooth

Scores = list[np.ndarray]
SEEDS = range(4)


@pytest.fixture(scope="module")
def ped2(shared) -> Scores:
    """The labels of UCSD Ped2's first test clips."""
    clips = read_mat_file(shared / "data/ped2/ped2.mat")
    return [interval_labels(clip, frames) for clip, frames in zip(clips, PED2_FRAMES)]


@pytest.fixture(scope="module")
def avenue(shared) -> dict[str, Scores]:
    """Avenue's pixel masks, and intervals as somebody else might have drawn them around the same events."""
    listed = json.loads(Path(shared / "data/annotations/avenue/mask_labels.json").read_text())
    masks = [
        interval_labels([[a, b + 1] for a, b in video["anomalous_0based_inclusive"]], video["frames"])
        for _, video in sorted(listed.items(), key=lambda item: int(item[0]))
    ]
    assert (len(masks), sum(map(len, masks)), sum(map(int, map(np.sum, masks)))) == (21, 15_324, 3_712)
    drawn = []
    for number, mask in enumerate(masks):
        wide = uniform_filter1d(mask.astype(float), 31) > 0.2
        drawn.append(np.roll(wide, 3 * (number % 3)).astype(np.uint8))
    return {"pixel_masks": masks, "intervals": drawn}


def method(labels: Scores, seed: int, signal: float = 2.5) -> Scores:
    """An honest method: noise, a level of each video's own, a slow drift, and a rise where something is anomalous."""
    draw = np.random.default_rng(seed)
    return [
        signal * label
        + draw.normal(0, 1, len(label))
        + draw.normal(0, 0.3)
        + np.cumsum(draw.normal(0, 0.05, len(label)))
        for label in labels
    ]


def keys(scores: Scores, labels: Scores | dict[str, Scores], smoothing: str = "none", truth: str | None = None) -> list:
    truths = labels if isinstance(labels, dict) else {"frames": labels}
    names = [f"{number:02d}" for number in range(len(scores))]
    found = check_protocol(names, scores, truths, Stated(smoothing, truth, 300))
    assert all(finding.says for finding in found)
    return [finding.key for finding in found]


def scaled(own: np.ndarray) -> np.ndarray:
    return (own - own.min()) / (own.max() - own.min())


def late(own: np.ndarray, frames: int) -> np.ndarray:
    """Late by some frames; what is lacking at the start is other noise of the same kind."""
    return np.concatenate([own[:frames][::-1] + 1e-3, own[:-frames]]) if frames > 0 else np.roll(own, frames)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_an_honest_method_gets_a_clean_sheet_under_the_smoothing_that_it_states(seed, smoothing, ped2, avenue):
    for labels in (ped2, avenue["pixel_masks"]):
        assert keys([smooth(own, smoothing) for own in method(labels, seed)], labels, smoothing) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_one_scale_for_all_videos_is_no_sin(seed, ped2):
    scores = method(ped2, seed)
    low, high = min(map(np.min, scores)), max(map(np.max, scores))
    assert keys([(own - low) / (high - low) for own in scores], ped2) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_scaling_each_video_by_itself_is_named(seed, ped2, avenue):
    for labels in (ped2, avenue["pixel_masks"]):
        scores = method(labels, seed)
        assert keys([scaled(own) for own in scores], labels) == ["per_video_minmax"]
        assert keys([1 - scaled(-own) for own in scores], labels) == ["per_video_minmax"]
        assert keys([(own - own.mean()) / own.std() for own in scores], labels) == ["per_video_minmax"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frames", [4, 8, -4])
def test_a_constant_lag_is_named_with_its_length(seed, frames, ped2, avenue):
    for labels in (ped2, avenue["pixel_masks"]):
        moved = [late(own, frames) for own in method(labels, seed)]
        found = check_protocol([str(n) for n in range(len(moved))], moved, {"frames": labels}, Stated("none", None))
        assert [finding.key for finding in found] == ["lag"]
        side = "late" if frames > 0 else "early"
        assert any(
            f"about {length} frames {side}" in found[0].says for length in range(abs(frames) - 1, abs(frames) + 2)
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_that_rise_late_but_fall_early_are_no_lag(seed, avenue):
    """An object that is seen only once it is wholly in the picture."""
    labels = avenue["pixel_masks"]
    seen = [(uniform_filter1d(label.astype(float), 9) > 0.99).astype(float) for label in labels]
    noise = method([np.zeros_like(label) for label in labels], seed)
    assert keys([2.5 * rise + own for rise, own in zip(seen, noise)], labels) == []


WIDE = {
    "gaussian15": lambda own: gaussian_filter1d(own, 15),
    "gaussian8": lambda own: gaussian_filter1d(own, 8),
    "moving_average31": lambda own: uniform_filter1d(own, 31),
    "moving_average61": lambda own: uniform_filter1d(own, 61),
    "median51": lambda own: median_filter(own, 51, mode="nearest"),
}


@pytest.mark.parametrize("wide", WIDE)
def test_smoothing_that_nobody_stated_is_named(wide, ped2, avenue):
    for labels in (ped2, avenue["pixel_masks"]):
        for seed in SEEDS:
            assert "smoothing" in keys([WIDE[wide](own) for own in method(labels, seed)], labels)


@pytest.mark.parametrize("wide", ["gaussian15", "moving_average61"])
def test_smoothing_wider_than_stated_is_named(wide, ped2, avenue):
    for labels in (ped2, avenue["pixel_masks"]):
        assert "smoothing" in keys([WIDE[wide](own) for own in method(labels, 0)], labels, "median17")


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_made_for_the_other_ground_truth_are_named(seed, avenue):
    for own, other in (("pixel_masks", "intervals"), ("intervals", "pixel_masks")):
        scores = method(avenue[own], seed)
        assert keys(scores, avenue, truth=own) == []
        assert "ground_truth" in keys(scores, avenue, truth=other)
        assert "ground_truth" not in keys(scores, avenue)


def test_size_and_number_of_boxes_on_ped2_get_a_clean_sheet(shared, ped2):
    """Real scores, raw and smoothed: no check takes what people look like for a treatment."""
    boxes = json.loads((shared / "data/ped2/yolov3_boxes.testing.json").read_text())
    clips = [boxes[f"{number:02d}"] for number in range(1, len(ped2) + 1)]
    width = [np.array([max((b[2] - b[0] for b in frame), default=0.0) for frame in clip]) for clip in clips]
    number = [np.array([float(sum(b[4] >= 0.3 for b in frame)) for frame in clip]) for clip in clips]
    for smoothing in SMOOTHINGS:
        assert keys([smooth(own, smoothing) for own in width], ped2, smoothing) == []
        assert keys([smooth(own, smoothing) for own in number], ped2, smoothing) == []


def test_constant_videos_held_scores_padded_ends_decisions_and_turned_scores_are_named(ped2):
    scores = method(ped2, 0)
    assert keys([np.full(len(ped2[0]), 0.5), *scores[1:]], ped2) == ["constant"]
    assert keys([np.repeat(own[::8], 8)[: len(own)] for own in scores], ped2) == ["held"]
    assert keys([np.pad(own[5:-5], 5, mode="edge") for own in scores], ped2) == ["padding"]
    assert "few_values" in keys([(own > 1).astype(float) for own in scores], ped2)
    assert "turned" in keys([-own for own in scores], ped2)
