"""No step reads a value back: on an accelerator each reading would wait for all that was asked of it before."""

from contextlib import contextmanager

import pytest
import torch
from steps import build
from tiny import has_published
from torch.optim import AdamW
from waiting import Waiting

from lvm_gates.harness.predictors.architectures import build as build_network
from lvm_gates.trainers import epoch as epoch_module
from lvm_gates.trainers.batches import training_windows
from lvm_gates.trainers.cli import main
from lvm_gates.trainers.epoch import Run, train_epoch
from lvm_gates.trainers.network import Network
from lvm_gates.trainers.start import model_config_of
from lvm_gates.trainers.step_log import READ_EVERY, StepLog

RECIPES = [[name] for name in sorted(main.commands) if name != "grid"]
RECIPES += [[*one, "--as-published"] for one in RECIPES if has_published(one[0])]
RECIPES += [["p6b", "--version", version] for version in ("v1", "v2", "v2.1", "v2.2", "v2.3")]
RECIPES += [["p6", "--network", "next-token"], ["p7", "--option", "anchor"]]
LATE = 12


@contextmanager
def watched(monkeypatch):
    """Everything that a step does."""
    seen, descend = Waiting(), epoch_module._descend

    def step(*given):
        with seen:
            descend(*given)

    monkeypatch.setattr(epoch_module, "_descend", step)
    yield seen.found


def run_of(monkeypatch, corpus, arguments):
    config, recipe = build(monkeypatch, corpus, *arguments, "--batch-size", "2")
    torch.manual_seed(0)
    model = build_network(recipe.model_type, **model_config_of(recipe, corpus.dim))
    if recipe.tune is not None:
        recipe.tune(model, LATE)
    windows = training_windows(corpus, config.context, recipe.needs.target)[0]
    optimizer = AdamW(model.parameters(), lr=1e-3, fused=True)
    return Run(config, recipe, model, optimizer, windows, torch.device("cpu"), Network(model))


@pytest.mark.parametrize("arguments", RECIPES, ids=" ".join)
def test_no_step_waits_for_the_device(corpus, monkeypatch, arguments):
    """Of every recipe, in an epoch in which all its terms are on."""
    run = run_of(monkeypatch, corpus, arguments)
    with watched(monkeypatch) as found:
        train_epoch(run, LATE, run.windows.take(slice(0, 8)), lambda *_: None, auxiliary=True)
    assert not found


def test_the_watch_sees_one_that_does(corpus, monkeypatch):
    run = run_of(monkeypatch, corpus, ["p3"])
    object.__setattr__(run.recipe, "augment", lambda context, epoch: context * float(context.sum() > -99))
    with watched(monkeypatch) as found:
        train_epoch(run, LATE, run.windows.take(slice(0, 8)), lambda *_: None, auxiliary=True)
    assert found == ["aten::_local_scalar_dense"] * 4


def test_the_log_is_read_every_so_many_steps(corpus, monkeypatch):
    run, read, ticks = run_of(monkeypatch, corpus, ["p1"]), [], []
    counted = StepLog.read
    monkeypatch.setattr(StepLog, "read", lambda log: read.append(counted(log)) or read[-1])
    windows = run.windows.take(slice(0, 2 * (2 * READ_EVERY + 3)))
    train_epoch(run, 1, windows, lambda *given: ticks.append(given[0]), auxiliary=True)
    assert read == ticks == [READ_EVERY, READ_EVERY, 3]
