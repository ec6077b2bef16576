"""How a predictor is asked: whether it answers alike in any company, and which answers have a direction."""

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.predictor import ask, check_batch_invariance
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.models.registry import build


class AboveSixteen:
    def __init__(self):
        self.asked = []

    def predict(self, contexts):
        self.asked.append(len(contexts))
        return contexts[:, -1] - (contexts[:, -1].mean(axis=0) if len(contexts) > 16 else 0)


class FirstRow:
    """Leaks the first context of a batch into the others, a little."""

    def predict(self, contexts):
        return contexts[:, -1] + 3e-4 * contexts[:1, 0]


class SecondCall:
    def __init__(self):
        self.calls = 0

    def predict(self, contexts):
        self.calls += 1
        return contexts[:, -1] + (self.calls == 2) * contexts[:, 0]


@pytest.mark.parametrize("batch_size", [1, 8, 16, 64, 256, 1000])
@pytest.mark.parametrize("faulty", [AboveSixteen, FirstRow, SecondCall])
@pytest.mark.parametrize("known", [True, False])
def test_a_batch_is_probed_at_the_size_in_use_and_at_others_whatever_the_size(
    make_corpus, as_named, faulty, batch_size, known
):
    windows = windows_of(make_corpus([300], dim=6), np.array([0]), 3).take(slice(0, 256))
    named, contexts = as_named(faulty()), windows.contexts()
    said = ask(named, contexts, windows.targets, batch_size) if known else None
    with pytest.raises(UserError, match="change with the batch size"):
        check_batch_invariance(named, contexts, windows.targets, batch_size, said)


def test_a_sound_network_passes_the_probe_at_every_size(make_corpus, as_named):
    """Rounding of four architectures at the original sizes: at most 9e-7 in the norm, see BATCH_TOLERANCE."""
    windows = windows_of(make_corpus([300], dim=32), np.array([0]), 3).take(slice(0, 256))
    for kind in ("transformer", "lstm", "gru", "amn"):
        torch.manual_seed(0)
        network = build(kind, input_dim=32, output_dim=32, width=16).eval()
        named = as_named(TorchPredictor(kind, network, 32, torch.device("cpu")))
        for batch_size in (1, 16, 1000):
            check_batch_invariance(named, windows.contexts(), windows.targets, batch_size)


def test_one_pair_of_windows_can_be_probed(make_corpus, as_named, scrambler):
    windows = windows_of(make_corpus([5], dim=6), np.array([0]), 3)
    for n in (1, 2):
        few = windows.take(slice(0, n))
        check_batch_invariance(as_named(scrambler(3, 6)), few.contexts(), few.targets, 256)


@pytest.mark.parametrize("scale", [1e-170, 1e-300, 1e170, 1e300])
def test_a_direction_counts_whatever_its_length(as_named, scale):
    class Answers:
        def predict(self, contexts):
            return np.array([[0.6, 0.8], [-3, 4], [0, 2]]) * scale

    found = ask(as_named(Answers()), np.ones((3, 1, 2), dtype=np.float32), np.arange(3), 3)
    np.testing.assert_allclose(found, [[0.6, 0.8], [-0.6, 0.8], [0, 1]], rtol=1e-14)


def test_lengths_that_differ_by_more_than_floats_hold(as_named):
    class Answers:
        def predict(self, contexts):
            return np.array([[1e300, 1e-300], [5e-324, 0], [1e200, -1e200]])

    found = ask(as_named(Answers()), np.ones((3, 1, 2), dtype=np.float32), np.arange(3), 3)
    np.testing.assert_allclose(found, [[1, 0], [1, 0], [0.5**0.5, -(0.5**0.5)]], rtol=1e-14, atol=1e-300)
