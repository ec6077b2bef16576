"""A sentinel at work in a run: how much it looks at, what it says, and what follows where it may act.

What follows depends on the history alone, so a resumed run decides as an uninterrupted one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.trainers.config import RunConfig, SentinelMode
from lvm_gates.trainers.epoch import Run
from lvm_gates.trainers.sentinel import Sentinel
from lvm_gates.trainers.sentinel_rules import Reading, aborts, backs_off, fell

# A look may cost 5 % of an epoch. It asks each of its windows five times where training passes three times, and ranks
# them: at 3 % of the training windows it cost 5.5 %, at 2.5 % 5.0 % (benchmarks/test_training.py). Fewer than 100 would
# say little, so that many are looked at even if that costs more.
MOST = 500
SHARE = 0.02
FEWEST = 100

History = Sequence[Mapping[str, Any]]


def open_sentinel(config: RunConfig, corpus: Corpus, training: int) -> Sentinel | None:
    """The sentinel of a run on ``training`` windows, None where it is off."""
    if config.sentinel == "off":
        return None
    return Sentinel(corpus, config.context, windows=min(MOST, max(FEWEST, int(SHARE * training))))


def look(sentinel: Sentinel, run: Run, epoch: int) -> Reading:
    """What the sentinel sees in a run's network as it is now, put in eval mode."""
    dim, scale = run.windows.corpus.dim, run.scale(epoch)
    predictor = TorchPredictor(f"epoch {epoch}", run.judged.eval(), dim, run.device, position_scale=scale)
    return sentinel.look(predictor, epoch)


def recorded(reading: Reading) -> dict[str, Any]:
    """A reading as the history keeps it; `readings` gets it back."""
    return {**reading.metrics, "findings": list(reading.findings)}


def readings(history: History) -> list[Reading]:
    """What the sentinel saw so far."""
    found = []
    for record in history:
        metrics = dict(record.get("sentinel") or {})
        if metrics:
            findings = tuple(metrics.pop("findings"))
            found.append(Reading(record["epoch"], metrics, findings))
    return found


def keeps_auxiliary(mode: SentinelMode, history: History) -> bool:
    """Whether the next epoch has its auxiliary terms: one back-off drops them for good, where the sentinel may act."""
    return mode != "act" or not any(backs_off(reading) for reading in readings(history))


def remarks(mode: SentinelMode, history: History) -> list[str]:
    """What there is to say of the last epoch; nothing where nobody watched."""
    seen = readings(history)
    if not seen:
        return []
    *earlier, last = seen
    # The other reasons to abort are among the findings.
    said, best, back_off = list(last.findings), _best(earlier), backs_off(last)
    if best is not None and (fall := fell(last, best)):
        said.append(fall)
    if back_off and mode == "act" and not any(backs_off(before) for before in earlier):
        said.append(back_off)
    return said


def require_no_abort(mode: SentinelMode, history: History) -> None:
    """Stop a run that the sentinel, told to act, has seen the end of; the epoch itself is saved.

    Raises:
        UserError: the last reading is one to abort on.
    """
    seen = readings(history)
    reason = aborts(seen[-1], _best(seen[:-1])) if mode == "act" and seen else None
    if reason:
        raise UserError(
            f"training stopped: {reason}; epochs saved are kept, a run with --sentinel watch trains on regardless."
        )


def _best(earlier: Sequence[Reading]) -> Reading | None:
    """The reading with the highest mean cosine, of those that have one."""
    known = [reading for reading in earlier if math.isfinite(reading.value("cosine"))]
    return max(known, key=lambda reading: reading.value("cosine"), default=None)
