"""What the training loop costs beyond its network, and what the sentinel costs beside it. See `test_latency`."""

import numpy as np
import pytest
import torch
from torch.optim import AdamW

from lvm_gates.harness.corpus import corpus as corpus_module
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.harness.worlds.world import synthesise
from lvm_gates.models.registry import build
from lvm_gates.trainers import batches
from lvm_gates.trainers.ahead import AHEAD, made_ahead
from lvm_gates.trainers.batches import Gatherer
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.epoch import Run, train_epoch
from lvm_gates.trainers.losses import mse_loss
from lvm_gates.trainers.network import Network
from lvm_gates.trainers.objective import weighted
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.sentinel import Sentinel
from lvm_gates.trainers.watch import SHARE

CONTEXT, BATCH, WINDOWS = 5, 64, 5000


@pytest.fixture
def training(tmp_path, monkeypatch):
    """A run about to train on 5,000 windows of 384 dimensions."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "cache"))
    corpus = synthesise("wiki", tmp_path / "corpus", articles=160, dim=384)
    windows = windows_of(corpus, corpus.articles("TRAIN"), CONTEXT).take(slice(0, WINDOWS))
    torch.manual_seed(0)
    model = build("transformer", input_dim=384, output_dim=384, width=128, depth=2, heads=4)
    optimizer = AdamW(model.parameters(), lr=1e-4, fused=True)
    config = RunConfig(recipe="benchmark", epochs=1, batch_size=BATCH, context=CONTEXT)
    return Run(config, Recipe(objective=weighted()), model, optimizer, windows, torch.device("cpu"), Network(model))


def test_train_epoch(training, time_ratio):
    """Gathering from the corpus, checks and bookkeeping, against forward, backward and step on batches in memory."""
    some = training.windows.take(slice(0, 10 * BATCH))
    gatherer = Gatherer(Needs(), training.device, np.random.default_rng(0), some.targets)
    ready = list(gatherer.batches(some, np.arange(len(some)), BATCH))

    def bare():
        training.model.train()
        for batch in ready:
            training.optimizer.zero_grad()
            mse_loss(training.model.raw(batch.context), batch.target).backward()
            training.optimizer.step()

    time_ratio(lambda: train_epoch(training, 1, some, lambda *_: None, auxiliary=True), bare, rounds=12)


@pytest.fixture
def _on_disk(monkeypatch):
    """As a corpus of the original size is: embeddings are read, widened and scaled as they are asked for."""
    monkeypatch.setattr(corpus_module, "KEPT_NUMBERS", 0)


@pytest.mark.usefixtures("_on_disk")
def test_train_loop(training, time_ratio):
    """The loop from the disk against a plain one over all windows in memory, which takes its batches from there."""
    some = training.windows.take(slice(0, 10 * BATCH))
    contexts, targets = (
        torch.from_numpy(training.windows.contexts()),
        torch.from_numpy(training.windows.target_vectors()),
    )

    def plain():
        training.model.train()
        for chosen in torch.randperm(len(some)).split(BATCH):
            training.optimizer.zero_grad()
            mse_loss(training.model.raw(contexts[chosen]), targets[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(training.model.parameters(), 1.0)
            training.optimizer.step()

    time_ratio(lambda: train_epoch(training, 1, some, lambda *_: None, auxiliary=True), plain, rounds=12)


@pytest.mark.usefixtures("_on_disk")
def test_gathered_ahead(training, time_ratio, monkeypatch):
    """Batches gathered by a thread while the network works, against batches gathered in between."""
    some = training.windows.take(slice(0, 10 * BATCH))

    def epoch(depth):
        with monkeypatch.context() as patch:
            patch.setattr(batches, "made_ahead", lambda make, given, _: made_ahead(make, given, depth))
            train_epoch(training, 1, some, lambda *_: None, auxiliary=True)

    time_ratio(lambda: epoch(AHEAD), lambda: epoch(0), rounds=12)


def test_sentinel(training, time_ratio):
    """A look at as many windows as a run of 5,000 gives it, against the epoch it follows; .05 is what is allowed."""
    watch = Sentinel(training.windows.corpus, CONTEXT, windows=int(SHARE * WINDOWS))

    def look():
        training.model.eval()
        watch.look(TorchPredictor("benchmark", training.model, 384, training.device), 1)

    def epoch():
        train_epoch(training, 1, training.windows, lambda *_: None, auxiliary=True)

    time_ratio(look, epoch, rounds=7, runs=(20, 1))
