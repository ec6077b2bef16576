"""docs/what-now.md has every kind of advice that the code gives, and quotes no sentence that the code does not say."""

import ast
import re
from collections.abc import Iterator

import pytest
from shown import ROOT

from lvm_gates.harness.audits import AUDITS
from lvm_gates.harness.judging.gates import ABSOLUTE, SKILL
from lvm_gates.harness.report import advice


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


PAGE = plain((ROOT / "docs" / "what-now.md").read_text())
# Shorter texts are parts of a sentence, such as a unit.
SHORT = 24


def literals(node: ast.AST) -> Iterator[str]:
    """Each text of a piece of code, cut where a value stands in it."""
    if isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.Constant):
                yield str(part.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def sentences(module: str) -> Iterator[str]:
    """Of each text that a function of the advice puts together, the longest part that is always the same."""
    tree = ast.parse((ROOT / "harness" / "report" / module).read_text())
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for statement in function.body[ast.get_docstring(function) is not None :]:
            for text in ast.walk(statement):
                if isinstance(text, ast.JoinedStr | ast.Constant):
                    pieces = [piece for one in literals(text) for piece in re.split(r"(?<=[.;:,]) ", plain(one))]
                    longest = max(pieces, key=len, default="").strip(" .,:;()")
                    if len(longest) >= SHORT:
                        yield longest


SENTENCES = sorted({*sentences("advice.py"), *sentences("reach.py")})


def test_sentences_are_found_at_all():
    assert len(SENTENCES) >= 12


@pytest.mark.parametrize("fixed", SENTENCES)
def test_every_sentence_of_the_advice_is_on_the_page(fixed):
    assert fixed in PAGE


@pytest.mark.parametrize("table", ["_AUDITS", "_BROKEN", "_GATES"])
def test_every_entry_of_the_advice_is_on_the_page_word_for_word(table):
    for key, text in getattr(advice, table).items():
        assert key in PAGE, key
        assert plain(text) in PAGE, key
    assert plain(advice._ANY_AUDIT) in PAGE


def test_every_audit_and_gate_that_can_fail_has_a_row():
    rows = (ROOT / "docs" / "what-now.md").read_text()
    assert set(advice._AUDITS) <= set(AUDITS)
    assert all(f"| audit `{name}` |" in rows for name in advice._AUDITS)
    gates = {gate.name for gate in (*ABSOLUTE, *SKILL)} - {"frontier"}  # which is told by its gain
    assert gates == set(advice._GATES)
    assert all(re.search(rf"^\| `?{gate}`? \|", rows, flags=re.MULTILINE) for gate in gates)


def said_by_the_code() -> list[str]:
    """Every text of the engine and the gates, with the values in it left out."""
    found = []
    for room in ("harness", "gates"):
        for file in (ROOT / room).rglob("*.py"):
            tree = ast.parse(file.read_text())
            whole = (n for n in ast.walk(tree) if isinstance(n, ast.JoinedStr | ast.Constant))
            found += [plain("…".join(literals(node))) for node in whole]
    return [text for text in found if text]


QUOTED = re.findall(r'"([^"]+)"', re.sub(r"\]\(\w+\.md\), \"[^\"]+\"", "", PAGE))


def test_every_sentence_that_is_quoted_is_said():
    said = said_by_the_code()
    quoted = [one for one in QUOTED if one.strip("… ;")]
    assert len(quoted) > 25
    for one in quoted:
        parts = [part.strip(" ;") for part in one.split("…") if part.strip(" ;")]
        assert any(all(part in text for part in parts) for text in said), one
