"""Has a model seen what it is judged on? By content: renaming or re-splitting a corpus hides nothing.

A trainer records the hash of every article it trained on in the checkpoint; a gate compares them with the articles of
VAL and OOD.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from harness.corpus import Corpus
from harness.inputs import Inputs

# Field of a checkpoint that lists the hashes.
RECORD = "train_article_hashes"


def article_hashes(corpus: Corpus, articles: Int[np.ndarray, " m"]) -> dict[str, int]:
    """Content hash of each article -> its id.

    The signs of the coordinates are hashed: a float16 copy, or one that was normalised again, has the same signs.
    """
    hashes = {}
    for article in articles:
        rows = np.arange(corpus.starts[article], corpus.starts[article] + corpus.lengths[article])
        digest = hashlib.blake2b(np.packbits(corpus.raw(rows) > 0).tobytes(), digest_size=16)
        hashes[digest.hexdigest()] = int(corpus.article_ids[article])
    return hashes


def contamination(provenance: Mapping[str, Any] | None, inputs: Inputs) -> list[str]:
    """For each split on whose articles the model was trained, by its own record, one sentence; [] without a record."""
    recorded = (provenance or {}).get(RECORD)
    if not isinstance(recorded, list):
        return []
    seen = set(recorded)
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
