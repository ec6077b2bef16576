"""Models as people bring them by `python:brought:NAME`."""

import numpy as np
import torch
from torch import nn

from lvm_gates.harness.base.vectors import unit  # an import of ours does no harm

DIM, FRAMES = 6, 3


def last_frame(contexts):
    return contexts[:, -1]


def scaled(x, alpha=1.0):
    return torch.from_numpy(x[:, -1]) * alpha


def makes_a_function():
    return last_frame


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(FRAMES * DIM, DIM)

    def forward(self, x):
        assert torch.is_inference_mode_enabled()
        return self.head(self.drop(x.flatten(1)))


class DoubleNet(Net):
    def __init__(self):
        super().__init__()
        self.double()


class OwnPredict(Net):
    def predict(self, contexts):
        return self(torch.from_numpy(contexts)).numpy()


class Pair(Net):
    def forward(self, x):
        return x, x


instance = Net()


class Ridge:
    """As sklearn's estimators are."""

    def fit(self, x, y):
        self.n_features_in_ = x.shape[1]
        self.weights = np.arange(x.shape[1] * y.shape[1]).reshape(x.shape[1], y.shape[1]) / 100
        return self

    def predict(self, x):
        assert x.ndim == 2
        return x @ self.weights


def ridge(features=FRAMES * DIM):
    return Ridge().fit(np.zeros((2, features)), np.zeros((2, DIM)))


class Told:
    """Answers with what its factory was given."""

    def __init__(self, **given):
        self.given = given

    def predict(self, contexts):
        return unit(np.full((len(contexts), DIM), self.given["alpha"] + len(self.given["weights"])))


def told(weights, alpha=0, name=""):
    assert isinstance(weights, str), weights
    assert isinstance(alpha, (int, float)), alpha
    return Told(weights=weights, alpha=alpha, name=name)


def a_class():
    return Net


def not_imported():
    return MyNet()  # noqa: F821  (what a user forgets)
