"""f_scene, the feature that tells one scene from another."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.files import file_sha256
from dist_vad.settings.scene import SceneSettings

PUBLISHED = (
    "https://huggingface.co/models?library=segmentation-models-pytorch (model.safetensors of one whose card says "
    "DeepLabV3Plus and names the encoder and the classes), or train one with that library"
)


def scene_feature(settings: SceneSettings, background: np.ndarray) -> np.ndarray:
    """The scene feature of a median background, RGB, uint8 [H, W, 3]: a unit vector, float32 [settings.scene_size]."""
    if settings.scene == "background":
        return background_feature(background, settings.scene_grid)
    return _network(settings)(background, settings.scene_kept, settings.scene_grid)


def background_feature(background: np.ndarray, grid: int) -> np.ndarray:
    """The background as a unit vector: float32 [3 * grid * grid].

    The median background, uint8 [H, W, 3], holds no foreground, so nothing has to be masked. It is averaged over a grid
    of fixed size, so that the length does not depend on the resolution; its mean is taken away, so that scenes
    differ by more than their brightness.
    """
    cells = cv2.resize(background.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA).ravel()
    cells -= cells.mean()
    return (cells / max(float(np.linalg.norm(cells)), 1e-12)).astype(np.float32)


def most_alike(scenes: dict[str, np.ndarray], feature: np.ndarray) -> tuple[str, float]:
    """(name, cosine) of the scene whose feature is most like another; all are unit vectors, float32 [D_B]."""
    likeness = {name: float(feature @ own) for name, own in scenes.items()}
    name = max(likeness, key=lambda scene: likeness[scene])
    return name, likeness[name]


def check_scene(settings: SceneSettings) -> None:
    """Raise InputError where the scene feature could not be computed, before any video is decoded."""
    if settings.scene != "background":
        _network(settings)


def scene_digests(settings: SceneSettings) -> list[str]:
    """Digests of the files from which the scene feature is computed. Raises InputError for a missing one."""
    return [] if settings.scene == "background" else [file_sha256(_weights(settings))]


def _network(settings: SceneSettings) -> Any:
    # Nothing else in the producer needs torch: it is imported only if it is asked for.
    if settings.scene == "segmentation":
        from dist_vad.video.exported_segmentation import load_exported

        return load_exported(_weights(settings), settings.scene_classes, settings.scene_pixels)
    from dist_vad.video.deeplab import load_deeplab

    return load_deeplab(_weights(settings), settings.scene_encoder, settings.scene_classes)


def _weights(settings: SceneSettings) -> Path:
    """The absolute path of the weights."""
    given = settings.scene_weights
    assert given is not None, "refused by SceneSettings"
    path = Path(given).expanduser().absolute()
    if path.is_file():
        return path
    fault = "a folder, expected a file such as model.safetensors" if path.is_dir() else "nothing there"
    raise InputError(
        f"data.scene_weights is {given!r}, but {path} is {fault}; nothing is downloaded by itself: get weights from "
        f"{PUBLISHED}, and give their path with --scene_weights; --scene background needs none"
    )
