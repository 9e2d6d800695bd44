"""Repair of shard sets: the files that are missing or damaged are made anew, and nothing else is touched."""

import dataclasses
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.store import Store, scratch_folder
from dist_vad.producer.opened_video import make_shards, open_video
from dist_vad.producer.plan import Plan, make_plans
from dist_vad.producer.verify import Fault, find_faults
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.files import VideoError


def check_manifests(sets: list[Store], faults: list[list[Fault]]) -> None:
    """Raise InputError for manifests that are missing or damaged: all else is measured by them."""
    broken = [fault.text for of_set in faults for fault in of_set if fault.file == MANIFEST]
    if broken:
        listed = "".join(f"\n  {text}" for text in broken)
        raise InputError(
            f"a {MANIFEST} that is missing or damaged cannot be repaired: delete it if it is there, start "
            f"`dist-vad shards write` again with the same arguments, and repair other sets after that:{listed}"
        )


def repair_set(store: Store, faults: list[Fault], root: str | None, scratch: Path | None) -> list[Fault]:
    """Make the damaged files of a set anew; returns what is wrong still, such as files that nobody knows.

    Args:
        root: where the data set lies now; None = where it lay when the set was written.
        scratch: for the shards of one video; None = where the system has its temporary files.

    Raises InputError, and leaves the video's files as they are, where the data set is no longer that of the manifest
    or its videos give other bytes.
    """
    damaged = {fault.video for fault in faults if fault.video}
    if not damaged:
        return faults
    manifest = Manifest.load(store)
    plan = _plan(store, manifest, root)
    for name in sorted(damaged):
        _repair_video(plan, manifest, name, {fault.file for fault in faults if fault.video == name}, scratch)
    return list(find_faults(store, damaged)) + [fault for fault in faults if not fault.video]


def _plan(store: Store, manifest: Manifest, root: str | None) -> Plan:
    """How the set was made. Raises InputError where the same data set and settings are not to be had."""
    cannot = f"{store.where()} cannot be repaired"
    try:
        settings = _settings(manifest, root)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{cannot}: the settings in its {MANIFEST} are not of this dist_vad ({error})") from error
    for plan in make_plans(settings, store):
        if (plan.kind, plan.split) == (manifest.kind, manifest.split):
            if difference := plan.difference(manifest):
                raise InputError(
                    f"{cannot} from {settings.root or settings.dataset}, which would give another set: {difference}; "
                    "pass the data set that it was written from with --root DIR, or write the set anew"
                )
            return dataclasses.replace(plan, store=store)
    raise InputError(
        f"{cannot}: {settings.root or settings.dataset} has no videos for {manifest.kind}-{manifest.split}; pass the "
        "data set that it was written from with --root DIR"
    )


def _settings(manifest: Manifest, root: str | None) -> DataSettings:
    given = {**manifest.settings, "root": root or manifest.settings["root"]}
    groups = {"plaza": PlazaSettings(**given["plaza"]), "detector": DetectorSettings(**given["detector"])}
    return DataSettings(**{**given, **groups})


def _repair_video(plan: Plan, manifest: Manifest, name: str, files: set[str], scratch: Path | None) -> None:
    """Cut a video anew and replace those files of it that are damaged."""
    video = next(video for video in plan.videos if video.name == name)
    try:
        opened = open_video(plan, video)
        with scratch_folder(scratch) as folder:
            with progress_bar(total=opened.length, desc=f"{plan.name} {name}", unit=" frames", leave=False) as bar:
                anew = make_shards(plan, opened, folder, bar)
            expected = [shard for shard in manifest.shards if shard.video == name]
            if anew != expected:
                raise InputError(_difference(plan, name, anew, expected))
            for file in sorted(files):
                plan.store.put_file(file, folder / file)
                log.info("repaired: %s", plan.store.where(file))
    except VideoError as error:
        raise InputError(f"{plan.store.where()} cannot be repaired: video {name}: {error}") from error


def _difference(plan: Plan, name: str, anew: list, expected: list) -> str:
    """Why shards that were cut anew cannot stand in for those of the manifest."""
    first = next(
        (f"{a.name} has sha256 {a.sha256[:12]}…, expected {b.sha256[:12]}…" for a, b in zip(anew, expected) if a != b),
        f"{len(anew)} shards, expected {len(expected)}",
    )
    return (
        f"{plan.store.where()} cannot be repaired: video {name}, cut anew, gives other bytes than its {MANIFEST} says "
        f"({first}); its files are left as they are. The video has changed under the same name and size, or another "
        "version of a library decodes or encodes otherwise: take those of then, or write the set anew to another place"
    )
