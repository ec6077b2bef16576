"""A model of another width is one sentence that names both, whichever library it is made with."""

import numpy as np
import pytest
import torch
from torch import nn

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.isolation.factory import adapted
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor, ask

CONTEXT, DIM, OWN = 3, 6, 8


def network(*layers):
    return nn.Sequential(*layers)


class First(nn.Module):
    """A recurrent layer without its hidden state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class Estimator:
    n_features_in_ = CONTEXT * OWN

    def fit(self):
        """As sklearn's have."""

    def predict(self, x):
        return x


MODELS = {
    "linear": lambda: nn.Linear(OWN, OWN),
    "flattened": lambda: network(nn.Flatten(), nn.Linear(CONTEXT * OWN, OWN)),
    "gru": lambda: First(nn.GRU(OWN, OWN, batch_first=True)),
    "lstm": lambda: First(nn.LSTM(OWN, OWN, batch_first=True)),
    "norm": lambda: nn.LayerNorm(OWN),
    "matmul": lambda: lambda x: x[:, -1] @ np.ones((OWN, OWN)),
    "dot": lambda: lambda x: np.dot(x[:, -1], np.ones((OWN, OWN))),
    "estimator": Estimator,
    "answer": lambda: lambda x: np.ones((len(x), OWN)),
}


def said(model):
    named = NamedPredictor(Identity("m"), adapted(model, "m")[0])
    with pytest.raises(UserError) as caught:
        ask(named, np.ones((4, CONTEXT, DIM), np.float32), np.arange(4), 4)
    return str(caught.value)


@pytest.mark.parametrize("kind", list(MODELS))
def test_both_dimensions_and_the_option_are_named(kind):
    sentence = said(MODELS[kind]())
    assert f"embeddings of {OWN} dimensions, but the corpus has {DIM}; name" in sentence
    assert "--corpus" in sentence


def test_a_mistake_of_another_kind_is_what_it_says():
    broken = network(nn.Linear(DIM, OWN), nn.Linear(DIM, DIM))
    assert said(broken).startswith("m: predict() raised RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert said(lambda x: torch.zeros(0)).startswith("m: predict() returned float32 of shape (0,)")
