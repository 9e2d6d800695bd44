"""The proxy tasks, one file each."""

from collections.abc import Iterable

from dist_vad.settings.task import TaskSettings
from dist_vad.tasks.base import DrawKey, Inputs, Measured, Task
from dist_vad.tasks.classification import Classification
from dist_vad.tasks.completion import Completion
from dist_vad.tasks.jigsaw import Jigsaw
from dist_vad.tasks.prediction import Prediction
from dist_vad.tasks.pseudo import Pseudo
from dist_vad.tasks.reconstruction import Reconstruction
from dist_vad.tasks.restoration import Restoration
from dist_vad.tasks.semantic_reconstruction import SemanticReconstruction
from dist_vad.tasks.virtual import Virtual
from dist_vad.tasks.vision_language import VisionLanguage

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Prediction,
        Reconstruction,
        Classification,
        SemanticReconstruction,
        Jigsaw,
        Completion,
        Restoration,
        Virtual,
        Pseudo,
        VisionLanguage,
    )
}
"""By name, in the order of the phases."""


def make_tasks(names: Iterable[str], settings: TaskSettings) -> dict[str, Task]:
    """The tasks by name."""
    return {name: TASKS[name](settings) for name in names}


__all__ = ["TASKS", "DrawKey", "Inputs", "Measured", "Task", "make_tasks"]
