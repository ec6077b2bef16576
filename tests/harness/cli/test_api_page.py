"""docs/api.md: every line of it is run, and it names what is exported."""

import doctest
import re
import shutil
from pathlib import Path

import pytest
import torch

from lvm_gates import harness
from lvm_gates.harness.predictors.architectures import build

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


@pytest.fixture
def folder(reports, tmp_path, monkeypatch):
    """What the page speaks of."""
    (tmp_path / "my_corpus").symlink_to(reports / "arrow")
    shutil.copytree(reports / "best", tmp_path / "accepted")
    shutil.copytree(reports / "ridge", tmp_path / "candidate")
    torch.save(build("gru", input_dim=16, output_dim=16).state_dict(), tmp_path / "best_model.pt")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_every_line_gives_what_the_page_says():
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    found = runner.run(parser.get_doctest(PAGE.read_text(), {}, PAGE.name, str(PAGE), 0), out=said.append)
    assert found.attempted > 20
    assert found.failed == 0, "".join(said)


def test_what_is_exported_is_named_and_nothing_else():
    table = PAGE.read_text().partition("| name |")[2].partition("##")[0]
    named = set(re.findall(r"`(\w+)(?:\(.*?\))?`", table)) - {"predict"}
    assert {*harness.__all__} <= named
    assert {name for name in named if hasattr(harness, name)} == {*harness.__all__}
    assert set(harness._HOME) == {*harness.__all__}


@pytest.mark.parametrize("name", harness.__all__)
def test_an_export_is_what_it_is_called(name):
    assert getattr(harness, name).__name__ in (name, "compare_given")
