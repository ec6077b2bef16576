"""A scorecard arranged for reading: what the terminal and the HTML file both show of one card's gates.

Nothing is judged here: every mark comes from the scorecard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging.card import AnyGate, CardRecord
from lvm_gates.harness.judging.gates import GATES, QUESTIONS, TITLES
from lvm_gates.harness.judging.judge import Check, show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.results.model import GateText, Scorecard

SPLITS: tuple[str, ...] = JUDGED
ABSOLUTE = GATES
# Differences, whose sign says something; shares and cosines above zero are written without one.
_SIGNED = {"margin", "F", "shuffled", "reversed", "leave-one-out", "last repeated", "foreign last"}
# What the metric of gate `frontier` is under the other tasks of profile `skill`; the profile calls it F under all.
_TASK_LABELS = {"retrieval": "MRR minus best's", "decoding": "cosine minus best's"}
_SIGNED |= {"rollout minus control", *_TASK_LABELS.values()}


@dataclass(frozen=True)
class Row:
    """One metric of a gate on both splits.

    Attributes:
        label: name of the metric.
        checks: split ("VAL", "OOD" or "BOTH") -> check.
    """

    label: str
    checks: Mapping[str, Check]

    @property
    def failed(self) -> list[str]:
        """The splits on which it fails."""
        return [split for split, check in self.checks.items() if not check.passed]

    @property
    def mark(self) -> str:
        """``pass``, ``FAIL``, or ``FAIL OOD`` where one split alone fails."""
        if not self.failed:
            return "pass"
        return "FAIL" if len(self.failed) == len(self.checks) else f"FAIL {self.failed[0]}"

    @property
    def source(self) -> str:
        """The evidence for the threshold."""
        return next(iter(self.checks.values())).source

    def metric(self, split: str, *, bare: bool = False) -> str:
        """Value and interval on one split; a metric of both splits stands in the first column."""
        check = self.checks.get(split)
        if check is None:
            both = self.checks.get("BOTH")
            if both is None:
                return "not computed"
            return self._text(both, bare) if split == SPLITS[0] else "(both splits)"
        return self._text(check, bare)

    def value(self, split: str) -> str:
        """The metric alone on one split, without its interval."""
        return words.number(self.checks[split].metric.value, signed=self.label in _SIGNED)

    def wanted(self, *, bare: bool = False) -> str:
        """``>= .50 / .48``: one limit, or that of VAL and that of OOD."""
        relation = next(iter(self.checks.values())).relation
        limits = dict.fromkeys(words.limit_text(check.limit, bare=bare) for check in self.checks.values())
        return f"{words.RELATIONS.get(relation, relation)} {' / '.join(limits)}"

    def _text(self, check: Check, bare: bool) -> str:
        return words.metric_text(check.metric, signed=self.label in _SIGNED, bare=bare)


@dataclass(frozen=True)
class Gate:
    """One gate of a card.

    Attributes:
        name: in the profile.
        passed: as judged.
        tolerated: it failed, and the release rule let it.
        rows: its metrics.
        peaks: split -> offset of the peak; gate A only.
        title: ``A offset sweep``.
        question: what it asks, in plain words.
    """

    name: str
    passed: bool
    tolerated: bool
    rows: Sequence[Row]
    peaks: Mapping[str, int | None]
    title: str
    question: str

    @property
    def mark(self) -> str:
        """The gate's outcome in words."""
        if self.passed:
            return "PASS"
        return "FAIL (tolerated by the release rule)" if self.tolerated else "FAIL"

    def peak(self, split: str) -> str:
        """``peak k=+1``; "" for gates that have none."""
        if split not in self.peaks:
            return ""
        k = self.peaks[split]
        return "no peak" if k is None else f"peak {show_offset(k)}"

    def n(self, split: str) -> str:
        """``n = 3,125``; a gate of both splits has one n, which stands under the first."""
        counts = [
            check.metric.n
            for row in self.rows
            for on, check in row.checks.items()
            if on == split or (on == "BOTH" and split == SPLITS[0])
        ]
        return f"n = {words.count_range(counts)}" if counts else ""


def notes(arranged: Sequence[Gate]) -> list[str]:
    """Why metrics are inconclusive or undefined; each reason once, with the gates or metrics it concerns."""
    found: dict[str, list[str]] = {}
    for gate in arranged:
        for split in (*SPLITS, "BOTH"):
            checks = {row.label: row.checks[split] for row in gate.rows if split in row.checks}
            on = "" if split == "BOTH" else f" on {split}"
            for note in dict.fromkeys(check.note for check in checks.values() if check.note):
                labels = [label for label, check in checks.items() if check.note == note]
                which = "" if len(labels) == len(checks) else f" ({', '.join(labels)})"
                found.setdefault(note, []).append(f"{gate.name}{which}{on}")
    return [f"{note}: {', '.join(where)}" for note, where in found.items()]


def remarks(card: CardRecord) -> list[str]:
    """What the verdict does not cover: a model that may have seen these windows, and windows that were left out."""
    found = []
    seen = card.training_data
    if seen is not None and seen.status == "not checkable":
        found.append(f"training data: not checkable; {seen.detail} (this blocks nothing)")
    for split, leaks in card.leaks.items():
        if not leaks.leaked:
            continue
        text = f"{words.count(leaks.leaked)} of {words.count(leaks.windows)} {split} windows leaked and left out"
        changed = [
            f"{name} {words.number(metric.kept.value, bare=True)} "
            f"({words.number(metric.whole.value, bare=True)} with them)"
            for name, metric in leaks.metrics.items()
        ]
        found.append(f"{text}: {', '.join(changed)}")
    return found


def profile_gates(profile: str, card: CardRecord) -> Mapping[str, AnyGate]:
    """The gates that decide under a profile, by name; those that were added decide under every one."""
    decisive = card.skill.gates if profile == "skill" else {gate: card.gate(gate) for gate in ABSOLUTE}
    return {**decisive, **card.added_gates}


def gates(scorecard: Scorecard, card: CardRecord, profile: str | None = None) -> list[Gate]:
    """The gates that decide under the session's profile, or another, arranged."""
    label = _TASK_LABELS.get(scorecard.task or "", "F")
    decisive = profile_gates(profile or scorecard.profile, card)
    said = {gate.name: gate for gate in scorecard.gates}
    return [_arrange(name, given, card, label, said.get(name)) for name, given in decisive.items()]


def _arrange(name: str, given: AnyGate, card: CardRecord, task_label: str, said: GateText | None) -> Gate:
    rows: dict[str, dict[str, Check]] = {}
    for check in given.checks:
        label = task_label if (name, check.label) == ("frontier", "F") else check.label
        rows.setdefault(label, {})[check.split] = check
    title = said.title if said else TITLES.get(name, "")
    peaks = {split: card.gates.a.of(split).peak for split in SPLITS} if name == "A" else {}
    return Gate(
        name,
        given.passed,
        name in card.tolerated,
        [Row(label, checks) for label, checks in rows.items()],
        peaks,
        f"{name} {title}" if name in ABSOLUTE else f"{name}: {title}".rstrip(": "),
        said.question if said else QUESTIONS.get(name, ""),
    )
