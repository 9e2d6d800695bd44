"""Whether shard sets that are there are those that a run asks for: a folder that exists is no agreement."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.store import Store, open_store
from dist_vad.datasets import open_dataset
from dist_vad.settings.data import DataSettings
from dist_vad.video.detectors.files import PATHS

PREFIX = "data."
ABSENT: Any = object()
"""Of settings that there were not yet when a set was cut."""
OF_KIND = {
    "cube": (
        "dataset", "clip_length", "cube_size", "context", "scene", "scene_encoder", "scene_classes", "scene_foreground",
        "scene_grid", "scene_pixels", "codec", "tracks", "val_share", "shard_samples",
    ),
    "clip": ("dataset", "clip_length", "virtual_size", "codec", "val_share", "shard_samples", "clip_stride"),
    "virtual": ("virtual", "clip_length", "virtual_size", "virtual_stride", "codec", "shard_samples"),
}  # fmt: skip
"""The settings that show in the samples of a kind, beside groups and the stride of a split."""


def check_agreement(settings: DataSettings, shards: str, needs: list[str], asked: Collection[str]) -> None:
    """Refuse shard sets that were cut otherwise than was asked for.

    Args:
        needs: shard sets such as `cube-train`; those that are not there are passed over.
        asked: names of the settings that a user gave, such as `data.dataset`. What nobody gave asks for nothing.

    Raises InputError, naming the set, the setting, its value then and now, and what to do.
    """
    wanted = {key.removeprefix(PREFIX) for key in asked if key.startswith(PREFIX)}
    if not wanted:
        return
    root = open_store(shards)
    sets = [root.child(name) for name in needs]
    there = [(store, Manifest.load(store)) for store in sets if store.size(MANIFEST) is not None]
    for store, manifest in there:
        for key in sorted(wanted & set(_keys(settings, manifest))):
            then, now = _value(manifest.settings, key), _value(settings, key)
            if then != now and then is not ABSENT:
                raise InputError(
                    f"{store.where()} was cut with {key} {then!r}, but {PREFIX}{key} is {now!r}; give another "
                    f"--shards, where new ones are written, or --{PREFIX}{key} {then}"
                )
    if wanted & {"dataset", "root"} and settings.dataset != "plaza" and there:
        _check_videos(settings, there)


def _keys(settings: DataSettings, manifest: Manifest) -> list[str]:
    """The settings that show in a set, those of groups by dotted names."""
    keys = [key for key in OF_KIND[manifest.kind] if key in manifest.settings]
    if manifest.kind != "virtual":
        keys += ["test_stride" if manifest.split == "test" else "train_stride"] * (manifest.kind == "cube")
        keys += [f"detector.{key}" for key in vars(settings.detector) if key not in PATHS] * (manifest.kind == "cube")
    generated = settings.virtual if manifest.kind == "virtual" else settings.dataset
    if generated == "plaza":
        own = {"virtual": ("virtual_videos",), "test": ("test_videos", "frames")}
        names = own.get(manifest.kind) or own.get(manifest.split) or ("train_videos", "frames")
        keys += [f"plaza.{name}" for name in (*names, "seed")]
    return keys


def _value(settings: Any, key: str) -> Any:
    """A setting by its dotted name, from an object or from the dictionaries that a manifest holds."""
    for part in key.split("."):
        settings = settings.get(part, ABSENT) if isinstance(settings, dict) else getattr(settings, part)
    return settings


def _check_videos(settings: DataSettings, there: list[tuple[Store, Manifest]]) -> None:
    """Refuse sets of other videos than lie at `root` now; where nothing lies there, `root` must be that of then."""
    root = settings.root
    if root is None or not Path(root).is_dir():
        for store, manifest in there:
            if manifest.kind != "virtual" and manifest.settings.get("root") != root:
                raise InputError(
                    f"data.root is {root!r}, where there is no folder, and {store.where()} was cut from "
                    f"{manifest.settings.get('root')!r}; give the data set that is meant, or leave --data.root out"
                )
        return
    videos = open_dataset(settings)
    for splits, split in ((("train", "val"), "train"), (("test",), "test")):
        sets = [(store, manifest) for store, manifest in there if manifest.split in splits and manifest.kind == "cube"]
        if {manifest.split for _, manifest in sets} != set(splits):
            continue
        cut = {name for _, m in sets for name in (*(video.name for video in m.videos), *m.failed)}
        found = {video.name for video in videos if video.split == split}
        if cut != found:
            other = sorted(cut ^ found)
            raise InputError(
                f"{sets[0][0].where()} was cut from other {split} videos than lie at data.root {root}: "
                f"{other[0]!r} and {len(other) - 1} more are in one of them alone; give another --shards, where new "
                "ones are written, or the data.root that it was cut from"
            )
