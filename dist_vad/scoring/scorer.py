"""From cubes to what each head says of them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.model import Network
from dist_vad.settings.run import TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import Inputs, Measured, make_tasks


class Scorer:
    """What a network says of cubes, task by task.

    Args:
        network: with the weights of a state.
        tasks: the tasks that it was trained on; each gives a score.
        digest: of the weights; names the parts.
    """

    def __init__(
        self,
        network: Network,
        tasks: list[str],
        digest: str,
        settings: ScoreSettings,
        task: TaskSettings,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).eval()
        self.tasks = make_tasks(tasks, task)
        self.digest, self.settings, self.device = digest, settings, device

    def measure(
        self, shards: ShardSet, ids: np.ndarray, plant: Callable[[Batch], Batch] | None = None
    ) -> dict[str, Measured]:
        """Measurements of samples by task, after `plant` has changed them, if it is given.

        Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
        another batch size.
        """
        size = self.settings.batch
        padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % size)])
        parts: list[dict[str, Measured]] = []
        for some in padded.reshape(-1, size):
            batch = shards.read(some, positions=some)
            parts.append(self._measure_batch(plant(batch) if plant else batch))
        return _joined(parts, len(ids))

    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> dict[str, Measured]:
        """Measurements by task of cubes that lie in no shard, in batches of the same size as those of `measure`.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            scene: f_scene of all of them, float32 [D_B].
        """
        size, parts = self.settings.batch, []
        for start in range(0, len(clips), size):
            some = clips[start : start + size]
            some = np.concatenate([some, np.repeat(some[-1:], size - len(some), axis=0)])
            scenes = torch.from_numpy(np.tile(scene, (size, 1)))
            labels = torch.full((size,), -1)
            parts.append(self._measure_batch(Batch(torch.from_numpy(some), scenes, labels, np.arange(size))))
        return _joined(parts, len(clips))

    @torch.no_grad()
    def _measure_batch(self, batch: Batch) -> dict[str, Measured]:
        inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
        backbone = _Remembering(self.network.backbone)
        values = {
            name: task.measure(backbone, self.network.heads[task.phase], inputs) for name, task in self.tasks.items()
        }
        places = batch.scenes.numpy()
        return {name: Measured(value.float().cpu().numpy(), places) for name, value in values.items()}


def _joined(parts: list[dict[str, Measured]], count: int) -> dict[str, Measured]:
    """The first `count` measurements of some batches laid end to end."""
    return {
        name: Measured(*(np.concatenate(some)[:count] for some in zip(*(part[name] for part in parts))))
        for name in parts[0]
    }


class _Remembering(nn.Module):
    """A backbone that is asked by several tasks, one after another, for the features of the same clips: works once."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self._clip, self._features = torch.empty(0), torch.empty(0)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        if clip is not self._clip:
            self._clip, self._features = clip, self.backbone(clip)
        return self._features
