"""Which articles are TRAIN, VAL and OOD: drawn alike in coherence, or by the original id ranges.

Splits are by article only. Windows overlap, so a random split of windows puts four fifths of each validation window
into training; the original trainers did that wherever a file carried no article ids.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from lvm_gates.harness.base.atomic import atomic_write, write_json
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate, cluster_mean, cluster_share
from lvm_gates.harness.base.seeding import sampling_rng
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus, open_corpus
from lvm_gates.harness.corpus.near_duplicates import NEAR, nearest
from lvm_gates.harness.corpus.splits import SPLITS, SplitName

# Each later split against those before it: what VAL and OOD have seen in TRAIN, and OOD in VAL.
PAIRS: tuple[tuple[SplitName, SplitName], ...] = (("VAL", "TRAIN"), ("OOD", "TRAIN"), ("OOD", "VAL"))
# Field of the record's "split" that holds `split_digest`.
DIGEST = "splits_sha256"


def article_coherence(corpus: Corpus) -> Float[np.ndarray, " a"]:
    """Mean cosine of adjacent chunks of each article; NaN for an article without two chunks in a row.

    A gap in the chunk indices is no adjacency: the chunks beside it are not neighbours in the text.
    """
    total = np.zeros(len(corpus.starts))
    pairs = np.zeros(len(corpus.starts))
    seconds = np.flatnonzero(corpus.run_start < np.arange(corpus.size))
    for part in slices(len(seconds), SCAN_ROWS):
        rows = seconds[part]
        cosine = np.einsum("nd,nd->n", corpus.vectors(rows), corpus.vectors(rows - 1), dtype=np.float64)
        total += np.bincount(corpus.article_of[rows], weights=cosine, minlength=len(total))
        pairs += np.bincount(corpus.article_of[rows], minlength=len(total))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / pairs)


def stratified_splits(
    coherence: Float[np.ndarray, " a"], *, val: float, ood: float, seed: int, strata: int
) -> Shaped[np.ndarray, " a"]:
    """Draw splits so that each quantile of coherence gives its share to each.

    Articles are lined up by coherence and shuffled inside each of ``strata`` equal quantiles; then every so many-th
    of the line is drawn. That keeps the totals exact and the strata within one article of their share.

    Args:
        coherence: of each article; those without one (NaN) stand at the end of the line.
        val: share of articles for VAL.
        ood: share of articles for OOD; the rest is TRAIN.
        seed: of the draw.
        strata: number of quantiles; 1 is a plain random split.

    Raises:
        UserError: shares that leave a split empty.
    """
    if not val + ood < 1:  # not a number, too
        raise UserError(f"--val {val} and --ood {ood} leave TRAIN empty; let them add to less than 1.")
    articles = len(coherence)
    wanted = {"VAL": round(val * articles), "OOD": round(ood * articles)}
    for name, share in (("VAL", val), ("OOD", ood)):
        if share > 0 and wanted[name] == 0:
            raise UserError(
                f"--{name.lower()} {share}: leaves {name} empty, as there are {articles} articles; ask for a larger "
                f"share, or for 0 to have no {name}."
            )
    if sum(wanted.values()) >= articles:
        raise UserError(
            f"--val {val} and --ood {ood} leave TRAIN empty ({articles} articles); let them add to less than 1."
        )
    rng = sampling_rng(seed)
    shuffled = rng.permutation(articles)
    line = shuffled[np.argsort(coherence[shuffled], kind="stable")]
    line = np.concatenate([rng.permutation(stratum) for stratum in np.array_split(line, strata)])
    splits = np.full(articles, "TRAIN", dtype="<U5")
    for name, count in wanted.items():
        free = line[splits[line] == "TRAIN"]
        splits[_evenly(free, count)] = name
    return splits


def _evenly(line: Shaped[np.ndarray, " n"], count: int) -> Shaped[np.ndarray, " count"]:
    """``count`` members of ``line``, spread evenly over it."""
    return line[(np.arange(count) * len(line) + len(line) // 2) // max(1, count)]


def range_splits(corpus: Corpus, *, val: list[int], ood: list[int], exclude: list[int]) -> Shaped[np.ndarray, " a"]:
    """Splits by article id: what is named goes to VAL and OOD, what is excluded nowhere, the rest to TRAIN.

    Raises:
        UserError: a range without an article of the corpus, an article in two of them, or nothing left for TRAIN.
    """
    named: dict[SplitName, list[int]] = {"VAL": val, "OOD": ood}
    dropped = set(exclude)
    if exclude and not dropped.intersection(corpus.article_ids.tolist()):
        raise UserError(
            f"{corpus.path}: --exclude names no article of the corpus, whose {corpus.id_range}; name existing "
            "articles or leave it out."
        )
    for split, ids in named.items():
        both = dropped.intersection(ids)
        if both:
            raise UserError(
                f"{corpus.path}: article {_named(corpus, min(both))} is in both {split} and --exclude; name it in one "
                "of them."
            )
    taken = dropped.union(val, ood)
    named["TRAIN"] = [int(a) for a in corpus.article_ids if int(a) not in taken]
    if not named["TRAIN"]:
        raise UserError(f"{corpus.path}: the ranges leave TRAIN empty; name fewer articles.")
    return np.asarray(corpus.with_splits({split: ids for split, ids in named.items() if ids}).splits)


def _named(corpus: Corpus, article_id: int) -> str:
    at = np.flatnonzero(corpus.article_ids == article_id)
    return corpus.article_name(int(at[0])) if len(at) else str(article_id)


class Shared(NamedTuple):
    """Chunks of one split that nearly equal a chunk of another."""

    split: SplitName
    other: SplitName
    near: int
    share: Estimate
    example: str
    """The closest pair, or nothing where no chunk is near."""


def shared_chunks(corpus: Corpus, pairs: Iterable[tuple[SplitName, SplitName]] = PAIRS) -> list[Shared]:
    """Near duplicates across splits, found by content (cosine above `NEAR`), whatever the article ids say."""
    found = []
    for split, other in pairs:
        rows, others = corpus.rows_of(corpus.articles(split)), corpus.rows_of(corpus.articles(other))
        if len(rows) == 0 or len(others) == 0:
            continue
        parts = [nearest(corpus.vectors(rows[part]), corpus, others) for part in slices(len(rows), SCAN_ROWS)]
        cosine = np.concatenate([part[0] for part in parts])
        where = np.concatenate([part[1] for part in parts])
        near = cosine > NEAR
        example = ""
        if near.any():
            at = int(np.argmax(cosine))
            example = (
                f"{corpus.describe_row(int(rows[at]))} and {corpus.describe_row(int(where[at]))}, "
                f"cosine {cosine[at]:.3f}"
            )
        share = cluster_share(near.astype(np.float64), corpus.article_of[rows])
        found.append(Shared(split, other, int(near.sum()), share, example))
    return found


def rewrite_splits(corpus: Corpus, splits: Shaped[np.ndarray, " a"], how: Mapping[str, Any]) -> Corpus:
    """Record new splits in the corpus folder; the vectors and so the fingerprint stay as they are.

    Two files change: the record, which holds a digest of the new splits, and then the splits. A kill between leaves a
    digest of splits that are not there. `check_split_record` finds that, and the same command finishes the work.
    """
    splits = splits.astype("<U5")
    counts = {name: int((splits == name).sum()) for name in SPLITS}
    record = {**how, "articles": counts, DIGEST: split_digest(corpus.article_ids, splits)}
    articles = {
        "article_ids": corpus.article_ids,
        "lengths": corpus.lengths,
        "chunk_index": corpus.chunk_index,
        "splits": splits,
    }
    with atomic_write(corpus.path / "articles.npz") as stream:
        np.savez(stream, allow_pickle=False, **articles)
        stream.flush()
        # A full disk has shown by now; what is left are two renames, that of the record first.
        write_json(corpus.path / "corpus.json", {**corpus.meta, "split": record})
    return open_corpus(corpus.path)


def split_digest(article_ids: Int[np.ndarray, " a"], splits: Shaped[np.ndarray, " a"]) -> str:
    """SHA-256 of which article is in which split."""
    digest = hashlib.sha256(np.ascontiguousarray(article_ids, dtype=np.int64).tobytes())
    digest.update("\n".join(splits.tolist()).encode())
    return digest.hexdigest()


def check_split_record(corpus: Corpus) -> Corpus:
    """The corpus, if its splits are those that its record speaks of; a record without a digest says nothing.

    Raises:
        UserError: `rewrite_splits` was killed between its two files.
    """
    record = corpus.meta.get("split")
    recorded = record.get(DIGEST) if isinstance(record, dict) else None
    if recorded not in (None, split_digest(corpus.article_ids, corpus.splits)):
        raise UserError(
            f"{corpus.path}: the splits in articles.npz are not those that corpus.json records, as a `lvm-data split` "
            "that was killed leaves them; run it again."
        )
    return corpus


def split_coherence(corpus: Corpus, coherence: Float[np.ndarray, " a"]) -> dict[SplitName, Estimate]:
    """Mean article coherence of each split that has articles; an article is one observation."""
    found: dict[SplitName, Estimate] = {}
    for split in SPLITS:
        articles = corpus.articles(split)
        articles = articles[np.isfinite(coherence[articles])]
        if len(articles):
            found[split] = cluster_mean(coherence[articles], articles)
    return found
