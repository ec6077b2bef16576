"""Article ids that are text, kept beside a corpus: ``article_names.json`` lists them in the order of the articles.

``corpus.json`` holds the file's digest under ``article_names``; a corpus without that entry has numbers for ids.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.atomic import write_json
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.files.json_file import read_json

NAMES = "article_names"
"""The entry of ``corpus.json``."""
NAMES_FILE = "article_names.json"
_LARGEST = 1 << 30


def write_names(folder: Path, names: Sequence[str]) -> str:
    """Write the ids, and return what ``corpus.json`` must hold under `NAMES`."""
    write_json(folder / NAMES_FILE, list(names))
    return hashlib.sha256((folder / NAMES_FILE).read_bytes()).hexdigest()


def read_names(folder: Path, meta: Mapping[str, Any], articles: int) -> tuple[str, ...] | None:
    """The ids of a corpus's articles, None where they are numbers.

    Raises:
        UserError: the file is missing or not the one that was recorded.
    """
    recorded = meta.get(NAMES)
    if recorded is None:
        return None
    file = folder / NAMES_FILE
    try:
        names = read_json(file, _LARGEST)
        if hashlib.sha256(file.read_bytes()).hexdigest() != recorded:
            raise ValueError("it is not the one that was recorded")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("it is no list of text")
        if len(names) != articles or len(set(names)) < articles:
            raise ValueError(f"it has not one id for each of {articles} articles")
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({brief(error)}); copy the corpus again.") from error
    return tuple(names)
