"""The files that a detector works from: where they are, and what they hold."""

from pathlib import Path

from dist_vad.base import plugins
from dist_vad.base.errors import InputError
from dist_vad.base.files import digest, file_sha256, files_below
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.source import Video

PATHS = ("boxes", "weights", "cfg", "names")
"""The settings of a detector that are paths: what the files hold decides the samples, and not where they lie."""

DARKNET_PUBLISHED = "https://pjreddie.com/darknet/yolo/ (YOLOv3) and https://github.com/AlexeyAB/darknet (YOLOv4)"
YOLO_PUBLISHED = "https://github.com/ultralytics/assets/releases (AGPL-3.0)"
YOLO_WEIGHTS = "yolov3u.pt"


def detector_digests(settings: DataSettings, videos: list[Video]) -> list[str]:
    """Digests of all files from which the objects of these videos are found. Raises InputError for a missing one."""
    if settings.detector.name == "boxes":
        files = {path for video in videos if (path := boxes_file(settings, video))}
    elif settings.detector.name == "darknet":
        files = set(darknet_files(settings.detector))
    elif settings.detector.name == "yolo":
        files = {yolo_weights(settings.detector)}
    elif point := plugins.foreign(plugins.DETECTORS).get(settings.detector.name):
        return [digest([settings.detector.name, plugins.brought_by(point)])]  # its version decides what it finds
    else:
        files = set()
    return sorted(_digest(path) for path in files)


def boxes_file(settings: DataSettings, video: Video) -> Path | None:
    """Where the boxes of a video are read from; None for detectors that read none.

    Raises InputError where there is no such file.
    """
    if settings.detector.name != "boxes":
        return None
    assert settings.detector.boxes is not None, "refused by DetectorSettings"
    path = settings.detector.boxes.replace("{root}", settings.root or ".")
    path = Path(path.replace("{split}", video.source_split or video.split))
    if not path.is_file():
        raise InputError(
            f"no boxes file at {path} (data.detector.boxes is {settings.detector.boxes!r}); give its path, or take "
            "--detector.name motion, which needs none"
        )
    return path


def darknet_files(settings: DetectorSettings) -> tuple[Path, Path, Path]:
    """The .cfg, .weights and .names files of a Darknet network. Raises InputError where one is missing."""
    cfg, weights, names = (_there(settings, key, DARKNET_PUBLISHED) for key in ("cfg", "weights", "names"))
    for path in (cfg, weights, names):
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected one of the three files of a Darknet network")
    return cfg, weights, names


def yolo_weights(settings: DetectorSettings) -> Path:
    """The file or folder that Ultralytics is to load. Raises InputError where it is missing."""
    return _there(settings, "weights", YOLO_PUBLISHED, YOLO_WEIGHTS)


def _there(settings: DetectorSettings, key: str, published: str, default: str | None = None) -> Path:
    """The absolute path that a setting names."""
    given = getattr(settings, key) or default
    assert given is not None, "refused by DetectorSettings"
    path = Path(given).expanduser().absolute()
    if not path.exists():
        raise InputError(
            f"data.detector.{key} is {given!r}, but there is nothing at {path}; nothing is downloaded by itself: get "
            f"it from {published} and put it there, or give its path with --detector.{key}"
        )
    return path


def _digest(path: Path) -> str:
    """Digest of what a file holds, or of all files of a folder with their names."""
    if path.is_file():
        return file_sha256(path)
    files = sorted(file for file in files_below(path) if file.is_file())
    return digest([[file.relative_to(path).as_posix(), file_sha256(file)] for file in files])
