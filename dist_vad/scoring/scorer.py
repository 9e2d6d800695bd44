"""From cubes to what each head says of them."""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.model import Network
from dist_vad.settings.run import Settings, TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import HeadOutput, Inputs, make_tasks
from dist_vad.tasks.network import build_network, load_weights


class Scorer:
    """What a network says of cubes, task by task.

    Args:
        network: with the weights of a state.
        tasks: the tasks that it was trained on; each gives a score.
    """

    def __init__(
        self,
        network: Network,
        tasks: list[str],
        settings: ScoreSettings,
        task: TaskSettings,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).eval()
        self.tasks = make_tasks(tasks, task)
        self.settings, self.device = settings, device

    @classmethod
    def build(
        cls,
        settings: Settings,
        tensors: dict[str, torch.Tensor],
        tasks: list[str],
        *,
        scene_size: int,
        device: torch.device,
    ) -> "Scorer":
        """From the weights of a state that was trained on some tasks; without weights, of the untrained network.

        Of the settings, those of model, tasks, scoring and the seed count.
        """
        own = make_tasks(tasks, settings.task).values()
        network = build_network(own, **dataclasses.asdict(settings.model), scene_size=scene_size, seed=settings.seed)
        load_weights(network, tensors, own if tensors else [])
        return cls(network, tasks, settings.score, settings.task, device)

    def measure(
        self, shards: ShardSet, ids: np.ndarray, change: Callable[[Batch], Batch] | None = None
    ) -> dict[str, HeadOutput]:
        """The heads' outputs for samples by task, after `change` has been applied to them, if it is given.

        Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
        another batch size.
        """
        size = self.settings.batch
        padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % size)])
        parts: list[dict[str, HeadOutput]] = []
        for chosen in padded.reshape(-1, size):
            batch = shards.read(chosen, positions=chosen)
            parts.append(self._measure_batch(change(batch) if change else batch))
        return _joined(parts, len(ids))

    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> dict[str, HeadOutput]:
        """The heads' outputs by task for cubes that lie in no shard, in batches of the same size as those of `measure`.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            scene: f_scene of all of them, float32 [D_B].
        """
        size, parts = self.settings.batch, []
        for start in range(0, len(clips), size):
            chunk = clips[start : start + size]
            chunk = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
            scenes = torch.from_numpy(np.tile(scene, (size, 1)))
            labels = torch.full((size,), -1)
            parts.append(self._measure_batch(Batch(torch.from_numpy(chunk), scenes, labels, np.arange(size))))
        return _joined(parts, len(clips))

    @torch.no_grad()
    def _measure_batch(self, batch: Batch) -> dict[str, HeadOutput]:
        inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
        backbone = _Cached(self.network.backbone)
        values = {
            name: task.measure(backbone, self.network.heads[task.phase], inputs) for name, task in self.tasks.items()
        }
        scenes = batch.scenes.numpy()
        return {name: HeadOutput(value.float().cpu().numpy(), scenes) for name, value in values.items()}


def _joined(parts: list[dict[str, HeadOutput]], count: int) -> dict[str, HeadOutput]:
    """The first `count` outputs of several batches laid end to end."""
    return {
        name: HeadOutput(*(np.concatenate(arrays)[:count] for arrays in zip(*(part[name] for part in parts))))
        for name in parts[0]
    }


class _Cached(nn.Module):
    """A backbone that is asked by several tasks, one after another, for the features of the same clips: works once."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self._clip, self._features = torch.empty(0), torch.empty(0)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        if clip is not self._clip:
            self._clip, self._features = clip, self.backbone(clip)
        return self._features
