"""Many models of several reports in one table, ordered by what is certain of their skill.

Models of different corpora, or judged by different tasks, share no scale: each pair of corpus and task has a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, isfinite

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate
from lvm_gates.harness.base.visible import all_visible, visible
from lvm_gates.harness.report import overview, words
from lvm_gates.harness.results.ranking import Ranked, paired_skill
from lvm_gates.harness.results.reading import Report

REFERENCE = ("oracle", "persistence", "linear", "ewma")
ORDERED_BY = "OOD"


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        report: number of its report, from 1.
        val: its metrics on VAL.
        ood: its metrics on OOD.
        ranked: where it is from.
        tied: whether it cannot be told from the row above.
        behind: the row above minus this one, paired; None where they have no paired difference.
    """

    report: int
    val: overview.Line
    ood: overview.Line
    ranked: Ranked
    tied: bool = False
    behind: Estimate | None = None

    @property
    def skill(self) -> Estimate | None:
        """The task's metric on the split that orders the table."""
        return self.ood.metrics["skill"]


@dataclass(frozen=True)
class Board:
    """One table.

    Attributes:
        title: its corpus.
        models: best first.
        controls: of the first report of the corpus, for reference.
        reports: what the numbers in column # mean.
        explanation: of metrics and gates.
        task: of profile `skill`.
    """

    title: str
    models: Sequence[Entry]
    controls: Sequence[Entry]
    reports: Sequence[str]
    explanation: str
    task: str


def boards(reports: Sequence[Report]) -> list[Board]:
    """The tables, in the order in which their corpora first appear."""
    grouped: dict[tuple[str, str], list[tuple[int, Report]]] = {}
    for number, given in enumerate(reports, start=1):
        report = replace(given, scorecard=all_visible(given.scorecard))
        # A corpus that nobody can identify is comparable with no other.
        corpus = report.fingerprint or str(report.path)
        grouped.setdefault((corpus, str(report.scorecard.task)), []).append((number, report))
    return [_board(group) for group in grouped.values()]


def _board(group: Sequence[tuple[int, Report]]) -> Board:
    entries = [entry for number, report in group for entry in _entries(number, report)]
    models = sorted((entry for entry in entries if entry.val.is_model), key=_order)
    separated = [*models[:1], *(_beside(above, entry) for above, entry in pairwise(models))]
    number, first = group[0]
    shown = {entry.val.name: entry for entry in _entries(number, first) if not entry.val.is_model}
    title = f"corpus {first.scorecard.corpus.path}, {(first.fingerprint or '')[:12] or 'no fingerprint'}"
    return Board(
        f"{title}, task {first.scorecard.task}",
        separated,
        [shown[name] for name in REFERENCE if name in shown],
        [_report(number, report) for number, report in group],
        overview.explanation(first.scorecard),
        str(first.scorecard.task),
    )


def _entries(number: int, report: Report) -> list[Entry]:
    val, ood = (overview.lines(report.scorecard, split) for split in ("VAL", ORDERED_BY))
    names = [card.name for card in (*report.scorecard.models, *report.scorecard.controls)]
    return [Entry(number, v, o, Ranked(report, name)) for v, o, name in zip(val, ood, names, strict=True)]


def _order(entry: Entry) -> tuple[float, float, str]:
    """Largest lower bound first; undefined ones last, those that have a value at all before those that have none."""
    skill = entry.skill or UNDEFINED
    low, value = (-number if isfinite(number) else inf for number in (skill.low, skill.value))
    return low, value, entry.val.name


def _beside(above: Entry, below: Entry) -> Entry:
    behind = paired_skill(above.ranked, below.ranked, ORDERED_BY)
    if behind is not None and isfinite(behind.low):
        return replace(below, behind=behind, tied=behind.low <= 0.0 <= behind.high)
    return replace(below, tied=_tied(above, below))


def _tied(above: Entry, below: Entry) -> bool:
    if above.ood.beyond != below.ood.beyond:
        return True
    # The row above has the larger lower bound, so that the two overlap where the row below reaches up to it.
    lowest, highest = (above.skill or UNDEFINED).low, (below.skill or UNDEFINED).high
    return not highest < lowest  # also where one is not defined


def _report(number: int, report: Report) -> str:
    card = report.scorecard
    sizes = ", ".join(f"{words.count(of.windows)} {split}" for split, of in card.corpus.splits.items())
    return f"#{number} {visible(report.label)}: profile {card.profile}, require {card.require}, windows {sizes}"
