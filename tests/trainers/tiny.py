"""Runs small enough for a test: a network of 16, as a recipe, as a configuration and as typed."""

import json

import torch
from click.testing import CliRunner

from lvm_gates.trainers.cli import main
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.objective import weighted
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.training_settings import Rate, Training

SIZES = {"width": 16, "depth": 1, "heads": 2}
RECIPE = Recipe(objective=weighted(), model=SIZES)
TRAINING = Training(rate=Rate(patience=0))
# Without a sentinel, which costs more than an epoch here.
CONFIG = RunConfig(recipe="test", context=3, epochs=3, batch_size=16, lr=0.02, training=TRAINING, sentinel="off")
# A champion has no layers.
GATES = ["--width", "16", "--context", "3", "--heads", "2"]
# Of recipes without attention.
FLAT = ["--width", "16", "--layers", "1", "--context", "3"]
SMALL = ["--width", "16", "--layers", "1", "--heads", "2", "--context", "3"]


def sizes_of(recipe):
    """Options that make a recipe small."""
    return {"champion": GATES, "sentence-lm": FLAT, "cpc": FLAT}.get(recipe, SMALL)


def has_published(recipe):
    """Whether there was original code of it that did something else."""
    command = main.commands.get(recipe)
    return command is not None and any(option.name == "as_published" for option in command.params)


def lvm_train(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def trained(*arguments):
    """The same, and it must succeed."""
    result = lvm_train(*arguments)
    assert result.exit_code == 0, f"{result.output}{result.exception!r}"
    return result


def history(folder):
    return json.loads((folder / "training_history.json").read_text())["history"]


def weights(folder, name="final_model.pt"):
    return torch.load(folder / name, weights_only=True)


def assert_same(a, b):
    """Equal to the last bit, whatever the nesting."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


def same_weights(a, b):
    """Whether two state dicts are equal to the last bit; they must name the same weights."""
    assert a.keys() == b.keys()
    return all(torch.equal(a[key], b[key]) for key in a)
