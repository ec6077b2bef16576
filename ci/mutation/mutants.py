"""Every small way to break one module, as text: one replacement of one stretch of its source each."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ci.mutation.operators import alternatives

# Places whose change says nothing: types are mypy's business, and the wording of messages is nobody's.
_WORDING = (ast.JoinedStr,)


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: path of the module from the root of the project.
        line: number of the line that is changed, for people; explanations go by its text, which outlives it.
        text: that line, without its indentation.
        mutation: ``old -> new``.
        source: the whole module with the change.
    """

    module: str
    line: int
    text: str
    mutation: str
    source: str

    @property
    def key(self) -> str:
        """Digest of what would be run."""
        return hashlib.blake2b(f"{self.module}|{self.source}".encode(), digest_size=12).hexdigest()

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.mutation}   in `{self.text}`"


def mutants_of(module: str, source: str, *, constants_only: bool = False) -> list[Mutant]:
    """Every mutant of a module, or of its constants, in the order of its text; the same change is listed once."""
    lines = source.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line.encode()))
    raw = source.encode()

    def place(line: int, column: int) -> int:
        return begins[line - 1] + column

    found: dict[str, Mutant] = {}
    for node, top in _mutable(ast.parse(source)):
        for old, new in alternatives(node, top) if top or not constants_only else ():
            begin, end = place(old.lineno, old.col_offset), place(old.end_lineno or 0, old.end_col_offset or 0)
            changed = (raw[:begin] + new.encode() + raw[end:]).decode()
            before = " ".join(raw[begin:end].decode().split())
            if changed != source:
                found.setdefault(
                    changed, Mutant(module, old.lineno, lines[old.lineno - 1].strip(), f"{before} -> {new}", changed)
                )
    return sorted(found.values(), key=lambda m: m.line)


def _mutable(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    """Nodes that are worth a change, and whether each belongs to a constant of the module."""
    for statement in tree.body:
        constant = isinstance(statement, ast.Assign | ast.AnnAssign)
        yield from _walk(statement, constant)


def _walk(node: ast.AST, top: bool) -> Iterator[tuple[ast.AST, bool]]:
    if isinstance(node, _WORDING) or _is_type_checking(node) or _names_a_random_stream(node) or _is_strict(node):
        return
    yield node, top
    for field, value in ast.iter_fields(node):
        # `frozen=True` stands in a decorator, or behind the bases of a class.
        if field in ("annotation", "returns", "decorator_list", "type_comment") or _is_class_option(node, field):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child, top)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_class_option(node: ast.AST, field: str) -> bool:
    return isinstance(node, ast.ClassDef) and field == "keywords"


def _is_strict(node: ast.AST) -> bool:
    """``zip(..., strict=True)`` decides nothing: it raises where the lengths differ, which they never should."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _names_a_random_stream(node: ast.AST) -> bool:
    """``default_rng([seed, 3])``: any other number would do as well."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng")
