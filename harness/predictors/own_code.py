"""The way that always works, for the end of a refusal: a few lines of the user's own that make the model."""

import os
from pathlib import Path


def spelled(path: Path) -> str:
    """A file as it would be typed in the working directory; its name alone where it lies elsewhere."""
    near = os.path.relpath(path)
    return path.name if near.startswith(os.pardir) else near


_LOADERS = {".safetensors": "safetensors.torch.load_file(weights)"}
_OF_TORCH = "torch.load(weights, weights_only=True)"


def own_code(path: Path, load: str = "", *, whole: bool = False) -> str:
    """How to gate a file by code of one's own, as a clause.

    Args:
        path: of the model.
        load: what reads the file, in Python; ``weights`` is its path; by default, by the file's suffix.
        whole: whether that gives the network itself rather than its weights.
    """
    load = load or _LOADERS.get(path.suffix.lower(), _OF_TORCH)
    make = f"return {load}" if whole else f"net = MyNet(); net.load_state_dict({load}); return net"
    return (
        f"put `def factory(weights): {make}`, under the imports that it needs, into mine.py and gate "
        f"'python:mine:factory?weights={spelled(path)}' (docs/models.md)"
    )
