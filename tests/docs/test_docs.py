"""The docs name nothing that is not there: files, links, commands, options, settings, targets of make, imports."""

import ast
import functools
import re
import shlex
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from launching import ROOT

from dist_vad.base import plugins
from dist_vad.base.errors import InputError
from dist_vad.cli.main import COMMANDS
from dist_vad.settings import parsing
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.run import Settings

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACES = ("dist_vad", "launch", "shards", "slurm", "configs", "docs", "tests", "benchmarks", "deploy", ".ci")
"""Folders of the repository whose files are named with their path."""
ENDINGS = (".py", ".sh", ".def", ".md", ".yaml", ".yml", ".toml", ".cff", ".jpg", ".png")
OWN = ("slurm/site.sh", "site.sh", "table3.html", "run.yaml")
"""What a user makes."""
EXEMPT = (
    "curl",
    "pip",
    "git",
    "source",
    "scancel",
    "scontrol",
    "cp",
    "pre-commit",
    "cff",
    "apt-get",
    "diff",
    "docker",
    "apptainer",
)
"""Programs whose options are theirs."""
FOREIGN = ("num_processes", "config_file", "ntasks", "array", "requeue", "signal", "nodes", "gres", "time", "batch")
"""Options of accelerate, Slurm and pip that the text names without a command."""
SLURM = {"shards": "write", "progressive": "progressive", "evaluate": "evaluate", "pipeline": "progressive"}
"""Batch script -> module of dist_vad.cli whose arguments it passes on."""
FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
PLACEHOLDERS = {"N": "0", "W": "16"}


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of every fenced block."""
    return FENCE.findall(text)


def spans(text: str) -> list[str]:
    """What stands in backquotes outside of fenced blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", text).replace("``", ""))


# Links


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}


def broken_links(page: Path, text: str) -> list[str]:
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_file():
            faults.append(f"link to {target}, which is not there")
        elif anchor and anchor not in slugs(file):
            faults.append(f"link to {target}, which has no such heading")
    return faults


# Files and modules


def alternatives(word: str) -> list[str]:
    """`a/{b,c}.py` as [a/b.py, a/c.py]."""
    brace = re.search(r"\{([^{}]*)\}", word)
    if not brace:
        return [word]
    rest = [f"{word[: brace.start()]}{part}{word[brace.end() :]}" for part in brace[1].split(",")]
    return [one for part in rest for one in alternatives(part)]


@functools.cache
def names_of_files() -> set[str]:
    below = {path.name for place in PLACES for path in (ROOT / place).rglob("*")}
    return below | {path.name for path in ROOT.iterdir()}


def missing_files(text: str) -> list[str]:
    """Paths of the repository, names of its files and of its modules that are not there."""
    faults = []
    pieces = [*spans(text), *(content for _, content in blocks(text))]
    for word in {word.strip("()[].,;:'\"") for piece in pieces for word in re.split(r"[\s=|<>]+", piece)}:
        for path in alternatives(word):
            if "..." in path or path in OWN:
                continue
            first, slash, _ = path.partition("/")
            ends = path.endswith(ENDINGS)
            if slash and first in PLACES:
                # Without an ending, shards/NAME is where a user may write some.
                if (ends or first != "shards") and not list(ROOT.glob(path.rstrip("/"))):
                    faults.append(f"{path}, which is not there")
            elif re.fullmatch(r"[\w.-]+", path) and path.endswith(ENDINGS[:-2]) and path not in names_of_files():
                faults.append(f"{path}, which is no file of the repository")
    own = re.findall(r"\bdist_vad(?:\.\w+)+", text)
    wrong = [name for name in sorted({*own} - {*plugins.GROUPS}) if not importable(name)]
    return faults + [f"{name}, which cannot be imported" for name in wrong]


def importable(name: str) -> bool:
    """Whether a dotted name is a module of dist_vad, or something in one."""
    module = name
    while module != "dist_vad" and not (ROOT / module.replace(".", "/")).with_suffix(".py").exists():
        if (ROOT / module.replace(".", "/")).is_dir():
            break
        module = module.rpartition(".")[0]
    found: object = import_module(module)
    for attribute in name[len(module) + 1 :].split(".") if name != module else []:
        if not hasattr(found, attribute):
            return False
        found = getattr(found, attribute)
    return True


# Commands


def command_lines(text: str) -> list[str]:
    """Every command of a page: of blocks in which one stands, and in backquotes."""
    lines = []
    for language, content in blocks(text):
        logical = [line.strip() for line in content.replace("\\\n", " ").splitlines()]
        logical = [line for line in logical if line and not line.startswith("#")]
        if language in ("", "bash", "sh") and any(program(line) or re.search(r"\s--[a-z]", line) for line in logical):
            lines += logical
    return lines + [span for span in spans(text) if program(span) and len(span.split()) > 1]


def words_of(line: str) -> list[str]:
    """Its words, without a comment, assignments before it, and dots that stand for more."""
    line = re.sub(r"--config \.\.\.|(?<=\s)\.\.\.(?=\s|$)|(?<=\s)\[(?=-)|\](?=\s|$)", "", line)
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    return [PLACEHOLDERS.get(word, word.removesuffix("...")) for word in words]


def program(line: str) -> str:
    """What a line starts; empty where it is no command."""
    try:
        words = words_of(line)
    except ValueError:  # an apostrophe in prose
        return ""
    first = words[0].removeprefix(".venv/bin/") if words else ""
    known = ("make", "dist-vad", "accelerate", "python", "srun", "sbatch", "env", *EXEMPT)
    return first if first in known or re.fullmatch(r"slurm/\w+\.sh", first) else ""


def wrong_command(line: str) -> str:
    """What is wrong with a command; empty where nothing is."""
    try:
        return _wrong(words_of(line))
    except (InputError, SystemExit) as error:
        return f"{error}" if isinstance(error, InputError) else ("" if error.code == 0 else f"exit status {error.code}")


def _wrong(words: list[str]) -> str:
    first, rest = words[0].removeprefix(".venv/bin/"), words[1:]
    if first == "make":
        missing = {word for word in rest if "=" not in word} - targets()
        return f"make has no target {', '.join(sorted(missing))}" if missing else ""
    if first == "pip":
        found = re.findall(r"(?:\.|dist_vad)\[([\w,]+)", " ".join(rest))
        unknown = {extra for some in found for extra in some.split(",")} - extras()
        return f"no extra {', '.join(sorted(unknown))}" if unknown else ""
    if first in EXEMPT:
        return ""
    if first == "dist-vad":
        return _wrong_dist_vad(rest)
    if first == "python" and rest and rest[0] == "-c":
        return ""
    if first == "python" and rest and rest[0] == "-m":
        return "" if find_spec(rest[1]) else f"no module {rest[1]}"
    place = next((i for i, word in enumerate(words) if word.endswith((".py", ".sh"))), None)
    if place is None:
        launcher_alone = first in ("accelerate", "srun", "sbatch", "python") and len(words) <= 2
        return "" if launcher_alone else "names no script"
    before, script, arguments = words[:place], words[place], words[place + 1 :]
    files = [word for option, word in pairwise(before) if option == "--config_file"]
    for file in [*files, script]:
        if not (ROOT / file).is_file():
            return f"{file}, which is not there"
    return wrong_arguments(script, arguments)


def _wrong_dist_vad(words: list[str]) -> str:
    name = " ".join(words[:2]) if words and words[0] == "shards" else " ".join(words[:1])
    if name in ("COMMAND", "") or name.startswith("--"):
        return ""
    if name not in COMMANDS:
        return f"dist-vad has no command {name!r}"
    return refused(COMMANDS[name][0], words[len(name.split()) :])


def wrong_arguments(script: str, arguments: list[str]) -> str:
    path = ROOT / script
    if script.startswith("slurm/"):
        module = SLURM.get(path.stem)
        return refused(module, [word for word in arguments if word != "--dry-run"]) if module else ""
    source = path.read_text()
    module = re.search(r"^\s*from dist_vad\.cli\.(\w+) import main", source, re.MULTILINE)
    if module:
        return refused(module[1], arguments)
    if "parse(COMMAND)" in source:  # a benchmark that takes the settings, like a command
        sys.path.append(str(path.parent))
        return refused(path.stem, arguments, "")
    own = set(re.findall(r'add_argument\(\s*"(--\w+)"', source))
    strange = [word for word in arguments if word.startswith("--") and word.split("=")[0] not in own]
    return f"{script} has no option {', '.join(strange)}" if strange else ""


@functools.cache
def _refused(module: str, arguments: tuple[str, ...]) -> str:
    argv, sys.argv = sys.argv, [module, *arguments]
    try:
        parsing.parse(import_module(module).COMMAND)
    except InputError as error:
        return f"{' '.join(arguments)}: {error}"
    finally:
        sys.argv = argv
    return ""


def refused(module: str, arguments: list[str], package: str = "dist_vad.cli.") -> str:
    """Why a command, one of dist_vad.cli as a rule, refuses its arguments; empty where it takes them."""
    return _refused(package + module, tuple(_without_placeholders(arguments)))


def _without_placeholders(arguments: list[str]) -> list[str]:
    """Without `--config FILE`, and values for what stands in capitals."""
    given, words = [], iter(arguments)
    for word in words:
        if word in ("--config", "--base"):
            value = next(words, "FILE")
            given += [] if value.isupper() else [word, value]
        elif word in ("--KEY", "--detector.KEY"):
            next(words, None)
        else:
            given.append(word)
    return [] if given == ["--config"] else given


@functools.cache
def targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@functools.cache
def extras() -> set[str]:
    return {*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]}


@functools.cache
def options() -> set[str]:
    """Every option of every command, and those of the launchers that the text may name."""
    known = {"--help", "--help-all", "--version", "--dry-run", *(f"--{name}" for name in FOREIGN)}
    for module, _ in COMMANDS.values():
        command = import_module(f"dist_vad.cli.{module}").COMMAND
        known |= {name for action in command.parser()._actions for name in action.option_strings}
        known |= {f"--{name}" for name in command.aliases}
    for script in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'add_argument\(\s*"(--\w+)"', script.read_text()))
    return known


def strange_options(text: str) -> list[str]:
    """Options in backquotes, without a command, that no command has."""
    faults = []
    for span in spans(text):
        if program(span):
            continue
        for option in re.findall(r"(?:(?<=\s)|^)--[\w.-]+", span):
            stage = re.fullmatch(r"--(?:base\.)?curriculum\.\w+\.(\w+)", option)
            stage_key = stage and (stage[1] == "KEY" or stage[1] in StageSettings.__dataclass_fields__)
            if not (option in options() or option.endswith(".KEY") or stage_key):
                faults.append(f"{option}, which no command has")
    return faults


# Python and YAML


def wrong_code(language: str, content: str) -> list[str]:
    if language == "python":
        return [
            f"{node.module}.{name.name}, which cannot be imported"
            for node in ast.walk(ast.parse(content))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dist_vad")
            for name in node.names
            if not importable(f"{node.module}.{name.name}")
        ]
    if language == "yaml":
        try:
            parsing.settings_of(Settings, yaml.safe_load(content), "the block")
        except InputError as error:
            return [str(error)]
    if language == "toml":
        tomllib.loads(content)
    return []


def faults_of(page: Path, text: str) -> list[str]:
    """All that is wrong with a page."""
    commands = [f"`{line}`: {wrong}" for line in command_lines(text) if (wrong := wrong_command(line))]
    code = [fault for language, content in blocks(text) for fault in wrong_code(language, content)]
    return [*broken_links(page, text), *missing_files(text), *commands, *strange_options(text), *code]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """Paths of commands count from the root; reading a command line must not change how the tests log."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(parsing.log, "set_up", lambda quiet: None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_nothing_that_is_not_there(page):
    assert not faults_of(page, page.read_text())


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\]\((docs/[\w./-]+\.md)\)", (ROOT / "README.md").read_text()))
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages <= linked


@pytest.mark.parametrize(
    "text",
    [
        "[a page](docs/NOWHERE.md)",
        "[a heading](README.md#nowhere)",
        "`launch/nothing.py`",
        "`configs/{avenue,nowhere}/model_base.yaml`",
        "`nothing.py`",
        "`dist_vad.base.nothing`",
        "```\ndist-vad nothing\n```",
        "```\ndist-vad train --modle.width 8\n```",
        "```\ndist-vad train --model.width wide\n```",
        "```\ndist-vad train --config configs/nothing.yaml\n```",
        "```\naccelerate launch launch/nothing.py\n```",
        "```\naccelerate launch --config_file configs/accelerate/nothing.yaml launch/phase.py\n```",
        "```\naccelerate launch launch/phase.py \\\n    --fase NAME\n```",
        "```\npython shards/write.py --out DIR --data.root DIR\n```",
        "```\nslurm/pipeline.sh --nothing 1\n```",
        "```\npython benchmarks/loader.py --nothing\n```",
        "```\nmake nothing\n```",
        "```\nmake demo\nmaek test\n```",
        "```\ndistvad train --seed 1\n```",
        "```\npip install '.[nothing]'\n```",
        "`dist-vad shards nothing`",
        "`--nothing 3`",
        "`--curriculum.perception.stepps 3`",
        "```python\nfrom dist_vad.base import nothing\n```",
        "```yaml\nmodle: {width: 8}\n```",
    ],
)
def test_what_is_wrong_is_found(text):
    assert faults_of(ROOT / "page.md", text)
