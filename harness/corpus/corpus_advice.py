"""What to do about something that is no corpus, or one without the splits that are needed: commands that work on it.

A test follows each of them.
"""

import shlex
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, TEXT_SUFFIXES, is_file, is_folder

if TYPE_CHECKING:
    from lvm_gates.harness.corpus.corpus import Corpus

_WHAT_IS = (
    "a corpus is a folder that lvm-data wrote, or a file of vectors: NPZ, Parquet, Arrow, JSON lines, .npy, FAISS; "
    "name one of these"
)
# Entries of a folder that are looked at, so that a wrong one with a million files is refused at once.
_LOOKED_AT = 10_000
# Below so many articles a tenth of them is none.
_TENTHS, _FEWEST = 6, 3


def no_corpus(path: Path) -> UserError:
    """Why there is no corpus at ``path``, and what makes one of what is there."""
    if is_file(path):
        return UserError(f"{path}: is a file, not a corpus; {_about_file(path)}.")
    if not is_folder(path):
        return UserError(
            f"{path}: no such corpus folder; check the path, or draw a synthetic dataset there with "
            f"`{_command('synth --world switch --out', path)}`."
        )
    return UserError(f"{path}: not a corpus (corpus.json is missing); {_about_folder(path)}.")


def no_vectors(path: Path) -> UserError:
    """Why nothing can be imported from ``path``, and what could be done with what is there."""
    if is_file(path / "corpus.json"):
        return UserError(f"{path}: is a corpus already; name files of vectors to import.")
    if is_file(path):
        return UserError(f"{path}: holds no vectors that can be imported; {_about_file(path)}.")
    if not is_folder(path):
        return UserError(f"{path}: no such file or folder; check the path.")
    return UserError(f"{path}: holds no Parquet or Arrow files; {_about_folder(path)}.")


def how_to_split(corpus: "Corpus") -> str:
    """What gives a corpus all three splits."""
    articles = len(corpus.article_ids)
    if not is_file(corpus.path / "corpus.json"):
        return f"name both splits with --val-articles and --ood-articles ({corpus.id_range})"
    if articles < _FEWEST:
        return f"its {articles} articles cannot be split in three; use a corpus of more"
    shares = "" if articles >= _TENTHS else " --val 0.3 --ood 0.3"
    return f"draw splits with `{_command('split', corpus.path)}{shares}`"


def _about_file(path: Path) -> str:
    if path.suffix == ".npz":
        return f"`{_command('import', path)} --out DIR` makes one of it"
    if path.name.endswith(JSONL_SUFFIXES):
        return f"`{_command('embed', path)} --out DIR` makes one of the text in it"
    return _WHAT_IS


def _about_folder(path: Path) -> str:
    found = sorted(p for p in _entries(path) if not _hidden(p, path))
    if not found:
        return f"it is empty; draw a synthetic dataset there with `{_command('synth --world switch --out', path)}`"
    if any(p.suffix.lower() in TEXT_SUFFIXES and is_file(p) for p in found):
        return f"`{_command('embed', path)} --out DIR` makes one of the text in it"
    files = [p for p in found if p.suffix == ".npz" and p.parent == path and p.name != "articles.npz"]
    if files:
        return f"`{_command('import', *files)} --out DIR` makes one of the article files in it"
    return _WHAT_IS


def _entries(folder: Path) -> list[Path]:
    try:
        return list(islice(folder.rglob("*"), _LOOKED_AT))
    except OSError:
        return []


def _hidden(entry: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in entry.relative_to(folder).parts)


def _command(words: str, *paths: Path) -> str:
    return " ".join(["lvm-data", words, *(shlex.quote(str(path)) for path in paths)])
