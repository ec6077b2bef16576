"""Small networks and files of them, for the tests beside."""

import numpy as np
import torch

DIM = 6


class Last(torch.nn.Module):
    """A network that depends on every frame; half of its units would be dropped in train mode."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.recurrent = torch.nn.GRU(dim, dim, batch_first=True)
        self.drop = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(x)
        return self.head(self.drop(states[:, -1]))


class Saving(torch.nn.Module):
    """Writes a file when it is asked."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.target)
        return x[:, -1]


class Waking(torch.nn.Module):
    """Runs something of its own as soon as it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(1)
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return (self.scale, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.scale = state[0] * 2
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, -1] * self.scale


def contexts(dim: int = DIM, n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 3, dim)).astype(np.float32)
