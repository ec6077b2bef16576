"""A scorecard in Markdown: what a pull request or a job summary has room for."""

from collections.abc import Iterator

from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.report import words
from lvm_gates.harness.report.markdown import markup, table
from lvm_gates.harness.report.view import SPLITS, gates, notes, remarks
from lvm_gates.harness.results.model import Scorecard


def render_markdown(scorecard: Scorecard) -> str:
    """Verdict, reasons and gates of each model; what fails of data and controls."""
    return "\n".join(_lines(all_visible(scorecard))).rstrip() + "\n"


def _lines(scorecard: Scorecard) -> Iterator[str]:
    for card in scorecard.models:
        yield from _model(scorecard, card)
    sizes = ", ".join(f"{words.count(of.windows)} {split}" for split, of in scorecard.corpus.splits.items())
    what = f"profile {scorecard.profile}, require {scorecard.require}, corpus {scorecard.corpus.path}, windows {sizes}"
    yield f"- {markup(what)}"
    for audit in scorecard.audits:
        if audit.status != "pass":
            yield f"- data audit {markup(audit.name)}: {markup(audit.status)}; {markup(audit.detail)}"
    for control in scorecard.controls:
        if control.failed_checks:
            untrue = ", that it ".join(control.failed_checks)
            yield f"- {markup(control.name)} fails its check: not true that it {markup(untrue)}"


def _model(scorecard: Scorecard, card: CardRecord) -> Iterator[str]:
    yield f"**{words.VERDICTS[card.verdict]}** {markup(card.name)}"
    yield ""
    yield from (f"- {markup(reason)}" for reason in card.reasons)
    yield ""
    arranged = gates(scorecard, card)
    rows = []
    for gate in arranged:
        rows.append([gate.title, "", "", "", gate.mark])
        rows += [
            [row.label, *(row.metric(s, bare=True) for s in SPLITS), row.wanted(bare=True), row.mark]
            for row in gate.rows
        ]
    yield from table(("gate, metric", "VAL [95 %]", "OOD [95 %]", "wanted", "mark"), rows)
    yield ""
    yield from (f"- {markup(note)}" for note in (*notes(arranged), *remarks(card)))
    yield ""
