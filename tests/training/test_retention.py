"""Retention: what earlier heads say moves less where a later stage holds on to it."""

import copy

import torch

from dist_vad.curriculum.recipes import plan
from dist_vad.model import Network
from dist_vad.settings.run import TaskSettings
from dist_vad.tasks import TASKS, Inputs, make_tasks
from dist_vad.tasks.network import build_network
from dist_vad.training.retention import RETAINED, distance
from dist_vad.training.stage_module import StageModule, freeze_unused


def samples(count: int = 8) -> Inputs:
    generator = torch.Generator().manual_seed(0)
    clip = torch.rand(count, 3, 5, 16, 16, generator=generator)
    return Inputs(clip, torch.rand(count, 6, generator=generator), torch.arange(count) % 2)


def network_of(*tasks: str) -> Network:
    made = make_tasks(tasks, TaskSettings()).values()
    return build_network(made, width=4, embedding=8, scene_size=6, seed=0)


def after_virtual(retain: str) -> tuple[float, float]:
    """`virtual` is learned for a few steps: how far the features move, and what prediction's error is then."""
    network = network_of("prediction", "virtual")
    before, inputs = copy.deepcopy(network.backbone), samples()
    tasks = ["virtual", "prediction"] if retain == "replay" else ["virtual"]
    module = StageModule(network, tasks, TaskSettings(), distill=retain == "distill")
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    crop = torch.rand(8, 5, generator=torch.Generator().manual_seed(1))
    draws = {"virtual": crop, "prediction": torch.zeros(8, 0)}
    for _ in range(15):
        losses = module({"virtual": inputs, "cube": inputs}, draws)
        total = sum((10.0 if name == RETAINED else 1.0) * loss.mean() for name, loss in losses.items())
        optimizer.zero_grad()
        torch.as_tensor(total).backward()
        optimizer.step()
    with torch.no_grad():
        moved = distance(network.backbone, before, {"cube": inputs})
        error = TASKS["prediction"](TaskSettings()).measure(network.backbone, network.heads["perception"], inputs)
    return float(moved.mean()), float(error[:, 0].mean())


def test_distillation_keeps_the_features_that_earlier_heads_read_near_what_they_were():
    assert after_virtual("distill")[0] < 0.5 * after_virtual("none")[0]


def test_replay_goes_on_lowering_an_earlier_tasks_error():
    assert after_virtual("replay")[1] < after_virtual("none")[1] - 0.01  # of noise, little can be predicted


def test_the_teacher_is_neither_trained_nor_saved():
    network = network_of("virtual")
    plain = StageModule(network, ["virtual"], TaskSettings())
    module = StageModule(network, ["virtual"], TaskSettings(), distill=True)
    assert module.state_dict().keys() == plain.state_dict().keys()
    assert len(list(module.parameters())) == len(list(plain.parameters()))


def test_parameters_that_no_loss_depends_on_are_frozen():
    network = network_of("virtual")
    network.heads["inference"].spare = torch.nn.Linear(3, 3)
    module = StageModule(network, ["virtual"], TaskSettings())
    flops = freeze_unused(module, {"virtual": samples(1)}, {"virtual": torch.rand(1, 5)})
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    assert frozen == {"heads.inference.spare.weight", "heads.inference.spare.bias"}
    assert flops > 0 and all(p.grad is None for p in module.parameters())


def test_replay_adds_the_earlier_tasks_with_their_weight_and_data(tiny_settings):
    tiny_settings.curriculum["inference"].retain = "replay"
    tiny_settings.curriculum["inference"].retain_weight = 0.25
    stage = plan(tiny_settings)[-1]
    assert stage.weights == {"virtual": 1, "prediction": 0.25, "semantic_reconstruction": 0.25}
    assert stage.kinds == ["cube", "partner", "virtual"]
    assert stage.recipe["data"].keys() == {"cube", "virtual"}


def test_settings_that_are_not_used_leave_the_names_of_states_as_they_were(tiny_settings):
    before = [stage.key for stage in plan(tiny_settings)]
    tiny_settings.curriculum["perception"].retain = "distill"  # the first stage has nothing to retain
    assert [stage.key for stage in plan(tiny_settings)] == before
    assert not {"retain", "retain_weight", "ema", "keep"} & plan(tiny_settings)[0].recipe["stage"].keys()
    tiny_settings.curriculum["comprehension"].ema = 0.9
    changed = [stage.key for stage in plan(tiny_settings)]
    assert changed[0] == before[0] and changed[1] != before[1] and changed[2] != before[2]
