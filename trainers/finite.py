"""A run whose loss is no longer a number ends."""

import math

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.config import RunConfig


def require_finite(value: float, what: str, config: RunConfig) -> None:
    """Stop a run whose loss is no longer a number.

    Raises:
        UserError: ``value`` is NaN or infinite.
    """
    if not math.isfinite(value):
        raise UserError(
            f"training stopped: {what} is {value}; epochs saved before, if any, are kept, start again with an --lr "
            f"below {config.lr:g}."
        )
