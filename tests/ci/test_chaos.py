"""A few cases of what `ci.chaos` does, and whether it would notice."""

from dataclasses import replace

import pytest

from ci.chaos import Stage, markdown
from ci.chaos_cases import CASES

BY_NAME = {case.name: case for case in CASES}
QUICK = [
    "gate: report folder: cannot be made: its parent is a file",
    "import: while it writes vectors: SIGKILL",
    "import: output: full: RLIMIT_FSIZE",
    "import: output: read-only: EROFS injected",
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("chaos"))
    return {BY_NAME[name]: stage.run(BY_NAME[name]) for name in QUICK}


@pytest.mark.parametrize("name", QUICK)
def test_a_case_ends_as_it_must(ended, name):
    assert ended[BY_NAME[name]].faults(BY_NAME[name]) == []


def test_every_way_of_ending_otherwise_is_noticed(ended):
    case = BY_NAME["import: while it writes vectors: SIGKILL"]
    end = ended[case]
    assert "exit code" in replace(end, code=0).faults(case)[0]
    assert "a traceback" in replace(end, said="Traceback (most recent call last):").faults(case)
    assert "left" in replace(end, left=()).faults(case)[0]
    assert "the report is" in replace(end, report="old").faults(case)[0]
    assert "the next one ends with 1" in replace(end, again=1).faults(case)
    full = BY_NAME["import: output: full: RLIMIT_FSIZE"]
    assert "does not say" in replace(ended[full], said="Killed").faults(full)[0]


def test_the_table_has_a_row_a_case(ended):
    rows = markdown(ended).splitlines()[2:]
    assert len(rows) == len(QUICK)
    assert "| import | while it writes vectors | SIGKILL | -9 | – | `.vectors.npy.*.tmp` | – | succeeds |" in rows


def test_no_case_is_there_twice():
    assert len(BY_NAME) == len(CASES)
