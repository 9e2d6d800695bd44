"""The configurations that ship with the package: in an installed one beside its code, in a checkout at the top."""

import re
from difflib import get_close_matches
from pathlib import Path

from dist_vad.base.errors import InputError, UsageError
from dist_vad.settings.command_line.checks import place

_INSTALLED = Path(__file__).resolve().parents[2] / "configs"
_CHECKOUT = Path(__file__).resolve().parents[3] / "configs"
CONFIGS = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
DEFAULT_CONFIG = CONFIGS / "default.yaml"
REFERENCE = re.compile(r"^(?:data|base): *([\w./-]+\.yaml)\s*$", re.MULTILINE)
"""How a configuration takes over another one, by a path that counts from its own folder."""


def config_names() -> list[str]:
    """Names of all of them, such as `ucsd/model_sota`, sorted."""
    return sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.yaml"))


def shipped_config(name: str) -> Path:
    """The file of a configuration: `model_base`, `model_base.yaml` and `configs/model_base.yaml` are the same.

    Raises InputError, with names that are much alike, where there is none.
    """
    asked = name.removeprefix("configs/").removesuffix(".yaml")
    known = config_names()
    if asked not in known:
        alike = get_close_matches(asked, known, 3, 0.5) or [other for other in known if asked in other][:3]
        meant = f"did you mean {', '.join(alike)}? " if alike else ""
        raise InputError(f"no configuration {name} ships with dist_vad; {meant}`dist-vad config list` shows all")
    return CONFIGS / f"{asked}.yaml"


def found_config(given: str) -> str:
    """The file that is meant where a command takes a configuration: that of the user if it is there, else ours."""
    try:
        given = place("--config", "folder", given) if given else given
    except ValueError as error:
        raise UsageError(f"{error}") from error
    asked = given.removeprefix("configs/").removesuffix(".yaml")
    return str(shipped_config(given)) if not Path(given).exists() and asked in config_names() else given


def first_comment(path: Path) -> str:
    """What a configuration says of itself: the first sentence of the comment at its top."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return re.split(r"(?<=\w)\.(?:\s|$)", " ".join(lines), maxsplit=1)[0].rstrip(".")


def with_references(path: Path) -> list[Path]:
    """A configuration and all that it takes over."""
    files = [path]
    for name in REFERENCE.findall(path.read_text(encoding="utf-8")):
        files += with_references((path.parent / name).resolve())
    return list(dict.fromkeys(files))
