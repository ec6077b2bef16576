"""Who cuts what is asked into batches: `ask`, and nobody else; and what is scored at once stays bounded."""

import tracemalloc

import numpy as np
import pytest

from lvm_gates.harness.evaluation.candidates import Ranking
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.harness.predictors.checkpoint import save_checkpoint
from lvm_gates.models.registry import build


class LastFrame:
    def __init__(self):
        self.asked = []

    def predict(self, contexts):
        self.asked.append(len(contexts))
        return contexts[:, -1]


@pytest.fixture(scope="module")
def evaluation(make_corpus, make_set):
    return make_set(make_corpus([310, 310], dim=8), context=3, horizon=1)


@pytest.mark.parametrize("batch_size", [100, 256, 300, 10_000])
def test_a_predictor_is_asked_for_as_many_as_were_allowed(evaluation, as_named, batch_size):
    predictor = LastFrame()
    observe(as_named(predictor), evaluation, batch_size=batch_size, ablations=False)
    assert len(evaluation.windows) == 614
    assert max(predictor.asked) == min(batch_size, 614)
    assert predictor.asked.count(batch_size) == 614 // batch_size, "no batch is cut short but the last"


def test_a_checkpoint_reads_as_many_at_once_as_were_allowed(evaluation, tmp_path):
    of_no_interest = {"epoch": 1, "val_loss": 0.0, "val_cosine": 0.0, "args": {}, "recipe": "p1", "corpus": {}}
    save_checkpoint(
        tmp_path / "m.pt",
        model_type="gru",
        model_state=build("gru", input_dim=8, output_dim=8, width=8).state_dict(),
        model_config={"width": 8},
        optimizer_state={},
        context=3,
        dim=8,
        **of_no_interest,
    )
    named, read = load_named(str(tmp_path / "m.pt")), []
    named.predictor.module.register_forward_pre_hook(lambda module, given: read.append(len(given[0])))
    observe(named, evaluation, batch_size=300, ablations=False)
    assert max(read) == 300


def test_what_is_ranked_at_once_does_not_grow_with_the_windows(make_corpus, make_set):
    """3,000 windows against a bank of 3,000 chunks would be 72 MB in one matrix of similarities."""
    evaluation = make_set(make_corpus([1503, 1503], dim=4), context=3)
    predictions = np.asarray(evaluation.windows.target_vectors(), dtype=np.float64)
    evaluation.bank.vectors  # noqa: B018 - kept, once they are made
    tracemalloc.start()
    try:
        ranks = Ranking(evaluation.windows, evaluation).ranks(predictions)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (ranks.rank == 1).all()
    assert peak < 40e6
