"""What a run tells of itself while it trains: a bar, curves through Accelerate's trackers, and `progress.json`."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator

from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.base.sealed import write_sealed

PROGRESS = "progress.json"
"""In a run's folder: where training stands, for whoever waits for it."""
LEAST_SECONDS = 3.0
"""Least seconds between two writings of `progress.json`."""
PEAKS = {  # dense, without sparsity, from the makers' data sheets
    "bf16": {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12, "RTX 3090": 71e12},
    "tf32": {"H200": 494e12, "H100": 494e12, "A100": 156e12, "L40S": 183e12, "RTX 4090": 83e12, "RTX 3090": 35.6e12},
    "no": {"H200": 67e12, "H100": 67e12, "A100": 19.5e12, "L40S": 91.6e12, "RTX 4090": 82.6e12, "RTX 3090": 35.6e12},
}
"""Floating-point operations per second of a GPU, by precision and by a part of its name."""

T = TypeVar("T")


def peak_of(device: str, precision: str) -> float | None:
    """Floating-point operations per second that a GPU of this name can do at most; None where it is not known."""
    return next((peak for name, peak in PEAKS[precision].items() if name in device), None)


class Tracking:
    """Measures and reports the steps of one stage. Only the main process reports.

    Args:
        run: the run's folder.
        stage: name of the stage.
        start, steps, global_batch: of the stage.
        flops: floating-point operations of a training step on one sample of each kind; 0 = not known.
        precision: of the arithmetic, by which a GPU's peak is known.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        run: Path,
        stage: str,
        start: int,
        steps: int,
        global_batch: int,
        flops: int,
        precision: str,
    ) -> None:
        self.accelerator, self.run, self.stage = accelerator, run, stage
        self.steps, self.global_batch, self.flops = steps, global_batch, flops
        self.samples_per_second = 0.0
        self._done = self._reported = start
        self._bar = progress_bar(
            total=steps * global_batch,
            initial=start * global_batch,
            desc=stage,
            unit=" samples",
            disable=not accelerator.is_main_process,
        )
        gpu = accelerator.device.type == "cuda"
        self._peak = peak_of(torch.cuda.get_device_name(), precision) if gpu else None
        self._written = 0.0
        self._sums: dict[str, float] = {}
        self._count = 0
        self._since, self._waited = time.monotonic(), 0.0

    def waits(self, steps: Iterable[T]) -> Iterator[T]:
        """Yield every item of `steps` in order, and count how long each was waited for."""
        iterator = iter(steps)
        while True:
            asked = time.monotonic()
            item = next(iterator, None)
            self._waited += time.monotonic() - asked
            if item is None:
                return
            yield item

    def step(self, losses: dict[str, float] | None) -> None:
        """A step is done; its mean losses, None for a step that was skipped."""
        self._done += 1
        self._bar.update(self.global_batch)
        if losses is not None:
            self._count += 1
            self._sums = {name: self._sums.get(name, 0.0) + loss for name, loss in losses.items()}

    def log(self, rate: float) -> None:
        """Report the means over the steps since the last report; `rate` is the learning rate of the last one."""
        now = time.monotonic()
        seconds, waited = max(now - self._since, 1e-9), self._waited
        steps, self._reported = self._done - self._reported, self._done
        self.samples_per_second = steps * self.global_batch / seconds
        losses = {name: value / max(1, self._count) for name, value in self._sums.items()}
        self._bar.set_postfix({name: f"{loss:.4f}" for name, loss in losses.items()}, refresh=False)
        values = {**losses, "learning_rate": rate, "samples_per_second": self.samples_per_second}
        values |= {"waiting_for_data": waited / seconds, **self._device(seconds, steps)}
        self.curves(values, self._done)
        self._write(losses)
        self._sums, self._count, self._since, self._waited = {}, 0, now, 0.0

    def curves(self, values: dict[str, float], step: int) -> None:
        """Hand values to the tracker, under the stage's name."""
        self.accelerator.log({f"{self.stage}/{name}": value for name, value in values.items()}, step=step)

    def warn(self, message: str) -> None:
        """Log a warning on the main process."""
        if self.accelerator.is_main_process:
            log.warning("warning: stage %s: %s", self.stage, message)

    def close(self) -> None:
        """The stage has ended."""
        self._bar.close()

    def _device(self, seconds: float, steps: int) -> dict[str, float]:
        """Memory, and the share of a GPU's peak that is used (MFU: model FLOPs utilisation, of Chowdhery et al.)."""
        if self.accelerator.device.type != "cuda":
            return {}
        values = {"memory_gb": torch.cuda.max_memory_allocated() / 1e9}
        if self._peak and self.flops:
            samples = steps * self.global_batch / self.accelerator.num_processes
            values["mfu"] = self.flops * samples / seconds / self._peak
        return values

    def _write(self, losses: dict[str, float]) -> None:
        now = time.monotonic()
        last = self._done == self.steps
        if not self.accelerator.is_main_process or (now - self._written < LEAST_SECONDS and not last):
            return
        self._written = now
        left = (self.steps - self._done) * self.global_batch
        progress: dict[str, Any] = {
            "stage": self.stage,
            "step": self._done,
            "steps": self.steps,
            "loss": losses,
            "samples_per_second": round(self.samples_per_second, 2),
            "seconds_left": round(left / self.samples_per_second, 1),
            "time": time.time(),
        }
        write_sealed(self.run / PROGRESS, progress)
