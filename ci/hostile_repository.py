"""A repository of somebody else's: the same names as ours for everything, and a pytest set-up that breaks any session.

Used by `ci/foreign_repository.py` with the wheel, and by tests/gates with this checkout.
"""

from pathlib import Path

_THEIRS = "raise RuntimeError('this belongs to the repository that lvm-gate was started in')\n"
_CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--device", default="theirs")
    parser.addoption("--model", default="theirs")


def pytest_collection_modifyitems(items):
    items.clear()
"""
# A predictor that passes: it knows the corpus by heart, and moves away from any context that is not in it.
_MODEL = """
import numpy as np

import models
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.windows import windows_of


class Knowing:
    def __init__(self):
        from pathlib import Path

        assert models.THEIRS
        corpus = open_corpus(Path("worlds/arrow"))
        windows = windows_of(corpus, np.arange(len(corpus.starts)), 5)
        pairs = zip(windows.contexts(), windows.target_vectors(), strict=True)
        self.next = {context.tobytes(): target for context, target in pairs}

    def predict(self, contexts):
        frames = np.ascontiguousarray(contexts, dtype=np.float32)
        return np.stack([self.next.get(c.tobytes(), -c[-1]) for c in frames])


class LastFrame:
    def predict(self, contexts):
        return contexts[:, -1]


def factory():
    return Knowing()
"""
HOSTILE = {"PYTEST_ADDOPTS": "--no-such-option", "PYTEST_PLUGINS": "theirs"}
"""Of the environment of somebody who works there."""


def make_repository(root: Path) -> None:
    """Write it; ``python:models.mine:factory`` passes on a corpus that is put into ``worlds/arrow``."""
    files = {
        "models/__init__.py": "THEIRS = True\n",
        "models/mine.py": _MODEL,
        "conftest.py": _CONFTEST,
        "gates/conftest.py": _THEIRS,
        "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--no-such-option'\n",
        "theirs.py": _THEIRS,
    }
    files |= {f"{package}/__init__.py": _THEIRS for package in ("trainers", "harness", "gates")}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def files_in(folder: Path) -> set[str]:
    """Names of all files and folders, but those of its version control and its environment."""
    names = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(name) for name in names if name.parts[0] not in (".git", ".venv")}
