"""What the proxy tasks do to clips: frames chosen, puzzles, synthetic anomalies, and what CLIP selects among them."""

import dataclasses
import shutil
import sys
from typing import Literal

import numpy as np
import pytest
import torch

from dist_vad.base.errors import InputError
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import TASKS, DrawKey, Inputs
from dist_vad.tasks.classification import choices
from dist_vad.tasks.image_text import check_image_text, load_image_text
from dist_vad.tasks.jigsaw import shuffle
from dist_vad.tasks.pseudo import changed
from dist_vad.tasks.synthetic.transforms import DRAWS, LOOK, MOTION, sped_up
from dist_vad.tasks.vision_language import select

KINDS = {**MOTION, **LOOK}


def clips(count: int, size: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, 9, size, size, generator=torch.Generator().manual_seed(count))


def draws(count: int, length: int = DRAWS) -> torch.Tensor:
    return torch.rand(count, length, generator=torch.Generator().manual_seed(7))


def test_regular_motion_has_no_gaps_and_irregular_motion_has():
    regular, *irregular = choices(9)
    assert regular == (2, 3, 4, 5, 6) and len(set(irregular)) == len(irregular) == 35
    assert all(some[2] == 4 and max(np.diff(some)) > 1 for some in irregular)
    assert choices(5)[0] == (1, 2, 3)


@pytest.mark.parametrize("size", [16, 48, 64])
def test_a_puzzle_is_a_permutation_that_its_inverse_undoes(size):
    clip = clips(2, size)
    pieces, frames = (torch.stack([torch.randperm(9) for _ in range(2)]) for _ in range(2))
    puzzle = shuffle(clip, pieces, frames)
    assert not torch.equal(puzzle, clip)
    solved = shuffle(puzzle, pieces.argsort(dim=1), frames.argsort(dim=1))
    assert torch.equal(solved, clip)


def test_a_puzzle_shows_at_each_place_the_piece_that_its_label_names():
    pieces, frames = torch.tensor([[8, 1, 2, 3, 4, 5, 6, 7, 0]]), torch.arange(9)[None].flip(1)
    clip = clips(1)
    puzzle = shuffle(clip, pieces, frames)
    assert torch.equal(puzzle[0, :, 0, :8, :8], clip[0, :, 8, 16:, 16:])
    assert torch.equal(puzzle[0, :, 3, 8:16, 8:16], clip[0, :, 5, 8:16, 8:16])


@pytest.mark.parametrize("kind", KINDS)
def test_a_synthetic_anomaly_is_made_of_its_own_sample_alone(kind):
    clip, drawn = clips(4), draws(4)
    together = KINDS[kind](clip, drawn)
    assert together.shape == clip.shape and together.min() >= 0 and together.max() <= 1
    assert (together != clip).flatten(1).any(dim=1).all()
    alone = torch.cat([KINDS[kind](clip[i : i + 1], drawn[i : i + 1]) for i in range(4)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_draws_are_allowed(kind):
    for value in (0.0, 1.0):  # rounding to float32 can make a draw 1
        assert torch.isfinite(KINDS[kind](clips(1), torch.full((1, DRAWS), value))).all()


def test_motion_that_cannot_be_seen_is_no_anomaly():
    still = clips(40)[:, :, :1].expand(-1, -1, 9, -1, -1)
    drawn = draws(40, 2 + DRAWS)
    clip, label = changed(still, drawn)
    assert 0 < label.sum() < (drawn[:, 0] < 0.5).sum(), "motion kinds leave what stands still as it is"
    assert torch.equal(clip[label == 0], still[label == 0])


def test_clip_selects_the_candidate_that_shows_most_of_an_anomaly_and_names_it():
    clip, drawn = clips(2), draws(2, len(LOOK) * DRAWS)
    said = torch.tensor([[0.8, 0.1, 0.1], [0.5, 0.2, 0.3], [0.2, 0.2, 0.6], [0.6, 0.2, 0.2], [0.7, 0.2, 0.1]])
    normal = torch.tensor([[0.1, 0.5, 0.4]]).expand(1, -1)

    def judge(pictures):  # the first sample as `said`, of the second the cube itself shows most
        second = torch.cat([normal, said[1:]])
        return torch.stack([said, second], dim=1).flatten(0, 1)

    candidates, label = select(judge, 1, clip, drawn)
    assert label.tolist() == [2, 0]
    name, kind = list(LOOK.items())[1]
    assert torch.equal(candidates[0], kind(clip, drawn[:, DRAWS : 2 * DRAWS])[0]), name


def test_missing_weights_are_named_with_where_they_are_published(tmp_path):
    task = TASKS["vision_language"](TaskSettings())
    with pytest.raises(InputError, match=r"task.clip_weights is not given.*ViT-B-32.*https://huggingface.co/"):
        task.check()
    with pytest.raises(InputError, match=f"{tmp_path}/no.pt, where no file is"):
        check_image_text("ViT-B-32", str(tmp_path / "no.pt"))
    assert task.recipe()["weights"] == "missing" and task.note() is None, "planning needs no weights"


def test_models_that_cannot_be_meant_are_refused(tmp_path, task_settings, monkeypatch):
    with pytest.raises(InputError, match="'ViT-B-33'; expected a model of open_clip"):
        check_image_text("ViT-B-33", None)
    with pytest.raises(InputError, match="would download"):
        check_image_text("xlm-roberta-base-ViT-B-32", None)
    torch.save({"positional_embedding": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt does not hold the weights"):
        load_image_text(task_settings.clip_model, str(tmp_path / "other.pt"), ["a", "b"])
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(InputError, match=r'pip install "dist_vad\[vision_language\]"'):
        check_image_text("ViT-B-32", None)


def test_a_clip_that_nobody_published_is_noted_as_meaningless(task_settings):
    assert "meaningless" in str(TASKS["vision_language"](task_settings).note())
    assert all(task(task_settings).note() is None for name, task in TASKS.items() if name != "vision_language")


def test_clip_gives_probabilities_of_the_prompts(task_settings):
    judge = load_image_text(task_settings.clip_model, task_settings.clip_weights, ["a person", "a fire", "smoke"])
    said = judge(clips(4)[:, :, 4])
    assert said.shape == (4, 3)
    torch.testing.assert_close(said.sum(dim=1), torch.ones(4))


def test_a_recipe_names_weights_by_content_and_holds_what_its_task_reads(tmp_path, task_settings):
    shutil.copy(task_settings.clip_weights, tmp_path / "moved.pt")
    moved = dataclasses.replace(task_settings, clip_weights=str(tmp_path / "moved.pt"), jigsaw_static=0.5)
    recipe = {name: (task(task_settings).recipe(), task(moved).recipe()) for name, task in TASKS.items()}
    assert [name for name, (one, other) in recipe.items() if one != other] == ["jigsaw"]


@pytest.mark.parametrize("name", TASKS)
def test_draws_depend_on_the_position_in_the_global_batch_alone(name, task_settings):
    task = TASKS[name](task_settings)
    every = task.draw(DrawKey(0, "stage", name, 3, np.arange(12)), 9)
    positions = np.array([7, 2])
    assert torch.equal(task.draw(DrawKey(0, "stage", name, 3, positions), 9), every[positions])
    other = task.draw(DrawKey(0, "stage", name, 4, np.arange(12)), 9)
    assert every.numel() == 0 or not torch.equal(every, other)


@pytest.mark.parametrize("kind", KINDS)
def test_no_training_transform_is_the_acceleration_that_scores_are_weighed_by(kind):
    clip, drawn = clips(256), draws(256)
    hasty = sped_up(clip, torch.full((256, 1), 2))
    assert not (KINDS[kind](clip, drawn) == hasty).flatten(1).all(dim=1).any()


class Seeing(torch.nn.Module):
    """A backbone that notes what it is shown."""

    def forward(self, clip):
        self.clip = clip
        return clip


class Undecided(torch.nn.Module):
    """A head that finds both classes as likely."""

    def forward(self, output, clip):
        return torch.zeros(len(clip), 2)


def seen_by_virtual(clip: torch.Tensor, view: Literal["cropped", "whole"]) -> torch.Tensor:
    """What a network is trained on of virtual clips."""
    task, backbone = TASKS["virtual"](TaskSettings(virtual_view=view)), Seeing()
    inputs = Inputs(clip, torch.zeros(len(clip), 1), torch.zeros(len(clip), dtype=torch.long))
    task.loss(backbone, Undecided(), inputs, draws(len(clip), 5))
    return backbone.clip


def test_virtual_is_trained_on_whole_frames_where_that_is_asked_for():
    clip = clips(16, size=64)
    seen = seen_by_virtual(clip, "whole")
    mirrored = (seen == clip.flip(4)).flatten(1).all(dim=1)
    assert ((seen == clip).flatten(1).all(dim=1) ^ mirrored).all() and 0 < mirrored.sum() < 16


@pytest.mark.parametrize("size", [128, 192, 256])
def test_crops_of_large_virtual_frames_are_free_of_aliasing(size):
    checked = (torch.arange(size)[:, None] + torch.arange(size)) % 2
    seen = seen_by_virtual(checked.float().expand(4, 3, 9, size, size), "cropped")
    assert seen.shape[3:] == (48, 48) and (seen - 0.5).abs().max() < 0.06


def test_the_view_of_virtual_is_part_of_the_recipe_where_it_is_not_the_default():
    assert [TASKS["virtual"](TaskSettings(virtual_view=view)).recipe() for view in ("cropped", "whole")] == [
        {},
        {"view": "whole"},
    ]
