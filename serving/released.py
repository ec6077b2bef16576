"""What its scorecard says of a model: a file is served under the verdict on those very bytes, and on no others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.harness.results.folder import SCORECARD
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.results.reading import PUBLISHED, Report, read_report

RELEASE = "release"
UNJUDGED = "unjudged"


@dataclass(frozen=True)
class Standing:
    """A model's verdict, and where it is written.

    Attributes:
        verdict: "release", "hold", "blocked", or "unjudged" where no report knows the file.
        reasons: for it.
        gates: name -> whether it passed.
        profile: whose limits decided; None of an unjudged model.
        rule: the release rule.
        judged: when, UTC.
        report: folder of the report.
        corpus: fingerprint of the corpus it was judged on.
    """

    verdict: str
    reasons: tuple[str, ...] = ()
    gates: tuple[tuple[str, bool], ...] = ()
    profile: str | None = None
    rule: str | None = None
    judged: str | None = None
    report: str | None = None
    corpus: str | None = None

    @property
    def released(self) -> bool:
        """Whether it may be served without being asked for by name."""
        return self.verdict == RELEASE


def standing_of(identity: Identity, reports: Iterable[Path]) -> Standing:
    """The verdict on a model, from the first report that releases it, else from the newest that knows it.

    Args:
        identity: of the model as it was loaded; its digest counts, its name does not.
        reports: report folders. One that cannot be read counts as absent, and its reason is kept.
    """
    found: list[Standing] = []
    unreadable: list[str] = []
    for folder in reports:
        try:
            report = read_report(folder)
        except UserError as error:
            unreadable.append(brief(error))
            continue
        found += [_standing(report, card) for card in report.scorecard.models if _same(card, identity)]
    if not found:
        looked = "no report was found" if not unreadable else "; ".join(unreadable)
        return Standing(UNJUDGED, (f"no scorecard judges these bytes ({looked})",))
    return max(found, key=lambda each: (each.released, each.judged or ""))


def reports_near(model: str, root: Path) -> tuple[Path, ...]:
    """Report folders in the folder of a model file, and that folder itself."""
    folder = (root / model).parent
    return tuple(sorted(file.parent for pattern in (SCORECARD, f"*/{SCORECARD}") for file in folder.glob(pattern)))


def require_released(model: str, standing: Standing, reports: Sequence[Path]) -> None:
    """Refuse what no scorecard releases.

    Raises:
        UserError: it is not released.
    """
    if standing.released:
        return
    if standing.verdict == UNJUDGED:
        where = ", ".join(map(str, reports)) or "beside the model"
        raise UserError(
            f"{model}: {standing.reasons[0]}; gate it (lvm-gate {model} --report=DIR) and name the report with "
            f"--report DIR (looked in: {where}), or serve it unreleased with --allow-blocked."
        )
    why = standing.reasons[0] if standing.reasons else "no reason recorded"
    raise UserError(
        f"{model}: its scorecard {standing.report} says {standing.verdict} ({brief(why)}); serve one that is released, "
        "or this one with --allow-blocked, which every answer will say."
    )


def _same(card: CardRecord, identity: Identity) -> bool:
    if identity.sha256 is not None:
        return card.sha256 == identity.sha256
    return bool(identity.files) and card.files == dict(identity.files)


def _standing(report: Report, card: CardRecord) -> Standing:
    scorecard = report.scorecard
    # The original protocol measures otherwise and releases nothing, whatever is written there.
    verdict = "hold" if scorecard.profile == PUBLISHED and card.verdict == RELEASE else card.verdict
    return Standing(
        verdict,
        tuple(card.reasons),
        tuple(_gates(scorecard, card)),
        scorecard.profile,
        scorecard.require,
        scorecard.created,
        report.label,
        scorecard.corpus.fingerprint,
    )


def _gates(scorecard: Scorecard, card: CardRecord) -> list[tuple[str, bool]]:
    if scorecard.profile == "skill":
        own = [(name, gate.passed) for name, gate in card.skill.gates.items()]
    else:
        own = [(name, getattr(card.gates, name.lower()).passed) for name in "ABCDE"]
    return own + [(name, gate.passed) for name, gate in card.added_gates.items()]
