"""docs/reading.md speaks of what the terminal and the page have."""

import re

import pytest
from shown import ROOT

from lvm_gates.harness.report.overview import MEANINGS
from lvm_gates.harness.report.words import VERDICTS

PAGE = (ROOT / "docs" / "reading.md").read_text()
README = (ROOT / "README.md").read_text()
PARTS = [row.split("|")[1].strip() for row in PAGE.partition("| part of the page |")[2].splitlines()[2:] if "|" in row]
PARTS = PARTS[: PARTS.index("Data audits, Provenance") + 1]


def heading(text, start):
    return next(line.split() for line in text.splitlines() if line.startswith(start))


@pytest.mark.parametrize("start", ["gate / metric", "on VAL"])
def test_the_tables_have_the_columns_of_those_that_the_suite_compares(start):
    """tests/docs/test_shown_commands.py compares the README's with what a session prints."""
    assert heading(PAGE, start) == heading(README, start)


def test_every_part_of_the_page_is_called_so():
    code = "".join(
        (ROOT / "harness" / "report" / name).read_text()
        for name in ("scorecard.html.j2", "html.py", "plots.py", "portraits.py", "captions.py", "tables.py")
    )
    assert len(PARTS) == 10
    for part in PARTS[1:]:
        for name in re.split(", ", part):
            assert name in code, name


def test_what_the_text_names_is_in_the_tables():
    assert set(VERDICTS.values()) <= set(re.findall(r"\b[A-Z]{4,}\b", PAGE))
    columns = heading(PAGE, "on VAL")
    assert {"c(+1)", "peak", "skill", "gates"} <= {name for name, _ in MEANINGS} & {*columns}
