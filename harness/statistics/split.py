"""One statistic on both judged splits."""

from typing import Generic, TypeVar

import msgspec

from lvm_gates.harness.base.record import Record

S = TypeVar("S")


class BySplit(Record, Generic[S], frozen=True, kw_only=True):
    """A statistic on VAL and on OOD.

    Attributes:
        val: on articles held out of training.
        ood: on articles of another distribution.
    """

    val: S = msgspec.field(name="VAL")
    ood: S = msgspec.field(name="OOD")

    def of(self, split: str) -> S:
        """On one split, by its name."""
        found: S = self[split]
        return found
