"""Several files of vectors as one corpus folder, split by article."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.base.seeding import sampling_rng
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.chunk_text import ChunkText
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, UNASSIGNED, Corpus, check_vectors, write_corpus
from lvm_gates.harness.corpus.corpus_advice import no_vectors
from lvm_gates.harness.corpus.importing.sequence_articles import recover_articles
from lvm_gates.harness.corpus.npz import is_sequence_file, read_articles
from lvm_gates.harness.corpus.tables.gather import Gathered, gather, texts_in_order
from lvm_gates.harness.corpus.tables.opening import TableOptions, is_table, open_table


class _Part(NamedTuple):
    corpus: Corpus
    source: dict[str, Any]
    texts: ChunkText | None = None


def join_articles(
    files: Sequence[Path],
    out: Path,
    *,
    val: float,
    ood: float,
    seed: int,
    names: Sequence[str] | None = None,
    options: TableOptions | None = None,
) -> Corpus:
    """Read article and sequence NPZ files and tables of vectors, and split their articles at random.

    Articles keep their ids where no two files share one, so that original id ranges go on naming them; else they are
    numbered 0, 1, 2 … in order. Chunks pass through in blocks; the vectors are never in memory as a whole.

    Args:
        files: of one encoder: original NPZ files, and what `open_table` reads.
        out: the corpus folder to write.
        val: share of articles for VAL.
        ood: share of articles for OOD; the rest is TRAIN.
        seed: of the split.
        names: what to call the files in the record, where they are conversions of others.
        options: what the user said of tables.

    Raises:
        UserError: a file that cannot be read, or files of different dimensions.
    """
    if not val + ood < 1:  # not a number, too
        raise UserError(f"--val {val} and --ood {ood} leave no articles for TRAIN; let them add to less than 1.")
    names = [path.name for path in files] if names is None else names
    options = options or TableOptions()
    parts = [_read(path, name, out, options) for path, name in zip(files, names, strict=True)]
    corpora = [part.corpus for part in parts]
    for corpus in corpora:
        if corpus.dim != corpora[0].dim:
            raise UserError(
                f"{corpus.path}: {corpus.dim} dimensions where {corpora[0].path} has {corpora[0].dim}; join files of "
                "one encoder."
            )
        check_vectors(corpus, np.arange(corpus.size))
    vectors = scratch_array(out, (sum(corpus.size for corpus in corpora), corpora[0].dim), "float16")
    begin = 0
    for corpus, part in zip(corpora, parts, strict=True):
        off = 0.0
        for block in slices(corpus.size, SCAN_ROWS):
            rows = np.arange(block.start, block.stop)
            vectors[begin + block.start : begin + block.stop] = corpus.vectors(rows)
            off = max(off, float(np.abs(np.linalg.norm(corpus.raw(rows), axis=1) - 1).max()))
        begin += corpus.size
        part.source["norms_off_by"] = off
    lengths = np.concatenate([corpus.lengths for corpus in corpora])
    articles = _article_ids(corpora, names)
    return write_corpus(
        out,
        vectors,
        lengths,
        splits=_split(len(lengths), val, ood, seed),
        article_ids=articles.ids,
        chunk_index=np.concatenate([corpus.chunk_index for corpus in corpora]),
        meta={
            "kind": "imported",
            # Numbers that a file did not have were counted up; that nothing is missing between them nobody knows.
            "chunk_indices": "absent" if any(_uncounted(corpus) for corpus in corpora) else "present",
            "how": f"lvm-data import {' '.join(names)} --val {val} --ood {ood} --seed {seed}",
            "article_ids": "as in the files" if articles.kept else "numbered anew",
            "sources": [part.source for part in parts],
        },
        dtype="float16",
        texts=_texts(parts) if any(part.texts for part in parts) else None,
        names=articles.names,
    )


def _read(path: Path, name: str, out: Path, options: TableOptions) -> _Part:
    source: dict[str, Any] = {"file": name}
    texts = None
    if is_table(path):
        table = open_table(path, options)
        corpus, texts = gather(table, out)
        source |= {"format": table.what, "columns": dict(table.columns)}
    elif path.suffix == ".npz":
        if is_sequence_file(path):
            recovered = recover_articles(path, out)
            corpus = recovered.corpus
            source |= {"windows": recovered.windows, "contradicting_windows": recovered.contradicting}
        else:
            corpus = read_articles(path)
    else:
        raise no_vectors(path)
    return _Part(corpus, source | {"articles": len(corpus.lengths), "chunks": corpus.size}, texts)


def _texts(parts: Sequence[_Part]) -> Iterator[str]:
    for part in parts:
        yield from texts_in_order(Gathered(part.corpus, part.texts))


def _uncounted(corpus: Corpus) -> bool:
    return corpus.meta.get("chunk_indices") == "absent"


class _Articles(NamedTuple):
    """Ids of the joined articles.

    Attributes:
        ids: None for 0, 1, 2 …
        names: where a file has text for ids.
        kept: whether every article has the id that it has in its file.
    """

    ids: Int[np.ndarray, " a"] | None
    names: list[str] | None
    kept: bool


def _article_ids(corpora: Sequence[Corpus], files: Sequence[str]) -> _Articles:
    if all(corpus.names is None for corpus in corpora):
        ids = np.concatenate([corpus.article_ids for corpus in corpora])
        kept = len(np.unique(ids)) == len(ids)
        return _Articles(ids if kept else None, None, kept)
    own = [corpus.names or tuple(map(str, corpus.article_ids.tolist())) for corpus in corpora]
    names = [name for part in own for name in part]
    kept = len(set(names)) == len(names)
    if not kept:
        names = [f"{i} {file}: {name}" for i, (file, part) in enumerate(zip(files, own, strict=True)) for name in part]
    return _Articles(None, names, kept)


def _split(articles: int, val: float, ood: float, seed: int) -> Shaped[np.ndarray, " a"]:
    shuffled = sampling_rng(seed).permutation(articles)
    splits = np.full(articles, UNASSIGNED, dtype="<U5")
    counts = np.diff(np.round(np.cumsum([0, val, ood]) * articles).astype(int))
    # What is asked for is an article at least, if that leaves one to train on: no session judges without VAL and OOD.
    some = np.maximum(counts, [val > 0, ood > 0])
    ends = np.cumsum(some if some.sum() < articles else counts)
    splits[shuffled[: ends[0]]] = "VAL"
    splits[shuffled[ends[0] : ends[1]]] = "OOD"
    splits[shuffled[ends[1] :]] = "TRAIN"
    return splits
