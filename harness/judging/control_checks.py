"""What each control must do (docs/specification.md, "Controls"), and what to make of a control that does otherwise.

A *certain* expectation holds on any corpus, by construction; when it fails, the engine is broken or the corpus cannot
be judged on, and no model gets a verdict. A *usual* one holds on real text but not everywhere (a linear map is nearly
optimal in dataset `arrow`; where similarity decays fast, hiding the last frame hurts persistence as much as gate C
asks); when it fails the scorecard says that the gate does not tell a network from that control on this corpus.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging.additions import NOTHING_ADDED, Additions
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.gates import GATES, SKILL
from lvm_gates.harness.judging.judge import INCONCLUSIVE, show_offset
from lvm_gates.harness.statistics.retrieval import Pool

# An exact optimum through float64: measured 1 - 2e-16.
_EXACT = 1e-9
# At chance: R@1 of a random order has a standard deviation of .002 at 3,000 windows among 120 candidates.
_CHANCE_SLACK = 0.05


@dataclass(frozen=True)
class Expectation:
    """One statement about a control's card.

    Attributes:
        text: what the control does, in the third person.
        holds: whether it does.
        gates: the gates whose metrics it speaks of; where one of them has too few windows or articles to be judged,
            nothing is expected, and that gate's inconclusive checks fail every model by themselves.
        certain: whether it holds on any corpus.
        must_pass: whether it says that a gate is passed.
    """

    text: str
    holds: Callable[[CardRecord], bool]
    gates: tuple[str, ...]
    certain: bool = True
    must_pass: bool = False

    def applies(self, card: CardRecord) -> bool:
        """Whether every gate it speaks of has windows and articles enough."""
        checks = [check for gate in self.gates for check in card.gate(gate).checks]
        return not any(check.note.startswith(INCONCLUSIVE) for check in checks)


def _passes(gate: str) -> Expectation:
    return Expectation(f"passes gate {gate}", lambda card: card.gate(gate).passed, (gate,), must_pass=True)


def _fails(gate: str, *, certain: bool = True) -> Expectation:
    return Expectation(f"fails gate {gate}", lambda card: not card.gate(gate).passed, (gate,), certain)


def _peaks(k: int, *gates: str) -> Expectation:
    return Expectation(
        f"peaks at {show_offset(k)}", lambda card: all(card.gates.a.of(s).peak == k for s in JUDGED), gates
    )


def _blocked(why: str) -> Expectation:
    return Expectation("is blocked", lambda card: card.blocked and any(why in r for r in card.reasons), ("A",))


def _retrieves_exactly(card: CardRecord) -> bool:
    pools = [pool for split in JUDGED for pool in _pools(card, split)]
    return all(abs(score.value - 1.0) <= _EXACT for pool in pools for score in (pool.r1, pool.r5, pool.mrr))


def _is_exact(card: CardRecord) -> bool:
    splits = [card.gates.e.of(split) for split in JUDGED]
    return all(abs(found.value - 1.0) <= _EXACT for s in splits for found in (s.normal, s.low, s.high) if found.n)


def _rolls_out_exactly(card: CardRecord) -> bool:
    return all(abs(card.gates.d.of(s).mean.value - 1.0) <= _EXACT for s in JUDGED)


def _slack(metric: Estimate) -> float:
    # Twice the half width is four standard errors: dozens of such comparisons a session must not raise a false alarm.
    return max(_CHANCE_SLACK, 2 * (metric.high - metric.value)) if np.isfinite(metric.high) else _CHANCE_SLACK


def _near_chance(card: CardRecord) -> bool:
    return all(
        chance is not None and abs(score.value - chance) <= _slack(score)
        for split in JUDGED
        for pool in _pools(card, split)
        for score, chance in ((pool.r1, pool.chance_of.r1), (pool.mrr, pool.chance_of.mrr))
    )


def _never_first(card: CardRecord) -> bool:
    # Worst rank or expected rank: no better than chance, and never the 1.000 that the original battery gave NaN.
    return all(
        pool.chance is not None and pool.r1.value <= pool.chance + _slack(pool.r1)
        for split in JUDGED
        for pool in _pools(card, split)
    )


def _pools(card: CardRecord, split: str) -> list[Pool]:
    return [pool for _, pool in card.gates.b.of(split).items()]


def _reads_last_frame_only(card: CardRecord) -> bool:
    """Hiding any other frame changes nothing; hiding the last does (the original leave-one-out restored it)."""
    effects = [card.gates.c.of(split) for split in JUDGED]
    return all(
        abs(effect.repeat_last.value) <= _EXACT
        and all(abs(frame.value) <= _EXACT for frame in effect.leave_one_out_by_frame[:-1])
        and (len(effect.leave_one_out_by_frame) == 1 or abs(effect.leave_one_out_by_frame[-1].value) > _EXACT)
        for effect in effects
    )


def _reads_no_order(card: CardRecord) -> bool:
    effects = [card.gates.c.of(split) for split in JUDGED]
    return all(abs(one.value) <= _EXACT for effect in effects for one in (effect.shuffle, effect.reverse))


_NEVER_FIRST = Expectation("never ranks first beyond chance", _never_first, ("B",))
_BROKEN = (_fails("A"), _fails("B"), _fails("C"), _fails("D"), _NEVER_FIRST)
# Order-free predictors: shuffling and reversing change nothing, so gate C is closed to them on any corpus.
_TRIVIAL = (_fails("A"), _fails("B", certain=False))

EXPECTATIONS: dict[str, tuple[Expectation, ...]] = {
    "oracle": (
        *(_passes(gate) for gate in GATES),
        Expectation("ranks every target first in every candidate set", _retrieves_exactly, ("B",)),
        Expectation("rolls out with cosine 1", _rolls_out_exactly, ("D",)),
        # Gate E compares two splits, which a wrong target would move alike.
        Expectation("has cosine 1 to every target", _is_exact, ()),
        Expectation("is not blocked", lambda card: not card.blocked, ("A",)),
    ),
    "persistence": (
        _fails("A"),
        _peaks(0, "A"),
        _fails("B"),
        _fails("C", certain=False),
        Expectation("reads the last frame alone", _reads_last_frame_only, ("C",)),
        _blocked("negative margin"),
    ),
    "context-mean": (*_TRIVIAL, _fails("C"), Expectation("does not notice order", _reads_no_order, ("C",))),
    "ewma": (*_TRIVIAL, _fails("C", certain=False)),
    "climatology": (*_TRIVIAL, _fails("C")),
    "linear": (_fails("A", certain=False), _fails("B", certain=False), _fails("C", certain=False)),
    # A context of one frame has none before the last; gate C is inconclusive there too.
    "backward": (_fails("A"), _peaks(-1, "A", "C"), _fails("B"), _blocked("negative margin")),
    "skip": (_fails("A"), _peaks(2, "A"), _fails("B"), _blocked("negative margin")),
    "random": (*_BROKEN, Expectation("ranks at chance", _near_chance, ("B",)), _blocked("")),
    "constant": (*_BROKEN, _blocked("collapsed")),
    "noisy-constant": (*_BROKEN, _blocked("collapsed")),
    "nan": (*_BROKEN, _blocked("not finite")),
}

# No control that spans the frontier, and nothing broken, can lie beyond it.
SKILL_EXPECTATIONS: dict[str, tuple[Expectation, ...]] = {
    "oracle": tuple(_passes(gate.name) for gate in SKILL),
    **{name: (_fails("frontier"),) for name in EXPECTATIONS if name not in ("oracle", "skip")},
}


@dataclass(frozen=True)
class Conduct:
    """How a control behaved.

    Attributes:
        name: of the control.
        failed_checks: certain expectations that did not hold; any of them withholds every verdict.
        unusual: usual expectations that did not hold; reported beside the verdict.
        open_gates: gates that it was expected to fail and passed: on this corpus they do not tell a network from it.
        facts: the metrics with which it failed a gate that it must pass.
    """

    name: str
    failed_checks: tuple[str, ...]
    unusual: tuple[str, ...]
    open_gates: tuple[str, ...]
    facts: tuple[str, ...] = ()


def _missed(card: CardRecord, gate: str) -> list[str]:
    return [
        f"{check.label} on {check.split} {check.metric.value:+.3f}, wanted {check.relation} {check.limit:g}"
        for check in card.gate(gate).checks
        if not check.passed
    ]


def _declared(name: str, additions: Additions) -> tuple[Expectation, ...]:
    """What gates and controls from outside say of this control."""
    own = additions.controls.get(name)
    return (
        *(_passes(gate.name) for gate in additions.gates if name in gate.passed_by),
        *(_fails(gate.name) for gate in additions.gates if name in gate.failed_by),
        *(_passes(gate) for gate in (own.passes if own else ())),
        *(_fails(gate) for gate in (own.fails if own else ())),
    )


def conduct(name: str, card: CardRecord, profile: str = "5cat", additions: Additions = NOTHING_ADDED) -> Conduct:
    """Hold a control's card against its expectations.

    Args:
        name: of the control.
        card: judged by profile `5cat`, its metrics of profile `skill` included where that is the session's.
        profile: of the session. Under `skill` the oracle need not pass the gates A-E, which do not decide there.
        additions: gates and controls from outside, with what they declare.
    """
    expected = EXPECTATIONS.get(name, ())
    if profile == "skill":
        expected = (*(e for e in expected if not e.must_pass), *SKILL_EXPECTATIONS.get(name, ()))
    expected = (*expected, *_declared(name, additions))
    broken = [e for e in expected if e.applies(card) and not e.holds(card)]
    unusual = [e for e in broken if not e.certain]
    return Conduct(
        name,
        tuple(e.text for e in broken if e.certain),
        tuple(e.text for e in unusual),
        tuple(e.gates[0] for e in unusual if card.gate(e.gates[0]).passed),
        tuple(fact for e in broken if e.must_pass for fact in _missed(card, e.gates[0])),
    )
