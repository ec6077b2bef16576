"""The table of reported against reproduced metrics."""

import itertools
import json
import math
import os
import shlex
import tomllib
from pathlib import Path
from subprocess import CompletedProcess

import click
import numpy as np
import pytest
from click.testing import CliRunner

from ci.reproduce import REPORTED, describe, main, planned_epochs, subprocess
from ci.reproduction_corpora import corpus_folder
from ci.reproduction_table import Row, by_epoch, falls, table
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.worlds.world import synthesise

ROOT = Path(__file__).parents[2]
RECIPES = tomllib.loads(REPORTED.read_text())["recipe"]
COLLAPSE = tomllib.loads((ROOT / "ci" / "collapse.toml").read_text())["recipe"]
KEYS = {"name", "command", "val_cosine", "collapse", "margin", "r5", "rollout", "gates", "fault", "last"}


@pytest.mark.parametrize("reported", RECIPES + COLLAPSE, ids=lambda one: one["name"])
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
        ([0.394, 0.357, 0.357, 0.167], "epoch 2: 0.394 to 0.357, -9%; epoch 4: 0.357 to 0.167, -53%"),
        ([0.369, 0.173, 0.038, 0.022, -0.027], "epoch 2: 0.369 to 0.173, -53%"),
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


def test_metrics_that_are_not_known_are_dashes():
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


def metric(value):
    return {"value": value, "low": None, "high": None, "n": 9}


def judged(name, first):
    """A card, all of whose metrics differ: first, first + 1 and so on."""
    gates = {
        "A": {"passed": True, "VAL": {"margin": metric(first), "peak": first + 1}},
        "B": {"passed": True, "VAL": {"article": {"R@5": metric(first + 2)}}},
        "D": {"passed": False, "VAL": {"mean": metric(first + 3)}},
    }
    skill = {"VAL": {"F": metric(first + 4)}, "OOD": {"F": metric(first + 5)}}
    return {"name": name, "verdict": "release", "gates": gates, "skill": skill}


def test_every_metric_stands_in_its_own_column():
    reported = {"name": "X", "command": ["p1"], "fault": "none", "val_cosine": [0.25, math.nan, 0.5]}
    epochs = [{"val_cosine": 0.1, "sentinel": {"skill_cosine": metric(value)}} for value in (7, 8)]
    row = Row(reported, epochs, {"5cat": judged("X", 10), "skill": judged("X", 20) | {"verdict": "hold"}})
    scorecards = {
        "5cat": {"controls": [judged("control:bayes", 30)]},
        "skill": {"controls": [judged("control:bayes", 40) | {"verdict": "hold"}]},
    }
    lines = table([row], scorecards, "corpus", "size").splitlines()
    trained, gated, control = [line.split(" | ")[1:] for line in lines if line.startswith(("| X ", "| control:"))]
    assert trained == [".250 · .500", ".100 .100", "–", "none", "+8.000 |"]
    ours = ["+11", "–", "12.000", "–", "13.000", "–", "AB.", "release"]
    assert gated == ["–", "+10.000", *ours, "+24.000", "+25.000", "hold", "none |"]
    ours = ["+31", "–", "32.000", "–", "33.000", "–", "AB.", "release"]
    assert control == ["–", "+30.000", *ours, "+44.000", "+45.000", "hold", " |"]


@pytest.fixture
def commands(monkeypatch):
    """The commands that are run, each of which writes what the real one would; its exit code is in `codes`."""
    asked, codes = [], {"lvm-train": 0, "--profile=5cat": 1, "--profile=skill": 0}

    def written(command, **more):
        asked.append(command)
        key = next(key for key in codes if any(part.endswith(key) for part in command))
        if key == "lvm-train":
            folder = Path(command[command.index("--out") + 1])
            folder.mkdir(exist_ok=True)
            (folder / "training_history.json").write_text(json.dumps({"history": [{"epoch": 1, "val_cosine": 0.5}]}))
            for name in ("best_model.pt", "final_model.pt"):
                if not (folder / name).exists():
                    (folder / name).touch()
        else:
            (report,) = [Path(part.removeprefix("--report=")) for part in command if part.startswith("--report=")]
            models = [part.removeprefix("--model=") for part in command if part.startswith("--model=")]
            (corpus,) = [Path(part.removeprefix("--corpus=")) for part in command if part.startswith("--corpus=")]
            card = {
                "models": [judged(name, 1) for name in models],
                "controls": [],
                "arguments": {"given": command[3:]},
                "corpus": json.loads((corpus / "corpus.json").read_text()),
            }
            report.mkdir(exist_ok=True)
            (report / "scorecard.json").write_text(json.dumps(card))
        return CompletedProcess(command, codes[key])

    monkeypatch.setattr(subprocess, "run", written)
    return asked, codes


def reproduce(folder, *arguments):
    given = ["--corpus", str(folder), "--out", str(folder / "out"), "--only", "P1", "--only", "P4", *arguments]
    if not (folder / "corpus.json").exists():
        (folder / "corpus.json").write_text('{"fingerprint": "a1"}')
    return CliRunner().invoke(main, given)


def test_what_is_asked_of_a_row_reaches_the_commands(commands, tmp_path):
    asked, _ = commands
    result = reproduce(tmp_path, "--batch-size", "24", "--device", "cuda", "--max-samples", "77")
    assert result.exit_code == 0, result.output
    *trained, plain, skill = asked
    for command, recipe in zip(trained, ("p1", "p4"), strict=True):
        assert command[1] == recipe
        assert {"--batch-size=24", "--device=cuda"} <= set(command)
        assert "--resume" not in command
    models = [f"--model={tmp_path / 'out' / name / 'best_model.pt'}" for name in ("P1", "P4")]
    for command, profile in ((plain, "5cat"), (skill, "skill")):
        report = tmp_path / "out" / f"report-{profile}"
        assert command[4:] == [
            f"--corpus={tmp_path}", f"--profile={profile}", *models, "--max-samples=77", f"--report={report}", "-q"
        ]  # fmt: skip


def test_only_what_has_changed_is_gated_again(commands, tmp_path):
    asked, _ = commands
    assert reproduce(tmp_path).exit_code == 0
    first, last = (tmp_path / "out" / name / "best_model.pt" for name in ("P1", "P4"))
    os.utime(first, (0, 0))
    for seconds, gated in ((-60, 0), (60, 2)):  # by which the newest model is newer than the scorecards
        changed = (tmp_path / "out" / "report-5cat" / "scorecard.json").stat().st_mtime + seconds
        os.utime(last, (changed, changed))
        asked.clear()
        assert reproduce(tmp_path).exit_code == 0
        assert ["--resume" in command for command in asked] == [True, True, *[False] * gated]
    asked.clear()
    os.utime(last, (0, 0))
    assert reproduce(tmp_path, "--only", "V3").exit_code == 0
    assert sum("gates/" in command for command in asked) == 2, "a scorecard of fewer models is no answer"


def test_another_corpus_or_more_samples_are_gated_again(commands, tmp_path):
    asked, _ = commands
    for change in ([], ["--max-samples", "77"]):
        asked.clear()
        assert reproduce(tmp_path, *change).exit_code == 0
        assert sum("gates/" in command for command in asked) == 2
    (tmp_path / "corpus.json").write_text('{"fingerprint": "b2"}')
    asked.clear()
    assert reproduce(tmp_path, "--max-samples", "77").exit_code == 0
    assert sum("gates/" in command for command in asked) == 2


@pytest.mark.parametrize("named", [[], ["TRAIN_TEXT=a.npz b.npz", "OOD_TEXT=c.npz"]])
def test_one_command_makes_every_table(named):
    line = ["make", "-n", "--no-print-directory", "reproduced", *named]
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    commands = [shlex.split(one)[3:] for one in said.splitlines() if "-m ci.reproduce" in one]
    known = {option for parameter in main.params for option in parameter.opts}
    assert {word for command in commands for word in command if word.startswith("--")} <= known
    corpora = [command[command.index("--corpus") + 1] for command in commands]
    assert corpora == ["wiki-64", "wiki-768", *(["text"] if named else [])]
    assert ("No text was named" in said) == (not named)
    if named:
        texts = [word for option, word in itertools.pairwise(commands[-1]) if option == "--train-text"]
        assert texts == ["a.npz", "b.npz"]


def test_the_collapse_is_shown_epoch_by_epoch_and_its_last_epoch_gated(commands, tmp_path):
    """The corpus is made once, in --out."""
    asked, _ = commands
    given = ["--corpus", "wiki-64", "--out", str(tmp_path), "--terms"]
    given += ["--rows", str(ROOT / "ci" / "collapse.toml")]
    for _ in range(2):
        result = CliRunner().invoke(main, given)
        assert result.exit_code == 0, result.output
    corpus = (tmp_path / "corpora" / "wiki-64").resolve()
    assert result.output.count(str(corpus)) == 0, "made the first time"
    trained = [command for command in asked if command[1] == "p6b"]
    assert len(trained) == 4
    assert all(command[command.index("--corpus") + 1] == str(corpus) for command in trained)
    # Gated the first time only, both checkpoints of both rows in one session.
    gated = [command for command in asked if "gates/" in command]
    models = [part.removeprefix("--model=") for part in gated[0] if part.startswith("--model=")]
    assert len(gated) == 2
    rows = [tmp_path.resolve() / f"P6b-{version},-wide-enough" for version in ("v1", "v2")]
    assert models == [str(row / name) for row in rows for name in ("best_model.pt", "final_model.pt")]
    text = (tmp_path / "table.md").read_text()
    assert "| P6b v1, wide enough | 1 | 0.500 | – | – | – | – | – |" in text
    assert [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| P6b v1")] == [
        "| P6b v1, wide enough", "| P6b v1, wide enough", "| P6b v1, wide enough", "| P6b v1, wide enough, last epoch"
    ]  # fmt: skip


def test_by_epoch_has_a_line_an_epoch():
    terms = {"previous_cosine": -0.25, "lambda": 0.6, "direction": 0.0042, "mse": 0.0156}
    record = {"epoch": 3, "val_cosine": 0.05, **{f"train_loss.{name}": value for name, value in terms.items()}}
    line = by_epoch([Row({"name": "X"}, [record | {"sentinel": {"rank_ratio": 0.5}}], {})]).splitlines()[-1]
    assert line == "| X | 3 | 0.050 | -0.250 | 0.6000 | 0.0042 | 0.0156 | 0.50 |"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    return [synthesise("arrow", folder / name, articles=n, dim=8, seed=n).path for name, n in (("a", 10), ("b", 21))]


def test_text_is_joined_as_the_page_says(texts, tmp_path):
    """Of 10 and 21 articles, or of the 500 and 728 of Brown and the PEPs."""
    made = corpus_folder("text", tmp_path, [texts[0]], [texts[1]])
    corpus = open_corpus(made)
    assert [len(corpus.articles(split)) for split in ("TRAIN", "VAL", "OOD")] == [3, 1, 21]
    whole = open_corpus(texts[1])
    np.testing.assert_allclose(corpus.vectors(corpus.rows_of(corpus.articles("OOD"))), whole.vectors(
        np.arange(len(whole.stored))), atol=1e-3)  # fmt: skip
    stamp = (made / "corpus.json").stat().st_mtime_ns
    assert corpus_folder("text", tmp_path, [texts[0]], [texts[1]]) == made
    assert (made / "corpus.json").stat().st_mtime_ns == stamp
    assert (round(0.3 * 1228), round(0.4 * 1228) - round(0.3 * 1228)) == (368, 123)


@pytest.mark.parametrize(
    ("named", "train", "said"),
    [
        ("text", [], "--corpus text: give embedded text by --train-text"),
        ("absent", [], "--corpus absent: is no folder and none of wiki-768, wiki-64, text"),
        ("wiki-64", [Path("a")], "are for --corpus text"),
    ],
)
def test_a_corpus_that_cannot_be_made_is_refused(tmp_path, named, train, said):
    with pytest.raises(click.UsageError, match=said):
        corpus_folder(named, tmp_path, train, [])


def test_a_row_that_is_not_there_is_refused(tmp_path):
    result = reproduce(tmp_path, "--only", "P6c")
    assert result.exit_code == 2
    assert "--only P6c: no such row; Known: NEXT token, P1" in result.output


@pytest.mark.parametrize(("command", "code"), [("lvm-train", 1), ("--profile=5cat", 2), ("--profile=skill", 4)])
def test_a_command_that_fails_is_told_and_makes_no_table(commands, tmp_path, command, code):
    _, codes = commands
    codes[command] = code
    result = reproduce(tmp_path)
    assert result.exit_code == 1
    assert f"exit code {code}; see" in result.output
    assert not (tmp_path / "out" / "table.md").exists()
