"""Reported beside reproduced, as Markdown: what training did, and what the gates say of its best checkpoint."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = "–"
ORDINARY_FALL = 0.09


@dataclass(frozen=True)
class Row:
    """One recipe.

    Attributes:
        reported: its entry in ``reported.toml``.
        history: of our run.
        cards: profile -> the gated checkpoint's card in the scorecard.
        best: whether that checkpoint is the recipe's own choice; else it is that of the last epoch.
    """

    reported: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    cards: Mapping[str, Mapping[str, Any]]
    best: bool = True


def table(rows: Sequence[Row], scorecards: Mapping[str, Mapping[str, Any]], corpus: str, size: str) -> str:
    """Both tables under one heading."""
    training = [
        [
            row.reported["name"],
            _epochs(row.reported.get("val_cosine", [])),
            _epochs([record["val_cosine"] for record in row.history]),
            row.reported.get("collapse", NOTHING),
            falls(row.history),
            _persistence(row.history),
        ]
        for row in rows
        if row.best
    ]
    judged = [_judged(row) for row in rows]
    controls = [
        _control(name, scorecards) for name in ("oracle", "persistence", "context-mean", "ewma", "linear", "bayes")
    ]
    head = [
        "recipe",
        "reported val cosine by epoch",
        "ours",
        "reported collapse",
        "our first and largest fall",
        "lift over persistence, last",
    ]
    gates = [
        "recipe",
        "margin reported",
        "ours, VAL",
        "peak",
        "R@5 rep.",
        "ours",
        "rollout rep.",
        "ours",
        "gates rep.",
        "ours",
        "5cat",
        "F, VAL",
        "F, OOD",
        "skill",
        "what was wrong with the reported metric",
    ]
    return "\n".join(
        [
            f"Corpus {corpus}; {size}; best checkpoint by each recipe's own criterion.",
            "",
            _markdown(head, training),
            "",
            _markdown(gates, judged + [row for row in controls if row]),
            "",
        ]
    )


def by_epoch(rows: Sequence[Row]) -> str:
    """What P6b's term does from epoch to epoch, and how much of the space the predictions keep."""
    head = ["recipe", "epoch", "val cosine", "cosine to c_3", "lambda", "direction term", "MSE", "rank ratio"]
    lines = [
        [
            row.reported["name"],
            str(record["epoch"]),
            _number(record["val_cosine"], "z.3f"),
            _number(record.get("train_loss.previous_cosine"), "z.3f"),
            _number(record.get("train_loss.lambda"), ".4f"),
            _number(record.get("train_loss.direction"), ".4f"),
            _number(record.get("train_loss.mse"), ".4f"),
            _number(record.get("sentinel", {}).get("rank_ratio"), ".2f"),
        ]
        for row in rows
        for record in row.history
    ]
    return f"{_markdown(head, lines)}\n"


def falls(history: Sequence[Mapping[str, Any]]) -> str:
    """The first epoch that cost a share of the validation cosine beyond the ordinary, and the one that cost most.

    In one epoch the original collapses lost 34 % (V3), 37 % (P4), 110 % (P6b v1) and 39 % (P7); P3 lost
    8 % when its auxiliary terms came on, which was no collapse (docs/sources.md, "Reported metrics").
    """
    cosines = [record["val_cosine"] for record in history]
    shares = [(before - after) / before if before > 0 else 0.0 for before, after in itertools.pairwise(cosines)]
    steep = [step for step, share in enumerate(shares) if share >= ORDINARY_FALL]
    if not steep:
        return "none"
    # Not the largest share: of a cosine near zero any step is a large one.
    told = dict.fromkeys([steep[0], max(steep, key=lambda step: cosines[step] - cosines[step + 1])])
    return "; ".join(f"epoch {i + 2}: {cosines[i]:.3f} to {cosines[i + 1]:.3f}, -{shares[i]:.0%}" for i in told)


def _judged(row: Row) -> list[str]:
    card, skill = row.cards["5cat"], row.cards["skill"]
    # What is reported is of the checkpoint that was chosen.
    reported = row.reported if row.best else {"name": f"{row.reported['name']}, last epoch", "fault": ""}
    metrics = card["gates"]
    return [
        reported["name"],
        _number(reported.get("margin"), "+z.3f"),
        _value(metrics["A"]["VAL"]["margin"], "+z.3f"),
        _number(metrics["A"]["VAL"]["peak"], "+d"),
        _number(reported.get("r5"), ".3f"),
        _value(metrics["B"]["VAL"]["article"]["R@5"], ".3f"),
        _number(reported.get("rollout"), ".3f"),
        _value(metrics["D"]["VAL"]["mean"], ".3f"),
        reported.get("gates", NOTHING),
        _gates(card),
        card["verdict"],
        _value(skill["skill"]["VAL"]["F"], "+z.3f"),
        _value(skill["skill"]["OOD"]["F"], "+z.3f"),
        skill["verdict"],
        reported["fault"],
    ]


def _control(name: str, scorecards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A control's row; empty where the corpus has no such control."""
    found = {
        profile: next((card for card in scorecard["controls"] if card["name"] == f"control:{name}"), None)
        for profile, scorecard in scorecards.items()
    }
    card, skill = found["5cat"], found["skill"]
    if card is None or skill is None:
        return []
    metrics, against = card["gates"], skill.get("skill", {})
    return [
        f"control:{name}",
        NOTHING,
        _value(metrics["A"]["VAL"]["margin"], "+z.3f"),
        _number(metrics["A"]["VAL"]["peak"], "+d"),
        NOTHING,
        _value(metrics["B"]["VAL"]["article"]["R@5"], ".3f"),
        NOTHING,
        _value(metrics["D"]["VAL"]["mean"], ".3f"),
        NOTHING,
        _gates(card),
        card["verdict"],
        _value(against.get("VAL", {}).get("F"), "+z.3f"),
        _value(against.get("OOD", {}).get("F"), "+z.3f"),
        skill["verdict"],
        "",
    ]


def _gates(card: Mapping[str, Any]) -> str:
    return "".join(letter if gate["passed"] else "." for letter, gate in sorted(card["gates"].items()))


def _persistence(history: Sequence[Mapping[str, Any]]) -> str:
    return _value(history[-1].get("sentinel", {}).get("skill_cosine"), "+z.3f")


def _epochs(values: Iterable[float]) -> str:
    """Cosines of consecutive epochs, a point for one that is not known."""
    shown = ["·" if math.isnan(value) else f"{value:.3f}".replace("0.", ".") for value in values]
    return " ".join(shown) or NOTHING


def _value(estimate: Mapping[str, Any] | None, form: str) -> str:
    if not estimate or estimate["value"] is None:
        return NOTHING
    if estimate["low"] is None:
        return f"{estimate['value']:{form}}"
    return f"{estimate['value']:{form}} [{estimate['low']:{form}}, {estimate['high']:{form}}]"


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
