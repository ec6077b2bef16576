"""Batches to try losses on, and the gap that most losses look at, worked out without them."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

# The default deadline flakes on the first call into torch.
properties = settings(deadline=None, max_examples=50)


@dataclass(frozen=True)
class Case:
    """One batch: all batch first, none of unit norm."""

    prediction: Tensor
    target: Tensor
    last: Tensor
    context: Tensor
    future: Tensor
    exists: Tensor
    negatives: Tensor
    rollout: Tensor

    def map(self, change):
        """The case with ``change(name, tensor)`` for each tensor."""
        return Case(**{field.name: change(field.name, getattr(self, field.name)) for field in fields(self)})

    def predicting(self, prediction):
        return self.map(lambda name, tensor: prediction if name == "prediction" else tensor)


def make_case(seed=0, batch=5, dim=6, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=dtype)

    return Case(
        prediction=normal(batch, dim),
        target=normal(batch, dim),
        last=normal(batch, dim),
        context=normal(batch, 4, dim),
        future=normal(batch, 2, dim),
        exists=torch.rand(batch, 2, generator=draw) < 0.7,
        negatives=normal(batch, 3, dim),
        rollout=normal(batch, 4, dim),
    )


cases = st.builds(make_case, seed=st.integers(0, 2**31), batch=st.integers(1, 7), dim=st.integers(2, 9))
margins = st.floats(-0.5, 0.5)


def cos(a, b):
    """Cosine of two vectors, in numpy."""
    a, b = np.asarray(a), np.asarray(b)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def gap(prediction, target, other):
    """How much nearer one prediction is to its target than to another vector."""
    return cos(prediction, target) - cos(prediction, other)
