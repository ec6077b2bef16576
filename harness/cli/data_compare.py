"""``lvm-data compare``: what two corpora differ in, with intervals."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

    from lvm_gates.harness.corpus.corpus import Corpus
    from lvm_gates.harness.report.portraits import Side

_SPLIT = click.Choice(["TRAIN", "VAL", "OOD"], case_sensitive=False)


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--split-a", type=_SPLIT, help="Only these articles of A [default: all].")
@click.option("--split-b", type=_SPLIT, help="Only these articles of B [default: all].")
@click.option("--context", type=click.IntRange(min=1), default=5, show_default=True, help="Frames of context.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the sample of articles.")
def compare(a: Path, b: Path, split_a: str | None, split_b: str | None, context: int, seed: int) -> None:
    """Compare A with B (training with validation, say): coherence, lag curve, temporal signal, anisotropy.

    A and B are corpus folders or article NPZ files; name the same one twice, with --split-a=TRAIN --split-b=VAL, to
    compare its splits.
    """
    import numpy as np

    from lvm_gates.harness.report.layout import available
    from lvm_gates.harness.report.portraits import render_comparison

    one, two = _side(a, split_a, context, seed), _side(b, split_b, context, seed)
    same = np.array_equal(one.keys, two.keys)
    width = available(sys.stdout.isatty())
    click.echo(render_comparison(one, two, context=context, paired=same, colour=False, width=width), nl=False)


def _side(path: Path, split: str | None, context: int, seed: int) -> "Side":
    import numpy as np

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.corpus.corpus import check_vectors
    from lvm_gates.harness.corpus.corpus_statistics import portray, some_articles
    from lvm_gates.harness.corpus.opening import open_any
    from lvm_gates.harness.corpus.splits import SPLITS
    from lvm_gates.harness.report.portraits import Side

    corpus = open_any(path)
    articles = np.arange(len(corpus.starts))
    if split is not None:
        articles = corpus.articles(next(name for name in SPLITS if name == split))
        if len(articles) == 0:
            raise UserError(f"{path}: no {split} articles; leave the option out, or make a corpus with splits.")
    chosen = some_articles(corpus, articles, seed)
    check_vectors(corpus, corpus.rows_of(chosen))
    name = f"{path}, {split}" if split else str(path)
    return Side(name, portray([(corpus, chosen)], context), len(articles), _keys(corpus, chosen))


def _keys(corpus: "Corpus", articles: "np.ndarray") -> "np.ndarray":
    """What two corpora of the same articles share: ids and numbers of all chunks, whatever the encoder."""
    import hashlib

    import numpy as np

    rows = corpus.rows_of(articles)
    ids = corpus.article_ids
    if corpus.names is not None:  # numbers of text ids differ from corpus to corpus
        digests = [hashlib.blake2b(name.encode(errors="replace"), digest_size=8).digest() for name in corpus.names]
        ids = np.frombuffer(b"".join(digests), dtype=np.int64)
    return np.stack([ids[corpus.article_of[rows]], corpus.chunk_index[rows]])
