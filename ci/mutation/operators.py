"""What can be wrong at one node of a syntax tree. Every operator yields (node to replace, text to put there)."""

import ast
from collections.abc import Iterator

Change = tuple[ast.expr | ast.stmt, str]

_BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_NEGATION: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_SWAPPED = {
    "any": "all",
    "min": "max",
    "minimum": "maximum",
    "argmin": "argmax",
    "floor": "ceil",
    "left": "right",
    # An interval's end, and the value that it is the end of.
    "low": "value",
}
_SWAPPED |= {new: old for old, new in _SWAPPED.items() if old != "low"} | {"high": "value"}
_EMPTY = {"str": '""', "bool": "False", "list": "[]", "dict": "{}", "tuple": "()"}


def alternatives(node: ast.AST, top: bool) -> Iterator[Change]:
    """The changes at one node.

    Args:
        node: of the tree.
        top: whether it belongs to a constant of the module, which is changed by more than a literal inside a function.
    """
    if isinstance(node, ast.Compare):
        yield from _compare(node)
    elif isinstance(node, ast.BoolOp):
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, f"({ast.unparse(ast.BoolOp(other, node.values))})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC and not _is_text(node):
        yield node, f"({ast.unparse(ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right))})"
    elif isinstance(node, ast.UnaryOp):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant):
        yield from _constant(node, top)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Attribute) and node.attr in ("low", "high"):
        yield node, f"{ast.unparse(node.value)}.{_SWAPPED[node.attr]}"
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        # A comparison or a `not` is negated by the operators above.
        if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.FunctionDef):
        yield from _returns(node)
    elif isinstance(node, ast.AugAssign):
        yield node, "pass"
        if type(node.op) in _ARITHMETIC:
            yield node, ast.unparse(ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value))
    elif isinstance(node, ast.Continue) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield node, "pass"


def _compare(node: ast.Compare) -> Iterator[Change]:
    for i, op in enumerate(node.ops):
        for table in (_BOUNDARY, _NEGATION):
            if type(op) in table:
                ops = [*node.ops[:i], table[type(op)](), *node.ops[i + 1 :]]
                yield node, f"({ast.unparse(ast.Compare(node.left, ops, node.comparators))})"


def _constant(node: ast.Constant, top: bool) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield node, str(not value)
    elif isinstance(value, int | float) and top and value:
        # A tolerance or a size is wrong by orders of magnitude, a share or a count by a factor.
        factor = 1000 if abs(value) < 1e-3 else 100 if abs(value) > 100 else 2
        for changed in (value * factor, value / factor):
            yield node, repr(int(changed) if isinstance(value, int) else changed)
    elif isinstance(value, int):
        yield node, repr(value + 1)
    elif isinstance(value, float):
        yield node, repr(2 * value if value else 1.0)


def _call(node: ast.Call) -> Iterator[Change]:
    name = node.func
    if isinstance(name, ast.Name) and name.id in _SWAPPED:
        yield name, _SWAPPED[name.id]
    elif isinstance(name, ast.Attribute) and name.attr in _SWAPPED:
        yield name, f"{ast.unparse(name.value)}.{_SWAPPED[name.attr]}"


def _returns(node: ast.FunctionDef) -> Iterator[Change]:
    """Nothing instead of an answer, where the type allows it; for a yes or no, either of them."""
    promised = ast.unparse(node.returns) if node.returns else ""
    empty = "None" if promised.endswith("| None") else _EMPTY.get(promised.partition("[")[0])
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return) and inner.value is not None and empty is not None:
            if promised == "bool":
                yield inner.value, "True"
            yield inner.value, empty


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )
