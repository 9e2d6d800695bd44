"""What turns losses into steps: a model on its devices, under DDP or alone, or under DeepSpeed's ZeRO.

Both engines take the same losses, clip the same gradient and give the same weights, to rounding. Weights and moments go
in and out as plain tensors by the parameter's name, so a checkpoint or a state knows nothing of engine or ranks.
"""

import math
from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import nn
from torch.distributed import GradBucket  # pyright: ignore[reportPrivateImportUsage]
from torch.nn.parallel import DistributedDataParallel

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import Tensors, tensors_digest
from dist_vad.settings.curriculum import StageSettings
from dist_vad.tasks import Inputs
from dist_vad.training.accelerators import zero_stage
from dist_vad.training.stage_module import StageModule

MOMENTS = ("exp_avg", "exp_avg_sq")
"""AdamW's, as torch names them."""


class Engine(ABC):
    """A model and its optimizer on the devices of a launch. One is made for every stage."""

    model: Any
    """The module as its engine wraps it."""

    def __init__(self, accelerator: Accelerator, module: StageModule, stage: StageSettings) -> None:
        self.accelerator, self.module = accelerator, module
        self.trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        backbone = [p for name, p in self.trained.items() if name.startswith("backbone.")]
        heads = [p for name, p in self.trained.items() if not name.startswith("backbone.")]
        shares = ((backbone, stage.backbone_rate), (heads, 1.0))
        groups = [{"params": parameters, "share": share} for parameters, share in shares if parameters]
        self.optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, weight_decay=stage.weight_decay)

    def forward(self, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor], last: bool) -> dict[str, torch.Tensor]:
        """The loss of each sample by task: float [B]; `last` = of the step's last micro-batch."""
        return self.model(inputs, draws)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step; the backbone's is its share of it."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * rate

    @abstractmethod
    def backward(self, loss: torch.Tensor, last: bool) -> None:
        """Add a gradient to those of this step; with that of the last micro-batch they are averaged over ranks."""

    @abstractmethod
    def step(self) -> float:
        """Clip the gradient and move the weights; returns its norm before. Nothing moves where that is not finite."""

    @abstractmethod
    def weights(self) -> Tensors:
        """The whole module's weights on every rank; they may be views. All ranks must call it."""

    @abstractmethod
    def moments(self) -> Tensors:
        """AdamW's moments on every rank, as `exp_avg/NAME` and `exp_avg_sq/NAME`. All ranks must call it."""

    @abstractmethod
    def restore(self, moments: Tensors, steps: int) -> None:
        """Take up moments, and the number of steps in them."""

    def close(self) -> None:
        """Let go of the model, so that the next stage can have an engine of its own."""
        self.accelerator.free_memory()


class PlainEngine(Engine):
    """DDP over several ranks, or one process alone.

    Gradients of micro-batches are added in float64, on a rank and over ranks, and rounded once: in whichever order and
    on however many ranks they are added, the sum is the same.
    """

    def __init__(self, accelerator: Accelerator, module: StageModule, stage: StageSettings) -> None:
        super().__init__(accelerator, module, stage)
        self.limit = stage.clip_norm or math.inf
        # The loader is per rank already, and the learning rate is set by the step: neither may be prepared.
        self.model, _ = accelerator.prepare(module, self.optimizer)
        self.sums: dict[torch.Tensor, torch.Tensor] = {}
        self.spread = isinstance(self.model, DistributedDataParallel)
        if self.spread:
            self.model.register_comm_hook(None, self._reduce)

    def forward(self, inputs: dict[str, Inputs], draws: dict[str, torch.Tensor], last: bool) -> dict[str, torch.Tensor]:
        # DDP decides in the forward pass whether the backward pass after it reduces.
        with nullcontext() if last else self.accelerator.no_sync(self.model):
            return super().forward(inputs, draws, last)

    def backward(self, loss: torch.Tensor, last: bool) -> None:
        loss.backward()
        if not last:
            for p in self.trained.values():
                if p.grad is not None:
                    self.sums[p], p.grad = self._with_earlier(p, p.grad), None
        elif not self.spread:  # else DDP has added and reduced them
            for p in self.sums:
                if p.grad is not None:
                    p.grad = self._with_earlier(p, p.grad).to(p.dtype)

    def _with_earlier(self, parameter: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """A micro-batch's gradient added, in float64, to those of the step's micro-batches before it."""
        earlier = self.sums.get(parameter)
        return gradient.double() if earlier is None else earlier + gradient

    def _reduce(self, _: Any, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        """DDP's hook: the mean over ranks of a bucket of gradients."""
        total = torch.empty_like(bucket.buffer(), dtype=torch.float64)
        views = zip(bucket.parameters(), _bucket_views(bucket.buffer(), bucket), _bucket_views(total, bucket))
        for p, gradient, target in views:
            target.copy_(self._with_earlier(p, gradient))
        done = dist.all_reduce(total, async_op=True).get_future()
        return done.then(lambda f: (f.value()[0] / dist.get_world_size()).to(bucket.buffer().dtype))

    def step(self) -> float:
        self.sums.clear()
        norm = float(nn.utils.clip_grad_norm_(self.trained.values(), self.limit))
        if math.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad()
        return norm

    def weights(self) -> Tensors:
        return dict(self.module.state_dict())

    def moments(self) -> Tensors:
        state = self.optimizer.state
        return {f"{key}/{name}": state[p][key] for name, p in self.trained.items() for key in MOMENTS if p in state}

    def restore(self, moments: Tensors, steps: int) -> None:
        for name, p in self.trained.items():
            # In the parameter's own memory format: in another one, sums are taken in another order.
            taken = {key: torch.empty_like(p).copy_(moments[f"{key}/{name}"]) for key in MOMENTS}
            self.optimizer.state[p] = {"step": torch.tensor(float(steps)), **taken}


def _bucket_views(flat: torch.Tensor, bucket: GradBucket) -> list[torch.Tensor]:
    """A view of each parameter's part of a flat bucket, laid out as the parameter is (`bucket.gradients()` assumes
    row-major order, and convolutions are kept channels-last)."""
    parameters = bucket.parameters()
    pieces = flat.split([p.numel() for p in parameters])
    return [piece.as_strided(p.size(), p.stride()) for p, piece in zip(parameters, pieces)]


class ZeroEngine(Engine):
    """DeepSpeed's ZeRO 1, 2 or 3, in fp32: what it spreads over ranks is gathered whenever it leaves the engine.

    Args:
        micro_batches: of a step, on each rank.
    """

    def __init__(self, accelerator: Accelerator, module: StageModule, stage: StageSettings, micro_batches: int) -> None:
        for p in module.parameters():  # DeepSpeed sends them as flat bytes, which channels last are not
            p.data = p.data.contiguous()
        super().__init__(accelerator, module, stage)
        self.level = zero_stage()
        plugin = accelerator.state.deepspeed_plugin
        assert plugin is not None, "the accelerator was made for DeepSpeed"
        plugin.deepspeed_config.update(
            gradient_accumulation_steps=micro_batches, gradient_clipping=float(stage.clip_norm)
        )
        plugin.deepspeed_config.pop("train_batch_size", None)  # of the stage before
        # A buffer of this length is made anew in every step; the default, 2 GB, would take most of its time.
        length = min(50_000_000, sum(p.numel() for p in self.trained.values()))
        plugin.deepspeed_config["zero_optimization"]["reduce_bucket_size"] = length
        accelerator.gradient_accumulation_steps = micro_batches
        self.model, _ = accelerator.prepare(module, self.optimizer)

    def backward(self, loss: torch.Tensor, last: bool) -> None:
        self.model.set_gradient_accumulation_boundary(last)
        self.model.backward(loss, scale_wrt_gas=False)

    def step(self) -> float:
        self.model.step()
        # DeepSpeed itself leaves out a step whose gradient overflows, on all ranks.
        if self.model.optimizer.overflow:
            return math.nan
        return float(self.model.get_global_grad_norm())

    def weights(self) -> Tensors:
        if self.level < 3:
            return dict(self.module.state_dict())
        import deepspeed

        with deepspeed.zero.GatheredParameters(list(self.module.parameters())):
            return {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}

    def moments(self) -> Tensors:
        from deepspeed.utils import safe_get_full_optimizer_state

        if not self._inner().state:
            return {}
        if self.level < 3:
            self._link()
        gathered = {
            f"{key}/{name}": safe_get_full_optimizer_state(p, key)
            for name, p in self.trained.items()
            for key in MOMENTS
        }
        return {name: tensor for name, tensor in gathered.items() if tensor is not None}

    def restore(self, moments: Tensors, steps: int) -> None:
        zero, state = self.model.optimizer, self._inner().state
        flat = zero.fp32_partitioned_groups_flat if self.level == 3 else zero.single_partition_of_fp32_groups
        for part in flat:
            zeros = {key: torch.zeros_like(part) for key in MOMENTS}
            state[part] = {"step": torch.tensor(float(steps)), **zeros}
        if self.level < 3:
            self._link()
        for name, p in self.trained.items():
            for key in MOMENTS:
                self._set(p, moments[f"{key}/{name}"], key)

    def _link(self) -> None:
        """Let each parameter know where its moments lie. DeepSpeed does so after the step of the first group of
        parameters, when the second has no moments yet, and never again."""
        zero = self.model.optimizer
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()

    def _set(self, parameter: nn.Parameter, value: torch.Tensor, key: str) -> None:
        """Put this rank's part of a moment where ZeRO keeps it."""
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        value = value.to(self.accelerator.device)
        if self.level < 3:
            safe_set_full_optimizer_state(parameter, value, key)
            return
        # Each rank holds a part of the same length; the last is padded.
        length = parameter.ds_tensor.numel()  # pyright: ignore[reportAttributeAccessIssue]
        padded = torch.zeros(length * self.accelerator.num_processes, device=value.device)
        padded[: value.numel()] = value.flatten()
        start = length * self.accelerator.process_index
        safe_set_local_optimizer_state(parameter, padded[start : start + length], key)

    def _inner(self) -> torch.optim.Optimizer:
        """torch's AdamW, over the flat parts that ZeRO has made of the parameters."""
        return self.model.optimizer.optimizer


def make_engine(accelerator: Accelerator, module: StageModule, stage: StageSettings, micro_batches: int) -> Engine:
    """The engine of this launch. The weights are those of the module, before and after: their digest is compared.

    Raises InputError where the engine holds other weights than it was given.
    """
    given = tensors_digest(module.state_dict())
    if zero_stage():
        engine: Engine = ZeroEngine(accelerator, module, stage, micro_batches)
    else:
        engine = PlainEngine(accelerator, module, stage)
    held = tensors_digest(engine.weights())
    if held != given:
        raise InputError(
            f"rank {accelerator.process_index}: the weights have digest {held[:12]} after they were spread over the "
            f"devices, {given[:12]} before; all ranks must run the same versions, from the same parent state"
        )
    return engine
