"""The scorecard as one HTML file that loads nothing: verdict first, then the evidence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.judging.card import AnyGate, CardRecord
from lvm_gates.harness.report import overview, plots, words
from lvm_gates.harness.report.tables import metric_tables, skill_tables
from lvm_gates.harness.report.view import ABSOLUTE, SPLITS, gates, notes, remarks
from lvm_gates.harness.results.model import Scorecard

TEMPLATE = "scorecard.html.j2"
# Drawn in grey behind a model: those a reader compares with; degenerate predictors would only squeeze the scale.
_BACKGROUND = ("oracle", "persistence", "linear", "ewma", "context-mean", "bayes")


def render_html(scorecard: Scorecard) -> str:
    """The whole page.

    Args:
        scorecard: as `harness.results.scorecard.build_scorecard` makes it, or read from ``scorecard.json``.
    """
    scorecard = all_visible(scorecard)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        scorecard=scorecard,
        models=[_model(scorecard, card, i) for i, card in enumerate(scorecard.models)],
        lines={split: overview.lines(scorecard, split) for split in SPLITS},
        headings=overview.HEADINGS,
        explanation=overview.explanation(scorecard),
        conduct_notes=overview.conduct_notes(scorecard),
        findings=overview.findings(scorecard),
        stopped=overview.stopped(scorecard),
        provenance=_provenance(scorecard),
        words=words,
    )


def _model(scorecard: Scorecard, card: CardRecord, index: int) -> dict[str, Any]:
    arranged = gates(scorecard, card)
    # The gates that do not decide under this profile are shown all the same, further down.
    other = "5cat" if scorecard.profile == "skill" else "skill"
    return {
        "card": card,
        "id": f"model-{index}",
        "gates": arranged,
        "notes": [*notes(arranged), *remarks(card)],
        "other_profile": other,
        "other_gates": gates(scorecard, card, other),
        "plots": [(title, Markup(svg)) for title, svg in _plots(scorecard, card, index)],  # noqa: S704
        "metric_tables": metric_tables(card),
        "skill_tables": skill_tables(card.skill),
        "skill_texts": overview.skill_texts(card.skill),
    }


def _plots(scorecard: Scorecard, card: CardRecord, index: int) -> list[tuple[str, str]]:
    """Title and SVG of each plot; markup by our own hand, in which matplotlib has escaped every name."""
    cards = {c.name.removeprefix(overview.CONTROL): c for c in scorecard.controls}
    behind = {name: cards[name] for name in _BACKGROUND if name in cards}
    limits = {gate: _limits(card.gate(gate)) for gate in ABSOLUTE}
    drawn: list[tuple[str, Callable[..., None], tuple[Any, ...], float]] = [
        ("Gate A: offset sweep", plots.offset_curves, (card, behind, limits["A"].get("c(+1)", {})), 3.6),
        ("Gate B: retrieval", plots.retrieval_bars, (card,), 3.2),
        ("Gate C: ablations", plots.ablation_bars, (card, limits["C"]), 2.9),
        ("Gate D: rollout", plots.rollout_curves, (card, behind, limits["D"].get("rollout", {})), 3.6),
    ]
    if card.skill.task is not None:
        drawn.append(("Skill: the frontier of rivals", plots.frontier, (card, behind), 3.8))
    return [
        (title, plots.draw(plot, title, *arguments, key=f"m{index}", height=height))
        for title, plot, arguments, height in drawn
    ]


def _limits(gate: AnyGate) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for check in gate.checks:
        found.setdefault(check.label, {})[check.split] = check.limit
    return found


def _provenance(scorecard: Scorecard) -> list[tuple[str, str]]:
    """What was judged on what by what, each a name and a text."""
    revision, arguments = scorecard.revision, scorecard.arguments
    version = "" if scorecard.profile_version is None else f" (version {scorecard.profile_version})"
    changed = " (with uncommitted changes)" if revision.dirty else ""
    rows = [
        ("made", scorecard.created),
        ("profile, task, rule", f"{scorecard.profile}{version}, {scorecard.task}, {scorecard.require}"),
        *((f"corpus: {key}", _text(value)) for key, value in jsonable(scorecard.corpus).items() if value is not None),
        *((f"model: {card.name}", f"SHA-256 {card.sha256 or 'none: not a file'}") for card in scorecard.models),
        *((f"assumed: {card.name}", "; ".join(card.assumed)) for card in scorecard.models if card.assumed),
        *(
            (f"file of {card.name}: {file}", f"SHA-256 {sha}")
            for card in scorecard.models
            for file, sha in card.files.items()
        ),
        *((f"trained: {card.name}", _text(card.provenance)) for card in scorecard.models if card.provenance),
        ("commit of the gates", f"{revision.commit or 'unknown: not a git checkout'}{changed}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in scorecard.packages.items())),
        ("arguments as given", " ".join(arguments.given) or "unknown"),
    ]
    return rows + [(f"--{key.replace('_', '-')}", _text(value)) for key, value in arguments.resolved.items()]


def _text(value: Any) -> str:
    if value is None:
        return "not given"
    return value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
