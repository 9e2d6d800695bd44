"""Small files of facts that tell when they are damaged.

Nothing that a run goes on with is believed because it reads: one flipped bit of a JSON file is mostly still JSON. So
such files hold, beside their facts, the digest of these. Whoever reads them gets the facts as they were written, or
Damaged, which names the file.
"""

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from dist_vad.base.errors import Damaged
from dist_vad.base.files import digest, json_bytes, write_bytes
from dist_vad.base.log import log

SEAL = "facts_sha256"
"""Key of the digest over all other keys."""
T = TypeVar("T")


def sealed(facts: dict[str, Any]) -> bytes:
    """Facts as readable JSON, with the digest over them."""
    return json_bytes({**facts, SEAL: digest(json.loads(json.dumps(facts)))})


def write_sealed(path: Path, facts: dict[str, Any]) -> None:
    """Write a file of facts, atomically."""
    write_bytes(path, sealed(facts))


def unsealed(content: bytes, where: object, old: Collection[str] | None = None) -> dict[str, Any]:
    """The facts of a file. Raises Damaged, naming `where` it lies, for any other than were written.

    Args:
        old: the keys that a file may have which was written before there were digests; None = no such file is taken.
    """
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where} is damaged: it is no JSON ({error})") from error
    if not isinstance(facts, dict):
        raise Damaged(f"{where} is damaged: it holds {type(facts).__name__}, expected keys and values")
    seal = facts.pop(SEAL, None)
    if seal is None:
        unknown = sorted(facts.keys() - set(old or ()))
        if old is None or unknown:
            key = f", and it has the unknown key {unknown[0]!r}" if unknown else ""
            raise Damaged(f"{where} is damaged: the digest of its facts is missing{key}")
    elif seal != digest(facts):
        raise Damaged(f"{where} is damaged: its facts do not have the digest that it names")
    return facts


def read_sealed(path: Path, old: Collection[str] | None = None) -> dict[str, Any]:
    """The facts of a file on this machine, as `unsealed`. Raises FileNotFoundError where there is none."""
    return unsealed(path.read_bytes(), path, old)


def sealed_line(facts: dict[str, Any]) -> bytes:
    """Facts with their digest as one line, for a file that grows."""
    return json.dumps({**facts, SEAL: digest(json.loads(json.dumps(facts)))}, ensure_ascii=False).encode() + b"\n"


def append_line(path: Path, facts: dict[str, Any]) -> None:
    """Append facts with their digest, on the disk when this returns: after a kill the line is whole, or not there."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(handle, sealed_line(facts))  # one write of one line
        os.fsync(handle)
    finally:
        os.close(handle)


def read_lines(path: Path, old: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The facts of every line of a file, none where there is none. A line that is damaged is left out, and warned of.

    Args:
        old: as of `unsealed`.
    """
    found = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else [], 1):
        try:
            found.append(unsealed(line, f"line {number} of {path}", old))
        except Damaged as error:
            log.warning("warning: %s; it is left out", error)
    return found


def read_or(path: Path, instead: T, read: Callable[[Path], T] = read_sealed) -> T:
    """The facts of a file that can be done without: `instead` where it is missing, or damaged, which is warned of."""
    try:
        return read(path)
    except FileNotFoundError:
        return instead
    except Damaged as error:
        log.warning("warning: %s; it is made anew", error)
        return instead
