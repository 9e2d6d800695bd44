"""Export a state, so that video is scored without torch, by ONNX Runtime or OpenVINO.

dist-vad export STATE [--format onnx|openvino] [--out DIR]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dist_vad.base.errors import InputError, entry_point, refuse_unless
from dist_vad.settings.parsing import Command, Option, parse


@dataclass(kw_only=True)
class ExportSettings:
    """What is written, and where."""

    format: Literal["onnx", "openvino"] = "onnx"
    """For which engine: ONNX Runtime or OpenVINO."""
    out: str | None = None
    """Folder for the exported state; not given = STATE/exported."""
    batch: int | None = None
    """Objects that the graph takes at once; not given = as many as at calibration. For cameras few, such as 8: the
    objects of a frame are padded to it."""

    def __post_init__(self) -> None:
        refuse_unless(self.batch is None or self.batch >= 1, "batch", self.batch, "1 or more")


WHAT = Option("state", str, [], "folder of the state, such as RUN/states/inference-…", positional=True)
COMMAND = Command(ExportSettings, "Export a state, so that it scores without torch.", options=(WHAT,))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if len(options.state) != 1:
        raise InputError(f"{len(options.state)} states are given, expected one; usage: dist-vad export STATE")
    from dist_vad.inference.detector import Detector
    from dist_vad.inference.export import export
    from dist_vad.inference.exported import FOLDER

    detector = Detector.load(options.state[0], "cpu")
    folder = Path(settings.out) if settings.out else detector.state.folder / FOLDER
    files = export(detector, settings.format, folder, settings.batch)
    print(f"written: {', '.join(map(str, files))}")
    print(f"score by it: dist-vad score VIDEO --state {folder} --engine {settings.format}")
