"""Models beside controls, and what the controls say about the gates on this corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.card import CardRecord, ControlRecord, Skill
from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.report.view import ABSOLUTE, SPLITS, gates, notes, profile_gates
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.results.ranking import beyond
from lvm_gates.harness.statistics.skill_metrics import TaskSkill

CONTROL = "control:"
# Columns of the terminal and the HTML file. `skill` is the metric of the session's task, and so F unless another task
# was asked for.
HEADINGS: tuple[str, ...] = ("c(+1)", "R@1", "MRR", "novel", "rollout", "cosine", "skill")
MEANINGS: tuple[tuple[str, str], ...] = (
    ("c(+1)", "mean cosine of the prediction to the target"),
    ("peak", "offset of the chunk that the predictions are nearest to; +1 is the target, 0 the last chunk read"),
    ("R@1", "share of windows whose target comes first among the chunks of its article"),
    ("MRR", "mean of one over the rank of the target among them"),
    ("novel", "the same among those chunks that are outside the context"),
    ("rollout", "mean cosine over the steps when a model reads its own predictions"),
    ("cosine", "mean cosine on the windows that profile skill counts"),
    ("skill", "gain over everything that needs no network"),
    ("gates", "initials of those that passed; a dot is one that failed"),
    (
        "as expected",
        "whether a control did what it must; one that fails its check withholds every verdict",
    ),
)


@dataclass(frozen=True)
class Line:
    """One card in the table of all cards.

    Attributes:
        name: of the model or control; a control's without its prefix.
        is_model: whether it was gated, or stands beside as a control.
        peak: offset of the peak.
        beyond: whether ``skill`` is a gain in cosine over every rival instead of F.
        metrics: heading -> metric, None where not computed.
        letters: initials of the gates that passed, "." for those that failed.
        verdict: release, hold or blocked.
        failed_checks: certain expectations that did not hold.
        unusual: usual ones that did not.
    """

    name: str
    is_model: bool
    peak: int | None
    beyond: bool
    metrics: Mapping[str, Estimate | None]
    letters: str
    verdict: str
    failed_checks: Sequence[str]
    unusual: Sequence[str]

    @property
    def mark(self) -> str:
        """``!`` for a control that fails its check, ``?`` for one that does something unusual."""
        return "!" if self.failed_checks else "?" if self.unusual else ""


def lines(scorecard: Scorecard, split: str) -> list[Line]:
    """Every model, then every control, with the metrics of one split."""
    return [_line(scorecard, card, split) for card in _cards(scorecard)]


def _cards(scorecard: Scorecard) -> list[CardRecord]:
    return [*scorecard.models, *scorecard.controls]


def legend(scorecard: Scorecard) -> str:
    """What the initials of profile `skill` stand for; "" where they are the gates' names."""
    names = dict.fromkeys(name for card in _cards(scorecard) for name in profile_gates(scorecard.profile, card))
    long = [f"{name[0].upper()} {name}" for name in names if name not in ABSOLUTE]
    return f"gates: {', '.join(long)}" if long else ""


def explanation(scorecard: Scorecard) -> str:
    """What the columns mean that do not explain themselves."""
    task = scorecard.task
    if not any(card.skill.task for card in _cards(scorecard)):
        meant = "-: not computed under this profile"
    elif task == "retrieval":
        meant = "skill: MRR minus that of the best rival"
    elif task == "decoding":
        meant = "skill: cosine minus that of the best rival"
    else:
        meant = "skill: F, the MRR minus the rivals' frontier; with a c, the cosine beyond every rival's"
    parts = ["novel: MRR among chunks outside the context", meant, legend(scorecard)]
    return "; ".join(part for part in parts if part)


def skill_texts(skill: Skill) -> list[str]:
    """The metric of task `frontier` on each split, in words; none under another task."""
    if skill.task != "frontier":
        return []
    return [_skill_text(split, found) for split in SPLITS if (found := skill.of(split)) is not None]


def _skill_text(split: str, found: TaskSkill) -> str:
    if beyond(found, "frontier"):
        return f"{split} beyond every rival's cosine by {words.metric_text(found.excess_cosine, signed=True)}"
    return f"{split} F {words.metric_text(found.gain, signed=True)}"


def conduct_notes(scorecard: Scorecard) -> list[str]:
    """One sentence for everything a control did that it must not do, or usually does not."""
    found = []
    for card in scorecard.controls:
        if card.failed_checks:
            untrue = ", that it ".join(card.failed_checks)
            found.append(
                f"! {card.name} fails its check: not true that it {untrue}; no model gets a verdict on this run"
            )
    for card in scorecard.controls:
        if passed := card.open_gates:
            gates_named = f"gate {passed[0]} does" if len(passed) == 1 else f"gates {', '.join(passed)} do"
            found.append(f"? {gates_named} not tell a network from {card.name} on this corpus")
    return found


def stopped(scorecard: Scorecard) -> str:
    """How much of the sample a session with ``--sequential`` needed, and why it stopped; "" of one without."""
    found = scorecard.sequential
    if found is None:
        return ""
    parts = [
        f"{words.count(part.windows)} of {words.count(part.of_windows)} {split} windows "
        f"({words.count(part.articles)} of {words.count(part.of_articles)} articles)"
        for split, part in found.splits.items()
    ]
    return f"sequential, by {found.unit}: {' and '.join(parts)}; {found.reason}"


def findings(scorecard: Scorecard) -> list[str]:
    """What the best possible predictor of a synthetic dataset says about the gates there.

    A gate that the oracle fails too, or that has too few windows, says nothing about the dataset and is left out.
    """
    corpus = scorecard.corpus
    cards = {card.name.removeprefix(CONTROL): card for card in scorecard.controls}
    if corpus.kind != "synthetic" or "bayes" not in cards:
        return []
    oracle = profile_gates(scorecard.profile, cards["oracle"]) if "oracle" in cards else {}
    open_to_oracle = {name for name, gate in oracle.items() if gate.passed}
    found = []
    for gate in gates(scorecard, cards["bayes"]):
        if gate.passed or gate.name not in open_to_oracle or notes([gate]):
            continue
        if gate.name == "A":
            sweep = cards["bayes"].gates.a.val
            margin = words.number(sweep.margin.value, signed=True)
            how = f"peak at {show_offset(sweep.peak)}, margin {margin}; no model can pass it on this corpus"
        else:
            values = [f"{row.label} {row.value(row.failed[0])}" for row in gate.rows if row.failed]
            how = f"{', '.join(values)}; no model is expected to pass it on this corpus"
        found.append(
            f"the best possible predictor of synthetic dataset {corpus.world} fails gate {gate.name} here: {how}"
        )
    return found


def _line(scorecard: Scorecard, card: CardRecord, split: str) -> Line:
    gates, skill = card.gates, card.skill.of(split)
    pools = gates.b.of(split)
    passed = {name: gate.passed for name, gate in profile_gates(scorecard.profile, card).items()}
    control = card if isinstance(card, ControlRecord) else None
    return Line(
        card.name if control is None else card.name.removeprefix(CONTROL),
        control is None,
        gates.a.of(split).peak,
        beyond(skill, scorecard.task),
        {
            "c(+1)": gates.a.of(split).c.get("1"),
            "R@1": pools.article.r1,
            "MRR": pools.article.mrr,
            "novel": pools.novel.mrr,
            "rollout": gates.d.of(split).mean,
            "cosine": None if skill is None else skill.cosine,
            "skill": None if skill is None else skill.task_metric,
        },
        "".join(gate[0].upper() if ok else "." for gate, ok in passed.items()) or "-",
        card.verdict,
        () if control is None else control.failed_checks,
        () if control is None else control.unusual,
    )
