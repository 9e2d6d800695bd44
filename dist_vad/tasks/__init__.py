"""The proxy tasks, one file each; other packages may bring more (dist_vad/base/plugins.py)."""

from collections.abc import Iterable

from dist_vad.base import plugins
from dist_vad.base.errors import InputError
from dist_vad.base.head_scores import HeadOutput
from dist_vad.base.log import log
from dist_vad.model import PHASES
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks.base import PARTNER, DrawKey, Inputs, Task


def load_tasks() -> dict[str, type[Task]]:
    """Every task by its name: in the order of the phases, within a phase by `Task.order`, then by name.

    A task of another package that does not load is left out with a warning; one that does not fit is refused.
    """
    tasks = []
    for name in plugins.own(plugins.TASKS):
        tasks.append(plugins.load(plugins.TASKS, name, "".join(word.title() for word in name.split("_"))))
    for name, point in plugins.foreign(plugins.TASKS).items():
        try:
            task = plugins.load(plugins.TASKS, name, "")
        except InputError as error:
            log.warning("warning: the task %s is left out: %s", name, error)
            continue
        _check_foreign(task, name, plugins.brought_by(point), [known.alias for known in tasks])
        tasks.append(task)
    return {
        task.name: task for task in sorted(tasks, key=lambda task: (PHASES.index(task.phase), task.order, task.name))
    }


def _check_foreign(task: type[Task], name: str, package: str, aliases: list[str]) -> None:
    """Refuse a task of another package that could not be learned or not be told from others."""
    wrong = ""
    if not (isinstance(task, type) and issubclass(task, Task)):
        wrong = "is no subclass of dist_vad.tasks.Task"
    elif task.name != name:
        wrong = f"calls itself {task.name!r}; the entry point and the class must have one name"
    elif task.phase not in PHASES:
        wrong = f"has phase {task.phase!r}; allowed: {', '.join(PHASES)}"
    elif task.alias in aliases:
        wrong = f"has alias {task.alias!r}, which another task has already"
    if wrong:
        raise InputError(f"the task {name} of the package {package} {wrong}; mend or uninstall that package")


TASKS: dict[str, type[Task]] = load_tasks()
"""By name, in the order in which losses are added up."""


def make_tasks(names: Iterable[str], settings: TaskSettings) -> dict[str, Task]:
    """The tasks by name."""
    return {name: TASKS[name](settings) for name in names}


__all__ = ["PARTNER", "TASKS", "DrawKey", "HeadOutput", "Inputs", "Task", "make_tasks"]
