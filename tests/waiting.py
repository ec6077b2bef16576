"""Which operations of torch wait for a device, and a watch over them."""

from torch.utils._python_dispatch import TorchDispatchMode

# What a device answers only when it has done all that came before.
WAITING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero"}


class Waiting(TorchDispatchMode):
    """Notes every operation that waits."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in WAITING:
            self.found.append(func._schema.name)
        return func(*args, **(kwargs or {}))
