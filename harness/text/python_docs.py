"""The real text that every Python installation carries: docstrings of the standard library and pydoc's topics.

Modules written in Python are parsed, not imported: importing all of them opens a browser (``antigravity``), prints a
poem (``this``) and warns; and the source has the docstrings in the order in which they were written to be read. Only
modules written in C are imported, since nothing else holds their documentation.
"""

import ast
import importlib
import inspect
import platform
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from lvm_gates.harness.text.articles import Article
from lvm_gates.harness.text.sources import PYTHON_DOCS, Source

# Not documentation of a library: tests, bundled programs, and what users install beside it.
_NOT_LIBRARY = frozenset(
    {"test", "tests", "idlelib", "lib2to3", "site-packages", "turtledemo", "__pycache__", "_vendor"}
)
# A module with a sentence or two (most codecs) is no article.
_MIN_CHARACTERS = 1000


def python_docs() -> Source:
    """The documentation of the running Python: one article a module or topic."""
    return Source(
        PYTHON_DOCS,
        f"docstrings of the standard library and help topics of {platform.python_implementation()} "
        f"{platform.python_version()}",
        "PSF-2.0",
        _articles,
    )


@cache
def _articles() -> tuple[Article, ...]:
    """All articles; three megabytes, kept because parsing the library takes seconds.

    A paragraph that several articles share (inherited documentation, platform twins such as posixpath and ntpath)
    stays in the first of them only: a copy in another split would make the corpus leak.
    """
    seen: set[str] = set()
    articles = []
    for title, text in (*_python_modules(), *_c_modules(), *_topics()):
        paragraphs = []
        for paragraph in _paragraphs(text):
            flat = " ".join(paragraph.split())
            if flat not in seen:
                seen.add(flat)
                paragraphs.append(paragraph)
        kept = "\n\n".join(paragraphs)
        if len(kept) >= _MIN_CHARACTERS:
            articles.append(Article(title, kept))
    return tuple(articles)


def _paragraphs(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []


def _python_modules() -> Iterator[tuple[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    # Only what CPython lists as its own: the same folder holds site-packages and what a distribution adds.
    tops = sorted(sys.stdlib_module_names)
    files = (file for top in tops for file in (root / f"{top}.py", *sorted((root / top).rglob("*.py"))))
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        if _NOT_LIBRARY.intersection(parts) or not file.is_file():
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue  # a template, not a module
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, "\n\n".join(_docstrings(tree))


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Docstrings of a module and of all it defines, from top to bottom, without private names."""
    doc = ast.get_docstring(node)
    if doc:
        yield doc
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield from _docstrings(child)


def _c_modules() -> Iterator[tuple[str, str]]:
    for name in sorted(sys.stdlib_module_names):
        spec = None if name.startswith("_") else find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin == "built-in" or (origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a module on its way out is documented still
                try:
                    module = importlib.import_module(name)
                except ImportError:
                    continue  # built against a system library that is absent
            yield name, "\n\n".join(_member_docs(module))


def _member_docs(owner: ModuleType | type) -> Iterator[str]:
    """Docstrings of what ``owner`` itself defines; C code records no order of writing, so names are sorted."""
    if owner.__doc__:
        yield inspect.cleandoc(owner.__doc__)
    for name, member in sorted(vars(owner).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, type):
            yield from _member_docs(member) if isinstance(owner, ModuleType) else ()
        elif callable(member) and isinstance(member.__doc__, str):
            yield inspect.cleandoc(member.__doc__)


def _topics() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    for name, text in sorted(topics.items()):
        yield f"topic {name}", text
