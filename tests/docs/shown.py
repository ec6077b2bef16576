"""The commands that README, CONTRIBUTING and docs/ show, and what the README shows of their output."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "README.md",
]
PROGRAM = r"(?:pytest|lvm-\w+|torchrun|make|python3?|pip|\.(?= \.venv)|lint-imports|mypy|ruff)"
_COMMAND = re.compile(rf"^(?:\$ )?(?:\.venv/bin/)?({PROGRAM}(?: +[^\s#].*?)?)(?: +# .*)?$")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_OTHER_LANGUAGES = ("python", "toml", "json")


class Shown(NamedTuple):
    """A command as a page shows it."""

    page: str
    command: str


def shown_commands() -> list[Shown]:
    """Every command of every page, once a page, without prompts and comments.

    Inside a sentence only what has arguments counts: `lvm-data` alone is a name.
    """
    found = dict.fromkeys(
        Shown(page.relative_to(ROOT).as_posix(), command)
        for page in PAGES
        if page.exists()
        for command in _commands(page.read_text())
    )
    return list(found)


def _commands(text: str) -> Iterator[str]:
    for language, block in _FENCE.findall(text):
        if language not in _OTHER_LANGUAGES:
            for line in block.replace("\\\n", " ").splitlines():
                if match := _COMMAND.match(line):
                    yield " ".join(match[1].split())
    for line in re.findall(r"^ {4}(\S.*)$", _FENCE.sub("", text), flags=re.MULTILINE):
        if match := _COMMAND.match(line):
            yield " ".join(match[1].split())
    for code in _INLINE.findall(_FENCE.sub("", text)):
        if (match := _COMMAND.match(" ".join(code.split()))) and " " in match[1]:
            yield match[1]
