"""Which shard sets a data set gives, and whether one that is there is the one that was asked for."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.base.files import digest
from dist_vad.base.text.dotted import dotted
from dist_vad.data.manifest import MANIFEST, SPLITS, Manifest
from dist_vad.data.store import Store, open_store
from dist_vad.datasets import open_dataset, open_virtual
from dist_vad.producer.held_out import hold_out
from dist_vad.settings.data import DataSettings
from dist_vad.video.detectors.files import PATHS, detector_digests
from dist_vad.video.scene_feature import scene_digests
from dist_vad.video.source import Video

PRODUCER_VERSION = 1
"""Goes up whenever the same settings would give other samples."""

DECISIVE = {
    "cube": ("dataset", "clip_length", "cube_size", "context", "scene_grid", "codec", "shard_samples", "detector"),
    "clip": ("dataset", "clip_length", "virtual_size", "codec", "shard_samples"),
    "virtual": ("virtual", "clip_length", "virtual_size", "codec", "shard_samples"),
}
"""The settings that decide the samples of a kind, beside the stride. The rest either shows in the videos' identities
(generated data, labels, the held-out share) or changes nothing (where the files lie)."""

SCENE_NETWORK = ("scene", "scene_encoder", "scene_classes", "scene_foreground")
"""What decides as well where the scene feature is not the background."""


@dataclass(frozen=True)
class Plan:
    """One shard set to be made."""

    store: Store
    """Where the set is to lie."""
    kind: str
    split: str
    videos: list[Video]
    stride_key: str
    settings: DataSettings

    @property
    def name(self) -> str:
        """What the set is called, such as `cube-train`."""
        return f"{self.kind}-{self.split}"

    @property
    def stride(self) -> int:
        """Samples are cut from every n-th frame."""
        return getattr(self.settings, self.stride_key)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that decides the samples. Paths are left out: moving a data set changes nothing."""
        return digest([self._common, [self._facts(video) for video in self.videos]])

    def video_fingerprint(self, video: Video) -> str:
        """Digest of all that decides the samples of one video."""
        return digest([self._common, self._facts(video)])

    @cached_property
    def _common(self) -> list[Any]:
        settings = _decisive(dataclasses.asdict(self.settings), self.kind, self.stride_key)
        objects = self.videos if self.kind == "cube" else []  # whole frames need no boxes
        files = detector_digests(self.settings, objects) + scene_digests(self.settings) if objects else []
        return [PRODUCER_VERSION, self.kind, self.split, settings, files]

    @staticmethod
    def _facts(video: Video) -> list[Any]:
        return [video.name, video.scene, video.identity, *([video.span] if video.span else [])]

    def is_finished(self) -> bool:
        """Whether the set is there, whole. Raises InputError for a set there that was made otherwise."""
        if self.store.size(MANIFEST) is None:
            return False
        difference = self.difference(Manifest.load(self.store))
        if difference:
            raise InputError(
                f"{self.store.where()} was made otherwise: {difference}; choose another --out, or delete that folder "
                "to make it anew"
            )
        return True

    def difference(self, manifest: Manifest) -> str:
        """What tells a set that is there from the one that is planned; empty where they are the same."""
        if manifest.fingerprint == self.fingerprint:
            return ""
        then = dotted(_decisive(manifest.settings, self.kind, self.stride_key))
        now = dotted(_decisive(dataclasses.asdict(self.settings), self.kind, self.stride_key))
        keys = [key for key in {**now, **then} if then.get(key) != now.get(key)]
        other = [f"{key} was {_shown(then, key)}, now {_shown(now, key)}" for key in keys]
        return "; ".join(other) or "from other videos, labels, boxes or weights, or by another version of the producer"


def make_plans(settings: DataSettings, out: Store | Path | str, splits: Collection[str] = SPLITS) -> list[Plan]:
    """The shard sets of some splits that a data set gives, under `out`; none for a split without videos."""
    root = open_store(out)
    videos = open_dataset(settings)
    normal = [video for video in videos if video.split == "train"]
    train, val = [], []
    if {"train", "val"} & {*splits}:
        train, val = hold_out(normal, settings.val_share, settings.clip_length, settings.train_stride)
    test = [video for video in videos if video.split == "test"]
    sets = [
        ("cube", "train", train, "train_stride"),
        ("cube", "val", val, "train_stride"),
        ("cube", "test", test, "test_stride"),
        *(
            (
                ("clip", split, videos, "clip_stride")
                for split, videos in (("train", train), ("val", val), ("test", test))
            )
            if settings.clip_stride
            else ()
        ),
        ("virtual", "train", open_virtual(settings) if "train" in splits else [], "virtual_stride"),
        ("virtual", "val", open_virtual(settings, held_out=True) if "val" in splits else [], "virtual_stride"),
    ]
    return [
        Plan(root.child(f"{kind}-{split}"), kind, split, videos, stride_key, settings)
        for kind, split, videos, stride_key in sets
        if videos and split in splits
    ]


def _decisive(settings: dict[str, Any], kind: str, stride_key: str) -> dict[str, Any]:
    """Those of the settings, given as nested dictionaries, that decide the samples."""
    chosen = {key: settings.get(key) for key in (*DECISIVE[kind], stride_key)}
    if "detector" in chosen:
        chosen["detector"] = {key: value for key, value in (chosen["detector"] or {}).items() if key not in PATHS}
        # Only where they are asked for: sets that were made before there were such settings stay valid.
        later = SCENE_NETWORK if settings.get("scene", "background") != "background" else ()
        later += ("scene_pixels",) if settings.get("scene") == "segmentation" else ()
        later += ("tracks",) if settings.get("tracks") else ()
        if chosen["detector"].get("continued_confidence") is None:
            chosen["detector"].pop("continued_confidence", None)
        chosen |= {key: settings[key] for key in later}
    return chosen


def _shown(settings: dict[str, Any], key: str) -> str:
    """A decisive setting's value for a message; those that are only there where asked for may be absent."""
    absent = {"scene": "background", "tracks": False}
    return repr(settings.get(key, absent.get(key)))
