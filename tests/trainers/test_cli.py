"""`lvm-train` as typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import SMALL, history, lvm_train, trained, weights

from lvm_gates.harness.predictors.checkpoint import load_checkpoint
from lvm_gates.trainers.cli import main
from lvm_gates.trainers.declared import Settings
from lvm_gates.trainers.settings import NoSettings
from lvm_gates.trainers.training_settings import Training

RECIPES = [name for name in main.commands if name != "grid"]
ONE_EPOCH = [*SMALL, "--epochs", "1"]


def test_help_does_not_wait_for_torch():
    """Importing the commands and asking every one of them for help."""
    code = (
        "import sys; from click.testing import CliRunner; from lvm_gates.trainers.cli import main\n"
        "for name in main.commands:\n"
        "    assert CliRunner().invoke(main, [name, '--help']).exit_code == 0\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["p1", "--help"]])
def test_help(arguments):
    output = trained(*arguments).output
    assert "p1" in output


@pytest.mark.parametrize("recipe", RECIPES)
def test_help_says_what_every_option_does_by_default(recipe):
    output = " ".join(trained(recipe, "--help").output.split())
    for option in ("--corpus", "--out", "--epochs", "--select", "--sentinel", "--precision", "--resume", "--overwrite"):
        assert option in output
    assert f"runs/{recipe}" in output
    assert ("as documented" if recipe == "p7" else "[default: ") in output


def test_p1_is_the_documented_recipe():
    assert main.commands["p1"].make_context("p1", []).params == {
        "corpus": None,
        "out": Path("runs") / "p1",
        "epochs": 5,
        "batch_size": 64,
        "lr": 5e-4,
        "context": 5,
        "seed": 0,
        "select": "val_cos",
        "sentinel": "watch",
        "precision": "auto",
        "device": "cpu",
        "threads": None,
        "checkpoint_every": None,
        "width": 512,
        "layers": 4,
        "heads": 8,
        "resume": False,
        "overwrite": False,
        "settings": Settings(NoSettings(), Training()),
    }


def test_p1_trains_and_says_so(corpus, tmp_path):
    options = ["p1", "--corpus", corpus.path, "--out", tmp_path / "run", *ONE_EPOCH]
    result = trained(*options)
    first, *rest = result.output.splitlines()
    number = r"[-+]?\.\d{3}"
    metrics = rf"epoch 1/1: loss \d\.\d\de-\d\d cos {number}, val cos {number} vs-last {number} lift {number}, \d+ s"
    assert re.fullmatch(metrics, first)
    assert len(first) <= 80
    assert all(line.startswith("sentinel: ") for line in rest)
    checkpoint = load_checkpoint(tmp_path / "run" / "best_model.pt")
    assert checkpoint.metadata["recipe"] == "p1"
    assert checkpoint.metadata["model_config"] == {
        "input_dim": 8,
        "output_dim": 8,
        "width": 16,
        "depth": 1,
        "heads": 2,
    }
    again = lvm_train(*options)
    assert (again.exit_code, again.output.count("\n")) == (1, 1)
    assert again.output.startswith("Error: ")
    more = trained(*options, "--resume", "--epochs", "2")
    assert more.output.startswith("epoch 2/2: ")


def test_a_recipes_options_are_recorded_and_the_runs_are_not_among_them(corpus, tmp_path):
    trained("p7", "--corpus", corpus.path, "--out", tmp_path, *ONE_EPOCH, "--margin", "0.2", "--option", "anchor")
    args = weights(tmp_path)["args"]
    assert args["options"] == {
        "option": "anchor",
        "network": "ranker",
        "margin": 0.2,
        "temperature": 0.07,
        "anchor_share": None,
        "as_published": False,
        "width": 16,
        "layers": 1,
        "heads": 2,
    }
    assert (args["recipe"], args["context"], args["epochs"], args["select"]) == ("p7", 3, 1, "last-margin")


@pytest.mark.parametrize("mode", ["off", "watch", "act"])
def test_the_sentinel_is_in_the_history_unless_it_is_off(corpus, tmp_path, mode):
    trained("p1", "--corpus", corpus.path, "--out", tmp_path, *ONE_EPOCH, "--sentinel", mode)
    (record,) = history(tmp_path)
    assert ("sentinel" in record) == (mode != "off")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["p1", "--corpus", "absent"], 1, "Error: absent: no such corpus folder"),
        (["p1", "--epochs", "0"], 2, "--epochs"),
        (["p1", "--lr", "0"], 2, "--lr"),
        (["p1", "--seed", "-1"], 2, "--seed"),
        (["p1", "--resume", "--overwrite"], 2, "--resume and --overwrite exclude each other"),
        (["p1", "--select", "skill", "--sentinel", "off"], 2, "--select skill asks the sentinel; give --sentinel"),
        (["p1", "--select", "margin", "--sentinel", "off"], 2, "--select margin asks the sentinel; give --sentinel"),
        (["p1", "--lr", "nan"], 2, "nan is not a finite number; give one"),
        (["p1", "--lr", "inf"], 2, "inf is not a finite number; give one"),
        (["p7", "--margin", "nan"], 2, "nan is not a finite number; give one"),
        (["p7", "--temperature", "nan"], 2, "nan is not a finite number; give one"),
        (["p7", "--anchor-share", "nan"], 2, "nan is not a finite number; give one"),
        (["p7", "--network", "ranker-lstm", "--heads", "4"], 2, "--heads has no effect beside --network ranker-lstm"),
        (["p1", "--select", "loss"], 2, "'loss' is not one of"),
        (["p6b", "--version", "v3"], 2, "'v3' is not one of"),
        (["p7", "--anchor-share", "1.5"], 2, "--anchor-share"),
        (["p9"], 2, "No such command 'p9'"),
    ],
)
def test_mistakes(arguments, code, said):
    result = lvm_train(*arguments)
    assert result.exit_code == code
    assert said in result.output


def test_a_users_mistake_is_one_sentence(corpus, tmp_path):
    for extra in (["--device", "gpu"], ["--width", "10", "--heads", "4"], ["--context", "99"]):
        result = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *ONE_EPOCH, *extra)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert result.output.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_no_train_split(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path / "c", ["VAL"])
    result = lvm_train("p1", "--corpus", corpus.path, "--out", tmp_path / "run", *ONE_EPOCH)
    assert result.exit_code == 1
    assert "has no TRAIN articles" in result.output
