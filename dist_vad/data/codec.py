"""Clips as bytes: one strip of frames, [T * H, W, 3] RGB, under the codec that the manifest names."""

from collections.abc import Iterable
from io import BytesIO

import cv2
import numpy as np

JPEG_QUALITY = 95


def encode(clip: np.ndarray, codec: str) -> bytes:
    """A clip, uint8 [T, H, W, 3] RGB, as bytes: `jpeg` (quality 95), `png` (lossless) or `raw` (.npy of the strip)."""
    strip = clip.reshape(-1, *clip.shape[2:])
    if codec == "raw":
        buffer = BytesIO()
        np.save(buffer, strip)
        return buffer.getvalue()
    extension, options = {
        "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]),
        "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]),
    }[codec]
    done, encoded = cv2.imencode(extension, cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), options)
    assert done, "OpenCV could not encode a strip of bytes"
    return encoded.tobytes()


def npy_values(content: bytes | memoryview, dtype: np.dtype | type) -> np.ndarray:
    """The values of an .npy file of known type, flat and not to be written to.

    Faster than numpy.load, and safe in threads: numpy parses the header with `ast`, which in CPython 3.11 fails now
    and then when several threads do it at once.
    """
    return np.frombuffer(content, dtype, -1, 10 + content[8] + 256 * content[9])


def npy_content(file: memoryview) -> memoryview:
    """The bytes of an .npy file that are its values."""
    return file[10 + file[8] + 256 * file[9] :]


def decode_all(strips: Iterable[memoryview], out: np.ndarray, codec: str) -> None:
    """Decode strips, one after another, into the clips of `out`, contiguous, uint8 [B, T, H, W, 3] RGB.

    Raises ValueError where bytes are no strip of that shape.
    """
    if codec == "raw":
        return _copy_all(strips, out)
    for content, clip in zip(strips, out):
        strip = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        if strip is None or strip.size != clip.size:
            raise ValueError(f"{len(content)} bytes are no {codec} strip of shape {clip.shape}")
        np.copyto(clip, strip.reshape(clip.shape))


def decode_into(content: bytes | memoryview, out: np.ndarray, codec: str) -> None:
    """Decode one strip into `out`, uint8 [T, H, W, 3] RGB. Raises ValueError where the bytes are no such strip."""
    decode_all([memoryview(content)], out[None], codec)  # a slice of bytes would be a copy


def _copy_all(strips: Iterable[memoryview], out: np.ndarray) -> None:
    """`decode_all` of .npy files. Between memoryviews: an array for each strip would cost a sixth of its copy more."""
    memory, offset, length = out.reshape(-1).data, 0, out[:1].nbytes
    for content in strips:
        values = npy_content(content)
        if len(values) != length:
            raise ValueError(f"{len(values)} values are no strip of {length}")
        memory[offset : offset + length] = values
        offset += length
