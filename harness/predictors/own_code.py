"""The way that always works, for the end of a refusal: a few lines of the user's own that make the model."""

import os
from pathlib import Path


def spelled(path: Path) -> str:
    """A file as it would be typed in the working directory; its name alone where it lies elsewhere."""
    near = os.path.relpath(path)
    return path.name if near.startswith(os.pardir) else near


def own_code(path: Path, load: str = "torch.load(weights, weights_only=True)", *, whole: bool = False) -> str:
    """How to gate a file by code of one's own, as a clause.

    Args:
        path: of the model.
        load: what reads the file, in Python; ``weights`` is its path.
        whole: whether that gives the network itself rather than its weights.
    """
    make = f"return {load}" if whole else f"net = MyNet(); net.load_state_dict({load}); return net"
    return (
        f"put `def factory(weights): {make}` into mine.py and gate "
        f"'python:mine:factory?weights={spelled(path)}' (docs/models.md)"
    )
