"""Damaged and hostile NPZ article files, sequence files and corpus folders."""

from functools import cache
from pathlib import Path

import numpy as np

from ci.fuzzing import npz_damage, npz_hostile
from ci.fuzzing.cases import Case, Rng
from ci.fuzzing.corpora import corpus_case
from ci.fuzzing.npz_files import CONTEXT, article_arrays, digest, sequence_arrays

# How often each is done.
_MAKERS = {
    npz_damage.anywhere: 0.2,
    npz_damage.in_a_body: 0.15,
    npz_damage.in_the_directory: 0.1,
    npz_damage.field: 0.12,
    npz_damage.archive: 0.13,
    npz_hostile.header: 0.15,
    npz_hostile.values: 0.14,
    npz_damage.bomb: 0.01,
}


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: an article file, a sequence file or a corpus folder, in turn."""
    if index % 4 == 3:
        return corpus_case(rng, folder)
    sequences = index % 4 == 2
    arrays = sequence_arrays() if sequences else article_arrays()
    name, expected, content = list(_MAKERS)[int(rng.choice(len(_MAKERS), p=list(_MAKERS.values())))](
        arrays, rng, marker
    )
    path = folder / "in.npz"
    path.write_bytes(content)
    if sequences:
        return Case(f"sequences: {name}", expected, lambda: read_sequence_file(path), _truth(True))
    return Case(f"articles: {name}", expected, lambda: read_article_file(path), _truth(False))


@cache
def _truth(sequences: bool) -> str:
    if sequences:
        return digest(*(sequence_arrays()[key] for key in ("contexts", "targets", "article_ids", "target_indices")))
    return digest(*(article_arrays()[key] for key in ("embeddings", "article_ids", "chunk_indices")))


def read_article_file(path: Path) -> str:
    """As `lvm-data audit --articles-npz` reads it; every audit is run."""
    from lvm_gates.harness.audits import audit
    from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

    ranges = {"val_articles": "0-3", "ood_articles": "4-7"}
    arguments = CorpusArguments(articles_npz=path, **ranges)  # type: ignore[arg-type]
    inputs = resolve(arguments, context=CONTEXT, max_samples=100, horizon=1, seed=0)
    audit(inputs)
    corpus = inputs.corpus
    return digest(corpus.raw(np.arange(corpus.size)), corpus.article_ids[corpus.article_of], corpus.chunk_index)


def read_sequence_file(path: Path) -> str:
    """As `lvm-data rebuild` and `--val-npz` read it."""
    from lvm_gates.harness.corpus.importing.sequence_articles import recover_articles
    from lvm_gates.harness.corpus.npz import SequenceFile, read_articles, read_sequences

    store = path.with_name("store.npz")
    np.savez(store, **article_arrays())
    read_sequences(path, read_articles(store))
    recover_articles(path, path.with_name("scratch"))
    file = SequenceFile.open(path)
    empty = np.empty(0, dtype=np.int64)
    return digest(
        file.contexts,
        file.targets,
        empty if file.article_ids is None else file.article_ids,
        empty if file.positions is None else file.positions,
    )
