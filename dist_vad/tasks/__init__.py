"""The proxy tasks, one file each."""

from dist_vad.tasks.base import DrawKey, Inputs, Measured, Task
from dist_vad.tasks.prediction import Prediction
from dist_vad.tasks.semantic_reconstruction import SemanticReconstruction
from dist_vad.tasks.virtual import Virtual

TASKS: dict[str, type[Task]] = {task.name: task for task in (Prediction, SemanticReconstruction, Virtual)}

__all__ = ["TASKS", "DrawKey", "Inputs", "Measured", "Task"]
