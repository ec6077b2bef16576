"""`lvm-train` as typed."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.checkpoint import load_checkpoint
from trainers.cli import main

SMALL = ["--width", "16", "--layers", "1", "--heads", "2", "--context", "3", "--epochs", "1"]


def lvm_train(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_does_not_wait_for_torch():
    code = "import sys, trainers.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["p1", "--help"]])
def test_help(arguments):
    result = lvm_train(*arguments)
    assert result.exit_code == 0
    assert "p1" in result.output


def test_p1_is_the_documented_recipe():
    assert main.commands["p1"].make_context("p1", []).params == {
        "corpus": None,
        "out": Path("runs") / "p1",
        "epochs": 5,
        "batch_size": 64,
        "lr": 5e-4,
        "context": 5,
        "seed": 0,
        "device": "cpu",
        "threads": None,
        "width": 512,
        "layers": 4,
        "heads": 8,
        "resume": False,
        "overwrite": False,
    }


def test_p1_trains_and_says_so(corpus, tmp_path):
    result = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("epoch 1/1: train loss")
    assert "cosine" in result.output
    assert len(result.output.splitlines()) == 1
    checkpoint = load_checkpoint(tmp_path / "run" / "best_model.pt")
    assert checkpoint.metadata["recipe"] == "p1"
    assert checkpoint.metadata["model_config"] == {
        "input_dim": 8,
        "output_dim": 8,
        "width": 16,
        "depth": 1,
        "heads": 2,
    }
    again = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL)
    assert (again.exit_code, again.output.count("\n")) == (1, 1)
    assert again.output.startswith("Error: ")
    more = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL, "--resume", "--epochs", "2")
    assert more.exit_code == 0
    assert more.output.startswith("epoch 2/2: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["p1", "--corpus", "absent"], 1, "Error: absent: no such corpus folder"),
        (["p1", "--epochs", "0"], 2, "--epochs"),
        (["p1", "--lr", "0"], 2, "--lr"),
        (["p1", "--seed", "-1"], 2, "--seed"),
        (["p1", "--resume", "--overwrite"], 2, "--resume and --overwrite exclude each other"),
        (["p9"], 2, "No such command 'p9'"),
    ],
)
def test_mistakes(arguments, code, said):
    result = lvm_train(*arguments)
    assert result.exit_code == code
    assert said in result.output


def test_a_users_mistake_is_one_sentence(corpus, tmp_path):
    for extra in (["--device", "gpu"], ["--width", "10", "--heads", "4"], ["--context", "99"]):
        result = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL, *extra)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert result.output.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_no_train_split(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path / "c", ["VAL"])
    result = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "has no TRAIN articles" in result.output
