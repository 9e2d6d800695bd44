"""Names that people give to things, as names of files and as keys of samples."""

import re
import unicodedata

from dist_vad.base.files import bytes_sha256

FILE_NAME = "letters, digits and _ + - of ASCII, at most 64 of them"
"""What `is_file_name` asks, in words."""
LONGEST_KEY = 75
"""Bytes of a video's name up to which a sample's member has a name that fits the 100 bytes of a tar's header."""
LONGEST_STEM = 180
"""Bytes of a file's name up to which there is room for what is put before and behind it."""


def is_file_name(name: str) -> bool:
    """Whether a name is fit for a file or a folder wherever it may lie."""
    return re.fullmatch(r"[A-Za-z0-9_+-]{1,64}", name) is not None


def composed(name: str) -> str:
    """A name in the form in which letters with accents are one character (NFC): some systems take them apart."""
    return unicodedata.normalize("NFC", name)


def storage_key(name: str) -> str:
    """A video's name as part of tars, keys and paths: printable ASCII that fits a tar's header.

    Names that are such already stay as they are. Of others their readable part stays, and a digest tells them apart.
    The same name gives the same key, composed or not.
    """
    name = composed(name)
    if re.fullmatch(r"[!-~ ]+", name) and not set(name) & set("/\\.") and len(name) <= LONGEST_KEY:
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[: LONGEST_KEY - 12]
    return f"{readable}-{_short_digest(name)}"


def file_stem(name: str) -> str:
    """A name for output files, in its own letters where a file may have them."""
    name = re.sub(r"[/\\\0-\x1f]", "_", name)
    if len(_bytes(name)) <= LONGEST_STEM:
        return name
    return f"{_bytes(name)[: LONGEST_STEM - 12].decode(errors='ignore')}-{_short_digest(name)}"


def _short_digest(name: str) -> str:
    return bytes_sha256(_bytes(name))[:10]


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
