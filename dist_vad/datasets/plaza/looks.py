"""How a scene looks to another camera in another weather: the same life, other pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

from dist_vad.datasets.plaza.canvas import Dice

GREY = 0.3
"""Share of the looks that are without colour."""


@dataclass(frozen=True)
class Look:
    """What happens to the pixels of every frame, between the scene and its video."""

    saturation: float
    """0 = grey, 1 = as it is."""
    tint: tuple[float, float, float]
    """Red, green and blue are multiplied by."""
    gamma: float
    haze: float
    """Share of white mist in front of everything."""
    softness: float
    """Standard deviation of the lens's blur, pixels."""

    @classmethod
    def of(cls, number: int) -> "Look | None":
        """The look of a number; None for 0, which changes nothing."""
        if number == 0:
            return None
        dice = Dice("look", number)
        saturation = 0.0 if dice.chance(GREY) else dice.between(0.3, 1.2)
        warm = dice.between(-0.12, 0.12)
        return cls(
            saturation=saturation,
            tint=(1 + warm, 1.0, 1 - warm) if saturation else (1.0, 1.0, 1.0),
            gamma=float(np.exp(dice.between(-0.6, 0.6))),
            haze=max(0.0, dice.between(-0.3, 0.4)),
            softness=max(0.0, dice.between(-0.6, 1.2)),
        )

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """A frame as it is seen so: RGB, uint8 [H, W, 3]."""
        values = frame.astype(np.float32)
        grey = values.mean(axis=2, keepdims=True)
        values = (grey + self.saturation * (values - grey)) * np.array(self.tint, np.float32)
        values = 255.0 * (np.clip(values, 0, 255) / 255.0) ** self.gamma
        values = (1 - self.haze) * values + self.haze * 235.0
        if self.softness:
            values = cv2.GaussianBlur(values, (0, 0), self.softness)
        return np.clip(values, 0, 255).round().astype(np.uint8)
