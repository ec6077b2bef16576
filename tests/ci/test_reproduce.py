"""The table of reported against reproduced figures."""

import math
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from ci.reproduce import REPORTED, describe, main, planned_epochs
from ci.reproduction_table import Row, falls, table
from harness.worlds import synthesise

ROOT = Path(__file__).parents[2]
RECIPES = tomllib.loads(REPORTED.read_text())["recipe"]
KEYS = {"name", "command", "val_cosine", "collapse", "margin", "r5", "rollout", "gates", "fault"}


@pytest.mark.parametrize("reported", RECIPES, ids=lambda one: one["name"])
def test_every_entry_can_be_run_and_names_its_fault(reported):
    assert set(reported) <= KEYS
    assert reported["fault"]
    known = [value for value in reported.get("val_cosine", []) if not math.isnan(value)]
    assert all(-1 < value < 1 for value in known)
    assert len(reported.get("val_cosine", [])) <= planned_epochs(reported["command"])


def test_the_documented_recipes_are_all_there():
    asked = {(one["command"][0], *(part for part in one["command"] if part.startswith("v"))) for one in RECIPES}
    assert {command for command, *_ in asked} == {"v3", "p1", "p2", "p3", "p4", "p5", "p51", "p6", "p6b", "p7"}
    assert len({one["name"] for one in RECIPES}) == len(RECIPES)
    assert [one["name"] for one in RECIPES if one.get("collapse")] == ["V3", "P4", "P6b v1", "P7", "P6b v2.2"]


@pytest.mark.parametrize(
    ("command", "epochs"),
    [(["p1"], 5), (["v3", "--as-published"], 20), (["p5", "--epochs", "4"], 4), (["p7", "--option=strong-margin"], 15)],
)
def test_epochs_are_the_documented_ones(command, epochs):
    assert planned_epochs(command) == epochs


@pytest.mark.parametrize(
    ("cosines", "said"),
    [
        ([0.46, 0.52, 0.54, 0.55], "none"),
        ([0.459, 0.521, 0.550, 0.507, 0.526], "none"),
        ([0.459, 0.523, 0.540, 0.354, 0.362], "epoch 4: 0.540 to 0.354, -34%"),
        ([0.4599, 0.4758, -0.0494], "epoch 3: 0.476 to -0.049, -110%"),
        ([-0.1, -0.2, 0.1], "none"),
        ([0.396, 0.241, 0.22, 0.15], "epoch 2: 0.396 to 0.241, -39%"),
        ([0.377, 0.072, 0.226, 0.207, 0.032], "epoch 2: 0.377 to 0.072, -81%; epoch 5: 0.207 to 0.032, -85%"),
        ([0.5], "none"),
    ],
)
def test_falls(cosines, said):
    assert falls([{"val_cosine": cosine} for cosine in cosines]) == said


def test_sizes_in_words():
    assert describe(("--width=64", "--lr=0.003"), None) == "width 64, lr 0.003"
    assert describe(("--batch-size=16",), 6) == "batch size 16, at most 6 epochs"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One row, made whole: trained, gated twice, shown."""
    folder = tmp_path_factory.mktemp("reproduce")
    corpus = synthesise("arrow", folder / "corpus", articles=60, dim=16)
    arguments = ["--corpus", corpus.path, "--out", folder / "out", "--width", "16", "--layers", "1", "--heads", "2"]
    arguments += ["--max-epochs", "1", "--max-samples", "100", "--only", "P1"]
    return folder / "out", [str(argument) for argument in arguments]


def test_a_row_from_training_to_table(made):
    out, arguments = made
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    text = (out / "table.md").read_text()
    assert result.output.startswith("P1: 1 epochs\n")
    assert text in result.output
    assert "width 16, layers 1, heads 2, lr 0.0005, device cpu, at most 1 epochs" in text
    lines = [line for line in text.splitlines() if line.startswith("| P1 ")]
    assert len(lines) == 2
    assert ".459 .521 .540 .546 .550" in lines[0]
    assert "| -0.167 |" in lines[1]
    assert "| control:oracle |" in text
    assert text.count("| release |") >= 2, "the oracle is released under both profiles"
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.suffix in {".pt", ".json"}}
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 0
    assert (out / "table.md").read_text() == text
    assert {file: file.stat().st_mtime_ns for file in before} == before, "nothing that was done is done again"


def test_a_run_that_fails_says_where_to_look(made, tmp_path):
    _, arguments = made
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path), "--width", "15"])
    assert result.exit_code == 1
    assert "exit code 1; see" in result.output
    assert "does not divide" in (tmp_path / "P1.log").read_text()


def test_figures_that_are_not_known_are_dashes():
    value = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    undefined = {"value": None, "low": None, "high": None, "n": 0}
    gates = {
        "A": {"passed": True, "VAL": {"margin": value, "peak": None}},
        "B": {"passed": False, "VAL": {"article": {"R@5": undefined}}},
        "D": {"passed": True, "VAL": {"mean": value}},
    }
    card = {"verdict": "hold", "gates": gates, "skill": {"VAL": {"F": value}, "OOD": {"F": undefined}}}
    row = Row({"name": "X", "command": ["p1"], "fault": "none"}, [{"val_cosine": 0.5}], {"5cat": card, "skill": card})
    line = table([row], {"5cat": {"controls": []}, "skill": {"controls": []}}, "corpus", "size").splitlines()[-1]
    assert line.startswith("| X | – | +0.500 [+0.400, +0.600] | – | – | – | – |")
    assert "| A.D | hold |" in line
