"""Has a model seen what it is judged on? By content: renaming or re-splitting a corpus hides nothing.

A trainer records in the checkpoint the hash of every article it trained on and the signature of every chunk
(`harness.leaks`); a gate looks for the articles and windows of VAL and OOD among them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.splits import SplitName
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.leaks.record import TrainingRecord

# Field of a checkpoint that lists the hashes.
RECORD = "train_article_hashes"

# Share of leaked windows beyond which a split is no test. They are left out, so what still flatters is what was not
# found, at most a twentieth of them. Held-out articles that nobody leaked have .001 (Wikipedia, Brown), .004 (speeches)
# and, where revised documents repeat one another, .019 to .056 (four draws of 60 PEPs; docs/leaks.md).
MAX_LEAKED = 0.1


def article_hashes(corpus: Corpus, articles: Int[np.ndarray, " m"]) -> dict[str, str]:
    """Content hash of each article -> its id as the source has it.

    The signs of the coordinates are hashed: a float16 copy, or one that was normalised again, has the same signs.
    """
    hashes = {}
    for article in articles:
        rows = np.arange(corpus.starts[article], corpus.starts[article] + corpus.lengths[article])
        digest = hashlib.blake2b(np.packbits(corpus.raw(rows) > 0).tobytes(), digest_size=16)
        hashes[digest.hexdigest()] = corpus.article_name(int(article))
    return hashes


@dataclass(frozen=True)
class TrainingData:
    """Whether a model has seen what it is judged on.

    Attributes:
        status: "clean" only where the record covers every chunk that it was trained on.
        detail: one sentence.
        reasons: what blocks the model, none unless contaminated.
    """

    status: Literal["clean", "contaminated", "not checkable"]
    detail: str
    reasons: tuple[str, ...] = ()


def judge_training_data(
    provenance: Mapping[str, Any] | None,
    record: TrainingRecord | None,
    recorded: Mapping[SplitName, Bool[np.ndarray, " _"]],
    inputs: Inputs,
) -> TrainingData:
    """By the model's own record: are judged articles in it, or too many judged windows?

    What cannot be checked does not block: no original checkpoint has a record. It is said beside the verdict.

    Args:
        provenance: metadata of the checkpoint, which may list hashes of whole articles.
        record: of the chunks it was trained on, None where there is none.
        recorded: split -> windows that were found in ``record``.
        inputs: what it is judged on.
    """
    hashes = (provenance or {}).get(RECORD)
    reasons = _judged_articles(hashes, inputs) if isinstance(hashes, list) else []
    shares = []
    for split, leaked in recorded.items():
        shares.append(f"{leaked.sum():,} of {len(leaked):,} {split} windows")
        if leaked.mean() > MAX_LEAKED:
            reasons.append(f"contaminated: {shares[-1]} stand in what it was trained on, more than {MAX_LEAKED:.0%}")
    if reasons:
        return TrainingData("contaminated", "; ".join(reasons), tuple(reasons))
    if record is None:
        detail = "the model records no chunks that it was trained on, so it may have seen these"
        if isinstance(hashes, list):
            detail = "no judged article is among those that it records; copies of parts cannot be seen by that"
        return TrainingData("not checkable", detail)
    detail = f"{', '.join(shares)} stand in what it records and are left out"
    if not record.complete:
        return TrainingData("not checkable", f"{detail}; it started from weights that record no chunks")
    return TrainingData("clean", detail)


def _judged_articles(hashes: list[Any], inputs: Inputs) -> list[str]:
    """For each split on whose articles the model was trained one sentence."""
    seen = {one for one in hashes if isinstance(one, str)}
    found = []
    for split, evaluation in inputs.evaluation.items():
        judged = article_hashes(inputs.corpus, evaluation.articles)
        if both := judged.keys() & seen:
            example = judged[min(both)]
            found.append(
                f"contaminated: trained on {len(both)} of the {len(judged)} {split} articles "
                f"(article {example}, for one)"
            )
    return found
