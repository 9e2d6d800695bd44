"""From cubes to what each head says of them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.model import Network
from dist_vad.scoring.measuring import Outputs, joined, measure
from dist_vad.settings.run import Settings, TaskSettings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import HeadOutput, Inputs, make_tasks
from dist_vad.tasks.network import network_of


class Scorer:
    """What a network says of cubes, task by task.

    Args:
        network: with the weights of a state.
        tasks: the tasks that it was trained on; each gives a score.
        settings: with a `precision` that is chosen: no or bf16.
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
        self.settings, self.task_settings, self.device = settings, task, device

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
        network = network_of(settings, tasks, tensors, tasks, scene_size)
        return cls(network, tasks, settings.score, settings.task, device)

    def measure(self, shards: ShardSet, ids: np.ndarray) -> Outputs:
        """The heads' outputs for samples by task."""
        return measure([self], shards, ids, self.settings.batch)[0][""]

    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> dict[str, HeadOutput]:
        """The heads' outputs by task for cubes that lie in no shard, in batches of the same size as those of `measure`.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            scene: f_scene of all of them, float32 [D_B], or of each, float32 [N, D_B].
        """
        size, parts = self.settings.batch, []
        features = np.broadcast_to(scene, (len(clips), scene.shape[-1]))
        for start in range(0, len(clips), size):
            chunk, own = clips[start : start + size], features[start : start + size]
            chunk = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
            scenes = torch.from_numpy(np.concatenate([own, np.repeat(own[-1:], size - len(own), axis=0)]))
            labels = torch.full((size,), -1)
            batch = Batch(torch.from_numpy(chunk), scenes, labels, np.arange(size))
            parts.append(self.outputs({"": batch})[""])
        return joined(parts, len(clips))

    @torch.inference_mode()
    def outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        """The heads' outputs by task for a batch in several forms, by the names of those."""
        backbones = {id(batch.clips): _Remembering(self.network.backbone) for batch in batches.values()}
        outputs, fast = {}, self.settings.precision == "bf16"
        for name, batch in batches.items():
            inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
            scenes = batch.scenes.numpy()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=fast):
                said = {
                    task: own.measure(backbones[id(batch.clips)], self.network.heads[own.phase], inputs)
                    for task, own in self.tasks.items()
                }
            outputs[name] = {task: HeadOutput(value.float().cpu().numpy(), scenes) for task, value in said.items()}
        return outputs


class _Remembering(nn.Module):
    """A backbone that several tasks ask, for several forms of the same clips: works once for each input."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self._backbone = backbone
        self._known: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        # To compare all values costs a hundredth of a pass.
        for known, features in self._known:
            if clip is known or (clip.shape == known.shape and torch.equal(clip, known)):
                return features
        features = self._backbone(clip)
        self._known.append((clip, features))
        return features
