"""Devices by name, refused in words where the machine lacks them."""

from typing import TYPE_CHECKING

from lvm_gates.harness.base.errors import UserError

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda", "mps")
# Of torch's accelerators those with float64, which cosines and ranks are computed in.
_FLOAT64 = ("cuda",)


def resolve_device(name: str) -> "torch.device":
    """The torch device called ``name``: cpu, cuda, cuda:N or mps.

    Raises:
        UserError: an unknown name, or a device this machine does not have.
    """
    import torch

    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not (kind == "cuda" and index.isdecimal())):
        raise UserError(f"unknown device {name!r}; choose one of {', '.join(DEVICES)}.")
    if kind == "cuda":
        available = torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count()
    else:
        available = kind == "cpu" or torch.backends.mps.is_available()
    if not available:
        raise UserError(f"device {name!r} is not available on this machine; use --device=cpu.")
    return torch.device(name)


def ranks_there(name: str) -> bool:
    """Whether what is predicted on the device called ``name`` is compared and ranked on it as well."""
    return name.partition(":")[0] in _FLOAT64
