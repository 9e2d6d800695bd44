"""Random numbers that depend on their address alone, never on how many were drawn before.

Every draw of the system (which samples make up a batch, which frame is the anchor) is a hash of its key, such as
(seed, stage, step, position in the global batch). So any rank can make any draw at any time: a resume is a seek, and
the number of ranks changes nothing. The hash is the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014),
folded over the parts of the key; unlike a library's generator, its values are fixed for good.
"""

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)

Part = int | str | np.ndarray


def bits(*key: Part) -> np.ndarray:
    """64 uniform bits for each address: uint64 of the shape to which the parts of the key broadcast."""
    state = np.zeros((), np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        for part in key:
            state = _finalise((state ^ _as_uint64(part)) + _GOLDEN)
    return state


def uniform(*key: Part) -> np.ndarray:
    """float64 in [0, 1) for each address."""
    return (bits(*key) >> np.uint64(11)) * 2.0**-53


def integers(low: int, high: int, *key: Part) -> np.ndarray:
    """int64 in low..high-1 for each address."""
    return low + np.floor(uniform(*key) * (high - low)).astype(np.int64)


def permutation(length: int, *key: Part) -> np.ndarray:
    """A permutation of 0..length-1, int64."""
    return np.argsort(bits(*key, np.arange(length)), kind="stable")


def _finalise(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


def _as_uint64(part: Part) -> np.ndarray:
    if isinstance(part, str):
        return np.uint64(int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "little"))  # pyright: ignore
    return np.asarray(part).astype(np.uint64)
