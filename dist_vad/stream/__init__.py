"""Which samples make up a global batch, and which rank reads them."""

from dist_vad.stream.canonical import Streams

__all__ = ["Streams"]
