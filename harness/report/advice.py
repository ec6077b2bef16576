"""What to do about a verdict: from a scorecard to at most three sentences for each model that is not released.

Where the session itself is at fault (leaked data, a model that broke), its metrics mean nothing and nothing is said of
them. Otherwise the controls come first: a gate that nothing passes, or that ridge passes too, says little of a model.
"""

import math
import shlex
from collections.abc import Iterator, Sequence

from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.judge import INCONCLUSIVE, Check, show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.report.reach import in_words, passed_by_trivial, unreachable
from lvm_gates.harness.report.view import SPLITS, profile_gates
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.results.paired import Difference

MOST = 3
_AUDITS = {
    "fingerprint": "Make or copy the corpus again: its content is not what its corpus.json records.",
    "unit norm": "Embed again the chunks that the audit names, or drop them: they have no direction.",
    "contiguity": "Number the chunks of each article in reading order (chunk_indices) and make the corpus again.",
    "windows": "`lvm-data rebuild` says what each window of the sequence file is; gate on the article file instead.",
    "disjoint articles": "Drop the copies, then let `lvm-data split` draw TRAIN, VAL and OOD by article.",
    "leaked windows": "Drop what is repeated, then let `lvm-data split` draw TRAIN, VAL and OOD by article.",
    "repeated frames": "Drop repeated chunks before embedding: where neighbours are equal, copying is right.",
}
_ANY_AUDIT = "Mend the corpus as the audit says; `lvm-data audit` looks at it again in seconds, without a model."
# What `harness.judging.release` says of a model that is broken, and what that usually comes from.
_BROKEN = {
    "not finite or has no direction": (
        "Find the contexts whose prediction is NaN, infinite or zero (half precision, a division by a norm of zero, "
        "diverged training) and gate the mended model."
    ),
    "collapsed on": (
        "It answers nearly the same whatever it reads: look for a learning rate that is too high, weights that were "
        "not loaded, or inputs scaled otherwise than in training."
    ),
    "not shown to be above zero": (
        "Its answers have nothing to do with the targets: check that it was trained on this encoder's embeddings, "
        "reads the oldest frame first, and gives no centred or whitened vectors."
    ),
}
_GATES = {
    "A": "the target of training must be the chunk after the last frame, and a copy of a frame must not score better",
    "B": "a loss that contrasts the target with the other chunks of its article moves this (recipe p7)",
    "C": "the model hardly reads what was spoiled: check that every frame and its position reach the network",
    "D": "its own predictions throw it off: train on rollouts (recipe p4), and keep predictions of unit norm",
    "E": "it is fitted to VAL's kind of text: train on more kinds, or stop earlier",
    "order": "it reads the context as a bag of frames: check that positions reach the network",
    "rollout": "its own predictions throw it off: train on rollouts (recipe p4), and keep predictions of unit norm",
    "spread": "its predictions copy a frame or crowd together: see distance to context and effective rank below",
    "generalisation": "the gain does not travel: train on more kinds of text, or stop earlier",
}


def what_now(scorecard: Scorecard, card: CardRecord) -> list[str]:
    """What to do, in at most `MOST` items; of a model that is released, what a trivial control does better.

    Args:
        scorecard: of the session.
        card: one of its models.
    """
    if card.verdict == "release":
        return [*passed_by_trivial(scorecard, card)]
    return [*_of_the_session(scorecard, card)][:MOST] or [*_of_the_gates(scorecard, card)][:MOST]


def _of_the_session(scorecard: Scorecard, card: CardRecord) -> Iterator[str]:
    """What stands in the way of any judgement."""
    if card.faults:
        yield (
            f"Mend what broke; `lvm-gate --dry-run {shlex.quote(card.name)}` asks the model a little, in seconds, and "
            "says whether that was all."
        )
    failed = [control.name for control in scorecard.controls if control.failed_checks]
    if failed:
        yield (
            f"The data or the gates are at fault, not the model: {failed[0]} did what no {_plain(failed[0])} can do. "
            "See whether `lvm-data audit` finds why; if not, report it as a bug."
        )
    for audit in scorecard.audits:
        if audit.in_the_way:
            yield _AUDITS.get(audit.name, _ANY_AUDIT)
    if card.training_data is not None and card.training_data.status == "contaminated":
        yield (
            "Judge it on articles that it has not seen: `lvm-data split` draws TRAIN, VAL and OOD by article; train on "
            "that TRAIN and gate again."
        )
    for said, advice in _BROKEN.items():
        if any(said in reason for reason in card.reasons):
            yield advice
    if any(reason.startswith("incomplete:") for reason in card.reasons):
        yield "Run every gate: leave out -k, --deselect and whatever else selects tests."
    yield from _too_few(scorecard, card)


def _plain(control: str) -> str:
    return control.removeprefix("control:").replace("-", " ")


def _too_few(scorecard: Scorecard, card: CardRecord) -> Iterator[str]:
    """How many articles would be enough where there are not."""
    short = [check for check in _checks(scorecard, card) if check.note.startswith(INCONCLUSIVE)]
    # The metric that is worst off decides: more of everything else comes along.
    worst = min(short, key=lambda check: (check.metric.articles, check.metric.n), default=None)
    if worst is None:
        return
    found = worst.note.removeprefix(f"{INCONCLUSIVE}: ").removesuffix(" are needed")
    sizes = [size.articles for size in scorecard.corpus.splits.values() if size.articles]
    wanted = ""
    have, _, need = found.partition(" ")[0], "", found.rpartition(" ")[2]
    if sizes and have.isdecimal() and need.isdecimal():
        times = math.inf if have == "0" else int(need) / int(have)
        wanted = f" (about {math.ceil(min(sizes) * times)} a split)" if times < math.inf else " (many more)"
    yield (
        f"Too little to judge: {worst.label} of gate {worst.gate} has {found}. Give VAL and OOD more articles{wanted}: "
        "by larger shares of `lvm-data split`, or wider --val-articles and --ood-articles."
    )


def _of_the_gates(scorecard: Scorecard, card: CardRecord) -> Iterator[str]:
    """What the gates that it failed mean here, the controls' own results first."""
    failed = [name for name, gate in profile_gates(scorecard.profile, card).items() if not gate.passed]
    out_of_reach = [name for name in failed if name in unreachable(scorecard)]
    if out_of_reach:
        gates = f"gate{'s' if len(out_of_reach) > 1 else ''} {in_words(out_of_reach)}"
        yield (
            f"Only the oracle, which is shown the answer, passes {gates} on this corpus, and no mean, copy or linear "
            "fit: use `--profile=skill`, which asks whether the model beats all of these."
        )
    yield from passed_by_trivial(scorecard, card)
    if "frontier" in failed:
        yield from _gain_needed(card)
    own = [name for name in failed if name not in out_of_reach and name in _GATES]
    if own:
        yield f"Gate {own[0]}: {_peak(card) if own[0] == 'A' else ''}{_GATES[own[0]]}."
    elif failed and failed[0] in card.added_gates:
        yield f"Gate {failed[0]} was added from outside: its author knows what it asks for."


def _peak(card: CardRecord) -> str:
    peak = card.gates.a.val.peak
    return "" if peak in (1, None) else f"the prediction is nearest to {show_offset(peak)} where k=+1 is the target; "


def _gain_needed(card: CardRecord) -> Iterator[str]:
    """How large a gain has to be, or how many articles would show the one that there is."""
    found = {split: skill.task_metric for split in SPLITS if (skill := card.skill.of(split)) is not None}
    floor = max((c.limit for c in card.skill.gates["frontier"].checks if c.relation == ">="), default=0.0)
    failing = {c.split for c in card.skill.gates["frontier"].checks if not c.passed}
    known = {split: metric for split, metric in found.items() if split in failing and math.isfinite(metric.value)}
    if not known:
        return
    split, gain = min(known.items(), key=lambda item: item[1].value)
    visible = Difference("", math.nan, math.nan, gain).detectable
    value = words.number(gain.value, signed=True, bare=True)
    articles = f"{gain.articles} articles"
    least = f"at least {words.number(floor, signed=True, bare=True)}"
    if gain.value < floor or not math.isfinite(visible):
        text = f"Its gain over predictors that need no network is {value} on {split}, and {least} is wanted"
        if math.isfinite(visible):
            text += (
                f"; with {articles} one of {words.number(max(visible, floor), bare=True)} is seen four times in five"
            )
        yield f"{text}."
        return
    enough = math.ceil(gain.articles * (visible / gain.value) ** 2)
    yield (
        f"Its gain of {value} on {split} may be chance with {articles}: about {words.count(enough)} would show it four "
        f"times in five, and so would a gain of {words.number(max(visible, floor), bare=True)} on these."
    )


def _checks(scorecard: Scorecard, card: CardRecord) -> Sequence[Check]:
    return [check for gate in profile_gates(scorecard.profile, card).values() for check in gate.checks]
