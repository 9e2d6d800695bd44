"""Video anomaly detection by progressive learning of proxy tasks.

The package's own surface; nothing heavy is imported before it is used:

    import dist_vad

    detector = dist_vad.Detector.load("runs/demo/states/inference-…")  # or s3://BUCKET/PREFIX, hf://USER/NAME
    result = detector.score("walk.mp4")  # or frames: uint8 [T, H, W, 3], RGB
    print(result.events(), result.threshold.value)
    result.save("scored")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dist_vad import metrics
    from dist_vad.api import evaluate
    from dist_vad.data.shardset import ShardSet
    from dist_vad.inference.detector import Detector
    from dist_vad.inference.outputs import VideoResult

__version__ = "0.2.0"
__all__ = ["Detector", "ShardSet", "VideoResult", "__version__", "evaluate", "metrics"]

_HOMES = {
    "Detector": "dist_vad.inference.detector",
    "ShardSet": "dist_vad.data.shardset",
    "VideoResult": "dist_vad.inference.outputs",
    "evaluate": "dist_vad.api",
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("dist_vad.metrics")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dist_vad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
