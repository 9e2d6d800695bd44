"""Settings of the network."""

from dataclasses import dataclass

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class ModelSettings:
    """Size of the network."""

    width: int = 32
    """Channels of the backbone's first layer; later layers have two and four times as many."""
    embedding: int = 128
    """Length of the comprehension head's embedding and width of the inference head's hidden layer."""

    def __post_init__(self) -> None:
        refuse_unless(self.width >= 4 and self.width % 4 == 0, "model.width", self.width, "a multiple of 4")
        refuse_unless(self.embedding >= 2, "model.embedding", self.embedding, "2 or more")
