"""What the engine costs beyond the arithmetic it cannot do without. No assertion here depends on time.

Each benchmark is a ratio to a bare operation of the same process; `make benchmark` compares the ratios with
``ci/benchmarks/baseline.json``.
"""

import numpy as np
import pytest
import torch
from chunks import CONTEXT, HORIZON, random_units
from torch.utils.flop_counter import FlopCounterMode

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.evaluation.candidates import Ranking
from lvm_gates.harness.evaluation.evaluation_set import BANK_SIZE
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.harness.rivals import Basis, family_of, score_rivals
from lvm_gates.models.registry import build

# Intact, shuffled, reversed, C times leave-one-out, last repeated, foreign last, and horizons 2 to H.
FORWARD_PASSES = 1 + 2 + CONTEXT + 2 + HORIZON - 1


def network(dim, **sizes):
    torch.manual_seed(0)
    module = build("transformer", input_dim=dim, output_dim=dim, **sizes).eval()
    return TorchPredictor("benchmark", module, dim, torch.device("cpu"))


@pytest.mark.parametrize("batch", [1, 64], ids=["B=1", "B=64"])
def test_predict(batch, time_ratio):
    """The original transformer against one product of equal FLOPs, as many rows, and as many weights to read."""
    predictor = network(768)
    contexts = random_units(batch * CONTEXT, 768).reshape(batch, CONTEXT, 768)
    with FlopCounterMode(display=False) as counter:
        predictor.predict(contexts)
    left = torch.randn(batch * CONTEXT, 512)
    right = torch.randn(512, counter.get_total_flops() // (2 * left.numel()))
    time_ratio(lambda: predictor.predict(contexts), lambda: left @ right, rounds=60 if batch == 1 else 12)


@pytest.mark.parametrize("kind", ["control", "transformer"])
def test_observe(kind, evaluation, time_ratio):
    """An evaluation pass against the bare forward passes in it: offsets, ablations, ranks and checks are the rest."""
    dim = 384
    predictor = Ewma(0.8) if kind == "control" else network(dim, width=128, depth=2, heads=4)
    judged_on = evaluation(50, 40, dim, 256)
    contexts = judged_on.windows.contexts()
    named = NamedPredictor(Identity("benchmark"), predictor)

    def bare():
        for _ in range(FORWARD_PASSES):
            predictor.predict(contexts)

    # The forward passes of a control are so short that twelve times as many last as long as one evaluation pass.
    rounds, runs = (15, (1, 12)) if kind == "control" else (7, (1, 1))
    time_ratio(lambda: observe(named, judged_on, batch_size=256), bare, rounds=rounds, runs=runs)


def test_rank_global(evaluation, time_ratio):
    """Exact ranks of 256 targets against a full bank, ties and duplicates included, against its bare product."""
    judged_on = evaluation(BANK_SIZE // 20, 20, 384, 256)
    predictions = unit(np.random.default_rng(1).standard_normal((256, 384)))
    bank = judged_on.bank.vectors

    def ranked():
        return Ranking(judged_on.windows, judged_on).ranks(predictions)

    time_ratio(ranked, lambda: predictions @ bank.T, rounds=15, runs=(1, 2))


def test_rivals(evaluation, time_ratio):
    """All 700 rivals of profile `skill` against one control that is asked the ordinary way, with its ablations."""
    judged_on = evaluation(40, 120, 384, 512)
    basis = Basis(random_units(1, 384)[0].astype(np.float64))
    control = NamedPredictor(Identity("benchmark"), Ewma(0.8))
    time_ratio(
        lambda: score_rivals(judged_on, family_of(CONTEXT), basis),
        lambda: observe(control, judged_on, batch_size=256),
        rounds=9,
        runs=(1, 2),
    )


def test_open_npz(tmp_path, time_ratio):
    """A corpus of 100,000 chunks, mapped and checked, against reading the arrays of the same file."""
    file = tmp_path / "articles.npz"
    chunks, length = 100_000, 50
    index = np.arange(chunks)
    np.savez(file, embeddings=random_units(chunks, 384), article_indices=index // length, chunk_indices=index % length)

    def load():
        with np.load(file, allow_pickle=False) as stored:
            return [stored[name] for name in stored.files]

    time_ratio(lambda: read_articles(file), load, rounds=10, runs=(20, 1))
