"""Whether two reports can be compared at all.

Everything that keeps them from it raises; there is no answer then, and a pipeline must refuse.
"""

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.results.reading import Report, check_comparable


class BrokenError(UserError):
    """The gate itself broke: the two cannot be compared, so nothing is known of the candidate."""


def check_fit(accepted: Report, candidate: Report) -> None:
    """Whether the sessions behind two reports were whole, and asked the same.

    Raises:
        UserError: another corpus, profile, rule, task or limit; a control that failed its check; an audit in the way.
    """
    check_comparable(accepted, candidate)
    a, b = accepted.scorecard, candidate.scorecard
    for name in ("profile", "profile_version", "require", "task"):
        mine, theirs = getattr(a, name), getattr(b, name)
        if mine != theirs:
            said = name.replace("_", " ")
            raise BrokenError(
                f"{accepted.label} has {said} {mine} and {candidate.label} {theirs}; gate both models by the same."
            )
    limits = [{(row.gate, row.label): row for row in card.thresholds} for card in (a, b)]
    if changed := [key for key in {**limits[0], **limits[1]} if limits[0].get(key) != limits[1].get(key)]:
        raise BrokenError(
            f"{accepted.label} and {candidate.label}: have other limits for {' '.join(changed[0])}; gate both by the "
            "same profile and added gates."
        )
    for report in (accepted, candidate):
        for control in report.scorecard.controls:
            if control.failed_checks:
                raise BrokenError(
                    f"{report.label}: {control.name} failed its check (not true that it {control.failed_checks[0]}), "
                    "so its metrics cannot be trusted; repair the corpus or the gates and gate again."
                )
        for audit in report.scorecard.audits:
            if audit.in_the_way:
                raise BrokenError(
                    f"{report.label}: data audit {audit.name}: {audit.status}; repair the corpus and gate again."
                )


def check_card(report: Report, card: CardRecord, *, accepted: bool) -> None:
    """Whether a model was judged by every gate, and on what it may be judged on.

    Raises:
        BrokenError: gates that did not run, or an accepted model that is no standard.
    """
    if card.not_run:
        raise BrokenError(
            f"{report.label}: {', '.join(card.not_run)} did not run for {card.name}; gate it again without leaving out "
            "gates."
        )
    if accepted and (fault := own_fault(card)):
        raise BrokenError(f"{report.label}: the accepted model is no standard to compare with ({fault}).")


def own_fault(card: CardRecord) -> str:
    """Why no metric of a model means anything; "" where they do."""
    if card.training_data is not None and card.training_data.status == "contaminated":
        return f"it was trained on what it is judged on: {card.training_data.detail}"
    return f"it broke while it was asked: {card.faults[0]}" if card.faults else ""
