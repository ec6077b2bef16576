"""Paths that a user or a file names."""

from contextlib import suppress
from pathlib import Path

TEXT_SUFFIXES = (".txt", ".md", ".rst")
JSONL_SUFFIXES = (".jsonl", ".jsonl.gz")
"""Of the files that articles of text are read from."""


def is_file(path: Path) -> bool:
    """Whether there is a file of that name; False too for a name that the system cannot have, such as one too long."""
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """The same of a folder."""
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False
