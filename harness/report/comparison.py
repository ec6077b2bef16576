"""Models beside controls, and what the controls say about the gates on this corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.report.view import ABSOLUTE, gates, notes, profile_gates

CONTROL = "control:"
# Column -> (heading, path in a card's split figures); shared by the terminal and the HTML file.
_FIGURES: dict[str, tuple[str, ...]] = {
    "c(+1)": ("A", "c", "1"),
    "R@1": ("B", "article", "R@1"),
    "MRR": ("B", "article", "MRR"),
    "novel": ("B", "novel", "MRR"),
    "rollout": ("D", "mean"),
}
# `skill` is the figure of the session's task, and so F unless another task was asked for.
_SKILL = {"cosine": "cosine", "skill": "task_figure"}
HEADINGS: tuple[str, ...] = (*_FIGURES, *_SKILL)


@dataclass(frozen=True)
class Line:
    """One card in the table of all cards.

    Attributes:
        name: of the model or control; a control's without its prefix.
        is_model: whether it was gated, or stands beside as a control.
        peak: offset of the peak.
        beyond: whether ``skill`` is a gain in cosine over every rival instead of F.
        figures: heading -> VALUE, null where not computed.
        letters: initials of the gates that passed, "." for those that failed.
        verdict: release, hold or blocked.
        misbehaved: certain expectations that did not hold.
        unusual: usual ones that did not.
    """

    name: str
    is_model: bool
    peak: int | None
    beyond: bool
    figures: Mapping[str, Mapping[str, Any]]
    letters: str
    verdict: str
    misbehaved: Sequence[str]
    unusual: Sequence[str]

    @property
    def mark(self) -> str:
        """``!`` for a control that misbehaves, ``?`` for one that does something unusual."""
        return "!" if self.misbehaved else "?" if self.unusual else ""


def lines(scorecard: Mapping[str, Any], split: str) -> list[Line]:
    """Every model, then every control, with the figures of one split."""
    models = [_line(scorecard, card, split, is_model=True) for card in scorecard["models"]]
    return models + [_line(scorecard, card, split, is_model=False) for card in scorecard["controls"]]


def legend(scorecard: Mapping[str, Any]) -> str:
    """What the initials of profile `skill` stand for; "" where they are the gates' names."""
    cards = [*scorecard["models"], *scorecard["controls"]]
    names = dict.fromkeys(name for card in cards for name in profile_gates(scorecard, card))
    long = [f"{name[0].upper()} {name}" for name in names if name not in ABSOLUTE]
    return f"gates: {', '.join(long)}" if long else ""


def explanation(scorecard: Mapping[str, Any]) -> str:
    """What the columns mean that do not explain themselves."""
    task = scorecard.get("task")
    if not any(card.get("skill") for card in [*scorecard["models"], *scorecard["controls"]]):
        meant = "-: not computed under this profile"
    elif task == "retrieval":
        meant = "skill: MRR less that of the best rival"
    elif task == "decoding":
        meant = "skill: cosine less that of the best rival"
    else:
        meant = "skill: F, the MRR less the rivals' frontier; with a c, the cosine beyond every rival's"
    parts = ["novel: MRR among chunks outside the context", meant, legend(scorecard)]
    return "; ".join(part for part in parts if part)


def beyond(skill: Mapping[str, Any], task: str | None) -> bool:
    """Whether the task's figure is the gain in cosine: the frontier of rivals ends before the model's cosine."""
    chosen, along, excess = ((skill.get(key) or {}).get("value") for key in ("task_figure", "F", "excess_cosine"))
    return task == "frontier" and chosen is not None and chosen == excess and chosen != along


def skill_text(skill: Mapping[str, Any], split: str) -> str:
    """The figure of task `frontier` on one split, in words."""
    figures = skill.get(split) or {}
    if beyond(figures, skill.get("task")):
        return f"{split} beyond every rival's cosine by {words.figure_text(figures['excess_cosine'], signed=True)}"
    return f"{split} F {words.figure_text(figures.get('F') or {}, signed=True)}"


def conduct_notes(scorecard: Mapping[str, Any]) -> list[str]:
    """One sentence for everything a control did otherwise than it must, or than it usually does."""
    found = []
    for card in scorecard["controls"]:
        if broken := card.get("misbehaved"):
            untrue = ", that it ".join(broken)
            found.append(f"! {card['name']} misbehaves: not true that it {untrue}; no model gets a verdict on this run")
    for card in scorecard["controls"]:
        if passed := card.get("open_gates"):
            gates_named = f"gate {passed[0]} does" if len(passed) == 1 else f"gates {', '.join(passed)} do"
            found.append(f"? {gates_named} not tell a network from {card['name']} on this corpus")
    return found


def findings(scorecard: Mapping[str, Any]) -> list[str]:
    """What the best possible predictor of a synthetic world says about the gates on that world.

    A gate that the oracle fails too, or that has too few windows, says nothing about the world and is left out.
    """
    corpus = scorecard.get("corpus") or {}
    cards = {card["name"].removeprefix(CONTROL): card for card in scorecard["controls"]}
    if corpus.get("kind") != "synthetic" or "bayes" not in cards:
        return []
    oracle = profile_gates(scorecard, cards.get("oracle", {"gates": {}}))
    open_to_oracle = {name for name, gate in oracle.items() if gate["passed"]}
    found = []
    for gate in gates(scorecard, cards["bayes"]):
        if gate.passed or gate.name not in open_to_oracle or notes([gate]):
            continue
        if gate.name == "A":
            sweep = cards["bayes"]["gates"]["A"]["VAL"]
            margin = words.number((sweep.get("margin") or {}).get("value"), signed=True)
            how = f"peak at {show_offset(sweep.get('peak'))}, margin {margin}; no model can pass it on this corpus"
        else:
            values = [f"{row.label} {row.value(row.failed[0])}" for row in gate.rows if row.failed]
            how = f"{', '.join(values)}; no model is expected to pass it on this corpus"
        found.append(f"the best possible predictor of world {corpus.get('world')} fails gate {gate.name} here: {how}")
    return found


def _line(scorecard: Mapping[str, Any], card: Mapping[str, Any], split: str, *, is_model: bool) -> Line:
    absolute = card["gates"]
    skill = (card.get("skill") or {}).get(split) or {}
    figures = {head: _find(absolute, (gate, split, *keys)) for head, (gate, *keys) in _FIGURES.items()}
    figures |= {head: skill.get(key) or {} for head, key in _SKILL.items()}
    passed = {gate: given["passed"] for gate, given in profile_gates(scorecard, card).items()}
    return Line(
        card["name"] if is_model else card["name"].removeprefix(CONTROL),
        is_model,
        _find(absolute, ("A", split)).get("peak"),
        beyond(skill, scorecard.get("task")),
        figures,
        "".join(gate[0].upper() if ok else "." for gate, ok in passed.items()) or "-",
        card["verdict"],
        card.get("misbehaved", []),
        card.get("unusual", []),
    )


def _find(node: Any, keys: Sequence[str]) -> Mapping[str, Any]:
    for key in keys:
        node = (node or {}).get(key)
    return node or {}
