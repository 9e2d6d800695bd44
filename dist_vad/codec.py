"""Clips as bytes: one strip of frames, [T * H, W, 3] RGB, under the codec that the manifest names."""

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
    return np.frombuffer(content, dtype, offset=10 + content[8] + 256 * content[9])


def decode_into(content: bytes | memoryview, out: np.ndarray, codec: str) -> None:
    """Decode a strip into `out`, uint8 [T, H, W, 3] RGB. Raises ValueError where the bytes are no such strip."""
    if codec == "raw":
        strip = npy_values(content, np.uint8)
    else:
        strip = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if strip is None or strip.size != out.size:
        raise ValueError(f"{len(content)} bytes are no {codec} strip of shape {out.shape}")
    np.copyto(out, strip.reshape(out.shape))
