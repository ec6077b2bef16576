"""One run by several processes: ``torchrun --nproc-per-node N -m lvm_gates.trainers.cli RECIPE ...``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.launched import launched, restarts, store
from lvm_gates.trainers.saved import stamp


def as_started(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run as typed, or with ``--resume`` where `torchrun` starts again what has been saved since.

    Args:
        given: as typed.
    """
    if not launched():
        return dict(given)
    from lvm_gates.harness.base.processes import ranks  # and numpy, which is slower than --help may be

    folder: Path = given["out"]
    key, now = f"lvm-gates/before/{folder.absolute()}", repr(stamp(folder))
    resumes = False
    if ranks().first:
        kept = store()
        if restarts() == 0:
            kept.set(key, now)
        else:
            # Older than the run it may be what --overwrite is to replace, or what is not to be touched.
            resumes = kept.check([key]) and kept.get(key).decode() != now
    resumes = ranks().from_first(resumes)
    return {**given, "resume": True, "overwrite": False} if resumes else dict(given)
