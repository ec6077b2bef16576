"""``lvm-data split``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lvm_gates.harness.base.estimate import Estimate
    from lvm_gates.harness.corpus.corpus import Corpus
    from lvm_gates.harness.corpus.splits import SplitName
    from lvm_gates.harness.corpus.splitting import Shared


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--val", type=click.FloatRange(0, 1), help="Share of articles for VAL [default: 0.1].")
@click.option("--ood", type=click.FloatRange(0, 1), help="Share of articles for OOD [default: 0.1].")
@click.option("--strata", type=click.IntRange(min=1), help="Quantiles of coherence drawn from alike [default: 10].")
@click.option("--seed", type=click.IntRange(min=0), help="Of the draw [default: 0].")
@click.option("--val-articles", help="Article ids of VAL, such as 4000-4499, instead of drawing them.")
@click.option("--ood-articles", help="Article ids of OOD, such as 1500-1999.")
@click.option("--exclude", help="Article ids of no split, such as 7672-8470.")
def split(
    corpus: Path,
    val: float | None,
    ood: float | None,
    strata: int | None,
    seed: int | None,
    val_articles: str | None,
    ood_articles: str | None,
    exclude: str | None,
) -> None:
    """Assign the articles of CORPUS to TRAIN, VAL and OOD.

    Drawn at random from each quantile of article coherence, or named by article id; then chunks that nearly equal one
    of another split are counted.
    """
    import numpy as np

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.corpus.article_lists import listed_articles
    from lvm_gates.harness.corpus.corpus import check_vectors, open_corpus
    from lvm_gates.harness.corpus.splitting import (
        article_coherence,
        range_splits,
        rewrite_splits,
        shared_chunks,
        split_coherence,
        stratified_splits,
    )

    by_id = {"val_articles": val_articles, "ood_articles": ood_articles, "exclude": exclude}
    drawn = {"val": val, "ood": ood, "strata": strata, "seed": seed}
    named = {name: text for name, text in by_id.items() if text is not None}
    if named and any(value is not None for value in drawn.values()):
        raise UserError(
            "--val-articles, --ood-articles and --exclude name articles, --val, --ood, --strata and --seed draw them; "
            "give options of one kind."
        )
    if corpus.suffix == ".npz":
        raise UserError(f"{corpus}: is an NPZ, which holds no splits; make a corpus of it with `lvm-data import`.")
    opened = open_corpus(corpus)
    check_vectors(opened, np.arange(opened.size))
    coherence = article_coherence(opened)
    how: dict[str, object]
    if named:
        ids = {name: listed_articles(opened, text, f"--{name.replace('_', '-')}") for name, text in named.items()}
        splits = range_splits(
            opened, val=ids.get("val_articles", []), ood=ids.get("ood_articles", []), exclude=ids.get("exclude", [])
        )
        how = {"by": "article ids", **named}
    else:
        shares = {"val": 0.1 if val is None else val, "ood": 0.1 if ood is None else ood}
        strata, seed = strata or 10, seed or 0
        splits = stratified_splits(coherence, val=shares["val"], ood=shares["ood"], seed=seed, strata=strata)
        how = {"by": "strata of coherence", **shares, "strata": strata, "seed": seed}
    written = rewrite_splits(opened, splits, how)
    _show(written, split_coherence(written, coherence), shared_chunks(written))


def _show(corpus: "Corpus", coherence: "dict[SplitName, Estimate]", shared: "list[Shared]") -> None:
    from rich.console import Console
    from rich.table import Table

    from lvm_gates.harness.base.metric_text import metric_text
    from lvm_gates.harness.corpus.near_duplicates import NEAR

    console = Console()
    table = Table("split", "articles", "chunks", "coherence of articles")
    for split in ("TRAIN", "VAL", "OOD", ""):
        articles = (corpus.splits == split).nonzero()[0]
        if len(articles):
            metric = metric_text(coherence[split], bare=True, count=True) if split in coherence else ""
            table.add_row(split or "none", f"{len(articles):,}", f"{corpus.lengths[articles].sum():,}", metric)
    console.print(table)
    click.echo(f"Chunks with a cosine above {NEAR} to a chunk of another split, by content:")
    for one in shared:
        example = f"; closest: {one.example}" if one.example else ""
        click.echo(
            f"  {one.split} in {one.other}: {one.near:,}, "
            f"share {metric_text(one.share, bare=True, count=True)}{example}"
        )
