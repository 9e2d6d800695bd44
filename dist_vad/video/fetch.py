"""A video file that lies on a server, brought here: it is read several times, and as fast as it is scored."""

import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.text.redact import redacted
from dist_vad.video.capture import Capture

LISTS = ("hls", "dash")
"""Formats whose address is that of a list of pieces, which FFmpeg reads one after another."""


def fetched(place: str, stack: ExitStack) -> str:
    """The place itself or, for a file on a web server, that of its copy, which is removed when the stack ends.

    What has no end, and what FFmpeg alone can read, stays where it is. Raises InputError where it does not come whole.
    """
    if not place.startswith(("http://", "https://")):
        return place
    capture = Capture(place)
    capture.close()
    if not capture.is_finite or capture.format in LISTS:
        return place
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dist_vad_")))
    path = folder / (Path(urllib.parse.urlsplit(place).path).name or "video")
    log.info("fetching %s", redacted(place))
    try:
        with urllib.request.urlopen(_request(place), timeout=30) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
            expected = answer.headers.get("Content-Length")
    except (OSError, urllib.error.URLError) as error:
        raise InputError(f"{redacted(place)} cannot be fetched: {redacted(error)}") from None
    if expected and path.stat().st_size != int(expected):
        raise InputError(f"{redacted(place)} broke off after {path.stat().st_size} of {expected} bytes; start again")
    return str(path)


def _request(place: str) -> urllib.request.Request:
    """A request whose credentials stand in its head, as urllib wants them."""
    parts = urllib.parse.urlsplit(place)
    who, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=host)))
    if who:
        request.add_header("Authorization", f"Basic {b64encode(urllib.parse.unquote(who).encode()).decode()}")
    return request
