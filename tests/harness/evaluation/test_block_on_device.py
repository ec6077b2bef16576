"""A session on an accelerator finds what one on the CPU finds: here with torch on ``cpu``, and on ``meta``."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from waiting import Waiting

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation import block_on_device, collapse, evaluation_set
from lvm_gates.harness.evaluation import observe as observe_module
from lvm_gates.harness.evaluation.block_on_device import BlockOnDevice, SplitOnDevice
from lvm_gates.harness.evaluation.named_bank import with_bank
from lvm_gates.harness.evaluation.observe import joined, observe, observe_share, observe_together, share_of
from lvm_gates.harness.evaluation.ranks_on_device import units
from lvm_gates.harness.predictors.predictor import accelerator_of
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.registry import build

DIRECTIONS = np.array([v for v in itertools.product([-1, 0, 1], repeat=3) if any(v)], dtype=np.float64)
CPU, META = torch.device("cpu"), torch.device("meta")
EXACT = {"rows", "clusters", "offset_exists", "rank", "pool_size", "cross_exists", "rollout_exists", "finite"}
EXACT |= {"spread", "target_spread", "rank_without"}  # of the same predictions, by the same code


class Own(NextEmbedding):
    def __init__(self, raw):
        super().__init__()
        self.answer = raw

    def raw(self, x):
        return self.answer(x)

    @classmethod
    def config_from(cls, state, config=None):
        return {}


def last(x):
    """As alike to a chunk as to its mirror image: ties by the dozen."""
    return x[:, -1]


def weighted(x):
    return (x * torch.arange(1.0, x.shape[1] + 1.0)[:, None]).sum(1)


def lost(x):
    """Has no direction, in one of three ways, where a coordinate of the last frame is 0."""
    found = torch.where(last(x)[:, :1] == 0.0, torch.nan, last(x))
    found = torch.where(last(x)[:, 1:2] == 0.0, torch.inf, found)
    return torch.where(last(x)[:, 2:] == 0.0, 0.0, found)


def own(raw, dim, device=CPU):
    return TorchPredictor("own", Own(raw), dim, device)


def gru(dim):
    torch.manual_seed(0)
    return TorchPredictor("gru", build("gru", input_dim=dim, output_dim=dim, width=8).eval(), dim, CPU)


@pytest.fixture(scope="module")
def both(as_named):
    """Observations by numpy, and by torch on the device ``cpu``."""

    def observe_both(predictor, evaluation, **given):
        expected = observe(as_named(predictor), evaluation, **given)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(observe_module, "accelerator_of", lambda predictors: CPU)
            patch.setattr(observe_module, "observe_block", None)
            return expected, observe(as_named(predictor), evaluation, **given)

    return observe_both


def assert_same(expected, found):
    arrays = found.arrays()
    for name, values in expected.arrays().items():
        if name in EXACT:
            np.testing.assert_array_equal(arrays[name], values, err_msg=name)
        else:
            np.testing.assert_allclose(arrays[name], values, rtol=0, atol=1e-12, err_msg=name)
        assert arrays[name].dtype == values.dtype, name


@given(
    lengths=st.lists(st.integers(3, 9), min_size=1, max_size=3),
    context=st.integers(1, 4),
    horizon=st.integers(1, 4),
    raw=st.sampled_from([last, weighted, lost]),
    ablations=st.booleans(),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 30)),
    data=st.data(),
)
def test_windows_at_ends_ties_equal_chunks_and_missing_predictions(
    make_corpus, make_set, both, lengths, context, horizon, raw, ablations, sizes, data
):
    total = sum(lengths)
    chosen = data.draw(st.lists(st.integers(0, 25), min_size=total, max_size=total))
    jumps = data.draw(st.dictionaries(st.integers(0, total), st.just(3), max_size=2))
    corpus = make_corpus(lengths, vectors=unit(DIRECTIONS[chosen]), jumps=jumps)
    evaluation = make_set(corpus, context=context, horizon=horizon)
    if not len(evaluation.windows):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_on_device, "SCAN_ROWS", sizes[0])
        patch.setattr(observe_module, "CHUNK", sizes[1])
        assert_same(*both(own(raw, 3), evaluation, batch_size=sizes[0], ablations=ablations))


@pytest.mark.parametrize("asked", [None, "20", "all"])
def test_a_network_in_a_bank_smaller_than_the_split_in_one_that_streams_and_with_an_interval(
    make_corpus, make_set, both, monkeypatch, asked
):
    monkeypatch.setattr(evaluation_set, "BANK_SIZE", 30)
    monkeypatch.setattr(observe_module, "CHUNK", 16)
    monkeypatch.setattr(collapse, "RANK_SAMPLE", 25)
    corpus = make_corpus([40, 1, 25, 30], dim=8, splits=["VAL", "VAL", "OOD", "VAL"], jumps={50: 2}, copies={9: 70})
    evaluation = with_bank(make_set(corpus, context=4), asked)
    assert_same(*both(gru(8), evaluation, batch_size=8, rank_interval=True))


def test_processes_that_share_the_windows(make_corpus, make_set, as_named, monkeypatch):
    monkeypatch.setattr(observe_module, "CHUNK", 8)
    evaluation, named = make_set(make_corpus([20, 17], dim=8)), as_named(gru(8))
    expected = observe(named, evaluation, batch_size=8)
    monkeypatch.setattr(observe_module, "accelerator_of", lambda predictors: CPU)
    shares = [share_of(evaluation, 8, rank, 3) for rank in range(3)]
    parts = [observe_share([named], evaluation, share, batch_size=8) for share in shares]
    assert_same(expected, joined([part for (part,) in parts], evaluation, rank_interval=False))


def test_one_that_works_in_place_spoils_nothing(make_corpus, make_set, both):
    def spoiling(x):
        x[:, 1:] *= -1.0
        return x.sum(1)

    assert_same(*both(own(spoiling, 8), make_set(make_corpus([20, 15], dim=8)), batch_size=1))


def test_unit_vectors_are_those_of_numpy():
    rows = np.array([[3, 4], [np.inf, 1], [np.nan, 1], [0, 0], [1e-40, 0], [-1e38, 1e38]], dtype=np.float32)
    np.testing.assert_allclose(units(torch.from_numpy(rows)).numpy(), unit(rows), rtol=0, atol=1e-15)


def test_several_at_once_and_their_predictions(make_corpus, make_set, as_named, monkeypatch):
    evaluation = make_set(make_corpus([20, 15], dim=8))
    named, alone, together = [as_named(gru(8)), as_named(own(weighted, 8))], [], []
    for one in named:
        observe(one, evaluation, batch_size=16, predictions=alone)
    monkeypatch.setattr(observe_module, "accelerator_of", lambda predictors: CPU)
    observe_together(named, evaluation, batch_size=16, predictions=together)
    np.testing.assert_array_equal(together, alone)


def test_a_network_that_breaks_is_one_sentence(make_corpus, make_set, as_named, monkeypatch):
    monkeypatch.setattr(observe_module, "accelerator_of", lambda predictors: CPU)
    evaluation = make_set(make_corpus([20], dim=8))

    def too_long(x):
        raise ValueError("it has 2 positions")

    with pytest.raises(UserError, match="reads embeddings of 6 dimensions, but the corpus has 8"):
        observe(as_named(own(torch.nn.Linear(6, 6), 8)), evaluation, batch_size=16)
    with pytest.raises(UserError, match=r"^own: it has 2 positions; use a shorter context"):
        observe(as_named(own(too_long, 8)), evaluation, batch_size=16)
    with pytest.raises(UserError, match=r"returned torch.float32 of shape \(16, 3, 8\)"):
        observe(as_named(SimpleNamespace(predict=torch.clone, predict_tensor=torch.clone)), evaluation, batch_size=16)


@pytest.mark.parametrize("ablations", [True, False])
def test_chunks_go_up_once_and_nothing_returns_before_all_is_done(
    make_corpus, make_set, as_named, monkeypatch, ablations
):
    evaluation, sent = make_set(make_corpus([60, 60], dim=32), context=5, horizon=5), []
    upload = block_on_device.uploaded
    monkeypatch.setattr(block_on_device, "uploaded", lambda one, device: sent.append(one.nbytes) or upload(one, device))
    split = SplitOnDevice(evaluation, META)
    assert sent.pop() == 120 * 32 * 4, "the bank, once a split"
    block = BlockOnDevice(split, evaluation.windows, ablations)
    n, chunks = len(evaluation.windows), 120 * 32 * 4
    rows = 8 * (n * (5 + 45 * ablations + 7 + 5) + int(block._around.ahead_exists.sum()))
    candidates = 8 * (120 + sum(2 * len(pairs.window) for q in block._questions for pairs in q.barred))
    assert sum(sent) == chunks + rows + candidates + 8 * n * (1 + 1 + 2)
    sent.clear()
    # From ``meta`` nothing can be read.
    predictions, columns = block.measured(as_named(own(last, 32, META)), 64)
    assert sent == []
    assert {one.device for one in (predictions, *columns)} == {META}
    assert [one[0].numel() for one in columns] == [1, 1, 1, 1, 7, 9 * ablations, 5, 6]


def test_everything_on_cpu_waits_for_nothing(make_corpus, make_set, as_named):
    evaluation = make_set(make_corpus([30, 9], dim=8))
    block = BlockOnDevice(SplitOnDevice(evaluation, CPU), evaluation.windows, True)
    with Waiting() as waiting:
        block.measured(as_named(gru(8)), 16)
    assert not waiting.found


def test_who_is_asked_on_an_accelerator(as_named):
    def at(*devices):
        return accelerator_of([as_named(own(last, 8, torch.device(one))) for one in devices])

    assert at("cuda:1") == at("cuda:1", "cuda:1") == torch.device("cuda:1")
    # mps has no float64; there, the network alone is asked on it.
    assert [at("cpu"), at("mps"), at("cuda:0", "cuda:1"), at("cuda", "cpu"), at()] == [None] * 5

    class Elsewhere:
        device = torch.device("cuda")

        def predict(self, contexts):
            return contexts[:, -1]

    assert accelerator_of([as_named(Elsewhere())]) is None
