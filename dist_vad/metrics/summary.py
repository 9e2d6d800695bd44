"""One row of the table of results: every metric of one scorer's frame scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event
from dist_vad.metrics.pairs import Pairs
from dist_vad.metrics.ranking import average_precision, check, equal_error_rate, within

KIND_ORDER = ("scene_independent", "scene_dependent", "unseen")


class LabelledVideo(Protocol):
    """What `summarise` needs to know of a video."""

    @property
    def name(self) -> str: ...
    @property
    def scene(self) -> str: ...
    @property
    def labels(self) -> np.ndarray | None:
        """uint8 [T], or None for a video that nobody labelled."""
        ...

    @property
    def events(self) -> Sequence[Event]: ...


def event_kinds(events: Sequence[Sequence[Event]]) -> list[str]:
    """The kinds that occur: the field's three in their usual order, then any others by name."""
    present = {event.kind for listed in events for event in listed if event.kind}
    return [kind for kind in KIND_ORDER if kind in present] + sorted(present.difference(KIND_ORDER))


def event_names(events: Sequence[Sequence[Event]]) -> list[str]:
    """The names of events that occur: the classes of anomaly."""
    return sorted({event.name for listed in events for event in listed if event.name})


def summarise(
    videos: Sequence[LabelledVideo], scores: Mapping[str, np.ndarray], *, resamples: int = 0
) -> dict[str, Any]:
    """One row of the table of results: every metric of one scorer's frame scores (video name -> [T]).

    Keys: micro_auc, macro_auc, macro_auc_padded, average_precision, equal_error_rate; micro_auc_interval and
    macro_auc_interval from so many bootstrap `resamples` of videos (0 = none); and three mappings of names to micro
    AUCs. `kinds` and `classes` (an event's name): the anomalous frames within such events against all normal frames.
    `scenes`, where there are several: the frames of that scene alone, where it has both classes.

    Videos without labels are left out; if none has any, every number is nan and the mappings are empty.
    """
    labelled = [(video, video.labels) for video in videos if video.labels is not None]
    names = [video.name for video, _ in labelled]
    labels = [label for _, label in labelled]
    missing = [name for name in names if name not in scores]
    if missing:
        raise InputError(f"no scores for video {missing[0]!r} ({len(missing)} videos lack them), expected every video")
    values = [np.asarray(scores[name]) for name in names]
    events = [video.events for video, _ in labelled]
    check(labels, values, names)
    pairs = Pairs(labels, values)
    micro_interval, macro_interval = pairs.intervals(resamples)
    return {
        "micro_auc": pairs.auc(),
        "micro_auc_interval": micro_interval,
        "macro_auc": pairs.macro_auc(),
        "macro_auc_interval": macro_interval,
        "macro_auc_padded": pairs.macro_auc_padded(),
        "average_precision": average_precision(labels, values),
        "equal_error_rate": equal_error_rate(labels, values),
        "kinds": {
            kind: pairs.auc_of(
                [within(label, [e for e in own if e.kind == kind]) for label, own in zip(labels, events)]
            )
            for kind in event_kinds(events)
        },
        "classes": {
            name: pairs.auc_of(
                [within(label, [e for e in own if e.name == name]) for label, own in zip(labels, events)]
            )
            for name in event_names(events)
        },
        "scenes": _scene_aucs([video.scene for video, _ in labelled], pairs),
    }


def _scene_aucs(scenes: list[str], pairs: Pairs) -> dict[str, float]:
    """Scene -> micro AUC of its own frames; nothing where there is only one scene."""
    named = np.array(scenes)
    different = sorted(set(scenes))
    aucs = {name: pairs.auc(named == name) for name in different} if len(different) > 1 else {}
    return {name: auc for name, auc in aucs.items() if not np.isnan(auc)}
