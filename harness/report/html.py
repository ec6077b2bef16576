"""The scorecard as one HTML file that loads nothing: verdict first, then what to do, then the evidence."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.judging.card import AnyGate, CardRecord
from lvm_gates.harness.report import overview, words
from lvm_gates.harness.report.advice import what_now
from lvm_gates.harness.report.plots import Figure, Shown, gate_figures, shorten, skill_figure
from lvm_gates.harness.report.tables import difference_tables, metric_tables, skill_tables
from lvm_gates.harness.report.training_plot import training_figure
from lvm_gates.harness.report.view import ABSOLUTE, SPLITS, gates, notes, remarks
from lvm_gates.harness.report.weak_spots import slice_figure, worst_tables
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.results.paired import PairedDifferences

TEMPLATE, STYLE, SCRIPT = "scorecard.html.j2", "scorecard.css", "scorecard.js"
# Drawn in grey beside a model: those a reader compares with; degenerate predictors would only squeeze the scale.
_BEHIND = {"oracle": "oracle", "persistence": "c1", "context-mean": "c2", "ewma": "c3", "bayes": "c4", "linear": "c0"}
_NAMES = {"linear": "ridge", "bayes": "best possible"}


@dataclass(frozen=True)
class Accepted:
    """The model that is in use, to which those of a report are compared.

    Attributes:
        card: what was measured of it.
        differences: name of a model of the report -> split -> that model minus this one, on the same windows.
    """

    card: CardRecord
    differences: Mapping[str, Mapping[str, PairedDifferences]]


def render_html(scorecard: Scorecard, accepted: Accepted | None = None) -> str:
    """The whole page.

    Args:
        scorecard: as `harness.results.scorecard.build_scorecard` makes it, or read from ``scorecard.json``.
        accepted: drawn beside every model, with the paired differences.
    """
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_code"] = _with_code
    script = (here / SCRIPT).read_text(encoding="utf-8")
    differences = {} if accepted is None else dict(accepted.differences)
    pairs = [(card, differences.get(card.name, {})) for card in scorecard.models]
    scorecard = all_visible(scorecard)
    other = None if accepted is None else all_visible(accepted.card)
    models = [_model(scorecard, card, i, other, pairs[i][1]) for i, card in enumerate(scorecard.models)]
    return environment.get_template(TEMPLATE).render(
        scorecard=scorecard,
        models=models,
        accepted="" if other is None else other.name,
        lines={split: overview.lines(scorecard, split) for split in SPLITS},
        headings=overview.HEADINGS,
        meanings=overview.MEANINGS,
        explanation=overview.explanation(scorecard),
        conduct_notes=overview.conduct_notes(scorecard),
        findings=overview.findings(scorecard),
        stopped=overview.stopped(scorecard),
        provenance=_provenance(scorecard),
        words=words,
        style=Markup((here / STYLE).read_text(encoding="utf-8")),  # noqa: S704  # a file of ours
        script=Markup(script),  # noqa: S704  # the same
        # Nothing else runs on the page, even if a name of somebody's were to escape its quotes.
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )


def _model(
    scorecard: Scorecard,
    card: CardRecord,
    index: int,
    accepted: CardRecord | None,
    differences: Mapping[str, PairedDifferences],
) -> dict[str, Any]:
    arranged = gates(scorecard, card)
    # The gates that do not decide under this profile are shown all the same, further down.
    other = "5cat" if scorecard.profile == "skill" else "skill"
    worst = worst_tables(card)
    return {
        "card": card,
        "id": f"model-{index}",
        "what_now": what_now(scorecard, card),
        "gates": arranged,
        "notes": [*notes(arranged), *remarks(card)],
        "other_profile": other,
        "other_gates": gates(scorecard, card, other),
        "differences": difference_tables(differences),
        "figures": _figures(scorecard, card, accepted),
        "worst": worst,
        "has_text": any(row.target for table in worst for row in table.rows),
        "training": [found for found in [training_figure(card.training) if card.training else None] if found],
        "metric_tables": metric_tables(card),
        "skill_tables": skill_tables(card.skill),
        "skill_texts": overview.skill_texts(card.skill),
    }


def _figures(scorecard: Scorecard, card: CardRecord, accepted: CardRecord | None) -> list[Figure]:
    cards = {c.name.removeprefix(overview.CONTROL): c for c in scorecard.controls}
    behind = [
        Shown(_NAMES.get(name, name), look, cards[name])
        for name, look in _BEHIND.items()
        if name in cards and cards[name].name != card.name
    ]
    if accepted is not None:
        behind.append(Shown(f"accepted: {shorten(accepted.name)}", "accepted", accepted))
    shown = [*behind, Shown(shorten(card.name), "model", card)]
    limits = {gate: _limits(card.gate(gate)) for gate in ABSOLUTE}
    found: list[Figure | None] = [*gate_figures(shown, limits)]
    if card.skill.task is not None:
        found.append(skill_figure(shown))
    found.append(slice_figure(shown))
    return [one for one in found if one is not None]


def _with_code(text: str) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a name has one
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


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
