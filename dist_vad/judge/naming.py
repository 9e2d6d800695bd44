"""Which scores are of which video: names as people write them, against names as a data set writes them."""

import difflib
import re
from collections.abc import Callable, Sequence

from dist_vad.base.errors import InputError
from dist_vad.judge.annotations import TruthVideo

ENDING = re.compile(r"\.(avi|mp4|mkv|mov|mpg|npy|npz|csv|txt|json|mat)$", re.IGNORECASE)
SPLIT = re.compile(r"^(test(ing)?(_?videos?)?)[_/-]?(?=.)", re.IGNORECASE)
MARKS = re.compile(r"_?(x264|i3d|rgb|flow|label|labels|scores?|pred)(?=_|$)", re.IGNORECASE)


def _plain(name: str) -> str:
    """The last part of a path without its ending, in small letters."""
    return ENDING.sub("", re.split(r"[/\\]", name)[-1]).lower()


def _without_marks(name: str) -> str:
    """Also without what pipelines add: `test_`, `_x264`, `_i3d`, `_label`."""
    return MARKS.sub("", SPLIT.sub("", _plain(name)))


def _number(name: str) -> str:
    """The one number of a name, without leading zeros: `1` of `Test001` and of `01_label`; else nothing."""
    numbers = re.findall(r"\d+", _without_marks(name))
    return str(int(numbers[0])) if len(numbers) == 1 else ""


READINGS: tuple[Callable[[str], str], ...] = (str, _plain, _without_marks, _number)
"""From exact to loose; the first under which every name has its one video counts."""


def match_names(names: Sequence[str], videos: Sequence[TruthVideo], subset: bool, where: object) -> dict[str, str]:
    """Video -> the name of its scores. Raises InputError, listing what has no counterpart, where they do not fit.

    Args:
        subset: whether videos may lack scores.
    """
    best: dict[str, str] = {}
    for read in READINGS:
        keys = [read(name) for name in names]
        if len(set(keys)) < len(keys) or "" in keys:
            continue
        by_key = dict(zip(keys, names))
        found = {v.name: by_key[key] for v in videos for key in _keys(v, read) if key in by_key}
        if len(set(found.values())) < len(found):
            continue
        if len(found) == len(names) and (subset or len(found) == len(videos)):
            return found
        if len(found) > len(best):
            best = found
    raise InputError(_unmatched(names, videos, best, subset, where))


def _keys(video: TruthVideo, read: Callable[[str], str]) -> list[str]:
    """How a video may be called, the data set's own name first."""
    return [key for key in dict.fromkeys((read(video.source_name), read(video.name))) if key]


def _unmatched(
    names: Sequence[str], videos: Sequence[TruthVideo], best: dict[str, str], subset: bool, where: object
) -> str:
    strange = [name for name in names if name not in best.values()]
    lacking = [video.source_name for video in videos if video.name not in best]
    text = f"{where}: {len(best)} of {len(videos)} videos have scores under their names"
    if strange:
        near = difflib.get_close_matches(strange[0], lacking, 1, 0)
        text += f"; no video is called {_some(strange)}" + (f" (the nearest is {near[0]!r})" if near else "")
    if lacking:
        text += f"; no scores for {_some(lacking)}"
    if not strange and lacking and not subset:
        return f"{text}; add them, or pass --subset true to judge the others alone"
    return f"{text}; call each by the data set's own name, such as {videos[0].source_name!r}"


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
