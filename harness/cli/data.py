"""``lvm-data``: make, import and audit corpora."""

from pathlib import Path

import click

from lvm_gates.harness.base.launched import launched
from lvm_gates.harness.cli.data_compare import compare
from lvm_gates.harness.cli.data_embed import embed
from lvm_gates.harness.cli.data_import import import_
from lvm_gates.harness.cli.data_rebuild import rebuild
from lvm_gates.harness.cli.data_score import score
from lvm_gates.harness.cli.data_split import split
from lvm_gates.harness.cli.together import SharedGroup


@click.group(cls=SharedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(ctx: click.Context) -> None:
    """Make, import and audit corpora of chunk embeddings."""
    if launched() and ctx.invoked_subcommand != embed.name:
        raise click.UsageError(f"{ctx.invoked_subcommand} is one process; leave out torchrun.")


main.add_command(embed)


@main.command()
@click.option("--world", required=True, help="switch, wiki, prose, arrow, reversed, shuffled or leaky.")
@click.option("--articles", type=int, help="Number of articles [default: the dataset's own].")
@click.option("--dim", type=int, help="Width of an embedding [default: the dataset's own].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the corpus.")
@click.option("--overwrite", is_flag=True, help="Replace a corpus that is there.")
def synth(world: str, articles: int | None, dim: int | None, seed: int, out: Path, overwrite: bool) -> None:
    """Draw a synthetic dataset, whose best possible predictor is known (control:bayes)."""
    from lvm_gates.harness.cli.outputs import require_free
    from lvm_gates.harness.worlds.world import synthesise

    require_free(out, overwrite)
    corpus = synthesise(world, out, articles=articles, dim=dim, seed=seed)
    click.echo(
        f"{out}: dataset {world}, {len(corpus.starts)} articles, {corpus.size:,} chunks, {corpus.dim} dimensions"
    )


@main.command()
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Corpus folder [default: the built-in synthetic dataset]."
)
@click.option("--articles-npz", type=click.Path(path_type=Path), help="Article NPZ in the original format.")
@click.option("--val-articles", help="Article ids of VAL: 0-29, or @FILE.")
@click.option("--ood-articles", help="Article ids of OOD: 30-59, or @FILE.")
@click.option("--train-corpus", type=click.Path(path_type=Path), multiple=True, help="Where models were trained.")
@click.option("--context", type=click.IntRange(min=1), default=5, show_default=True, help="Frames of context.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.pass_context
def audit(
    ctx: click.Context,
    corpus: Path | None,
    articles_npz: Path | None,
    val_articles: str | None,
    ood_articles: str | None,
    train_corpus: tuple[Path, ...],
    context: int,
    seed: int,
) -> None:
    """Audit the data of a gate run; exit 1 if an audit fails, or if one that a release requires cannot be checked."""
    from rich.console import Console
    from rich.table import Table

    from lvm_gates.harness.audits import audit as run_audits
    from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
    from lvm_gates.harness.worlds.world import default_corpus

    arguments = CorpusArguments(
        corpus=corpus,
        articles_npz=articles_npz,
        val_articles=val_articles,
        ood_articles=ood_articles,
        train_corpus=train_corpus,
    )
    fallback = default_corpus() if corpus is None and articles_npz is None else None
    inputs = resolve(arguments, context=context, max_samples=5000, horizon=1, seed=seed, fallback=fallback)
    found = run_audits(inputs)
    table = Table("audit", "status", "detail")
    for one in found:
        table.add_row(one.name, one.status, one.detail)
    Console().print(table)
    if any(one.blocks for one in found):
        ctx.exit(1)


main.add_command(split)
main.add_command(rebuild)
main.add_command(import_)
main.add_command(score)
main.add_command(compare)

if __name__ == "__main__":
    main(prog_name="lvm-data")
