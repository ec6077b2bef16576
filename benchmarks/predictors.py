"""What a user might bring with `--model=python:predictors:NAME`: one that costs nothing, and a network."""

import numpy as np


class Mean:
    """The normalised mean of the context: all that is left to time is what surrounds it."""

    def predict(self, contexts):
        mean = contexts.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


class Network:
    """A small transformer, as a user wraps one."""

    def __init__(self, dim=384):
        import torch

        from lvm_gates.models.registry import build

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.network = build("transformer", input_dim=dim, output_dim=dim, width=128, depth=2, heads=4).eval()

    def predict(self, contexts):
        import torch

        with torch.inference_mode():
            return self.network(torch.from_numpy(np.ascontiguousarray(contexts))).numpy()
