"""``lvm-data import``."""

import tempfile
from pathlib import Path

import click


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the corpus.")
@click.option("--val", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of articles for VAL.")
@click.option("--ood", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of articles for OOD.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the split.")
@click.option(
    "--trust-pickle",
    is_flag=True,
    help="Read object arrays too, which RUNS CODE that whoever made the file chose: only for files you trust. With "
    "--out NAME.npz the file is converted once to a plain NPZ and nothing else.",
)
@click.option("--vector-column", help="Of a table: lists of floats, or lists of those, a row then being an article.")
@click.option("--article-column", help="Of a table: the article of each row, numbers or text.")
@click.option("--chunk-column", help="Of a table: the number of each chunk in its article [default: the rows' order].")
@click.option("--text-column", help="Of a table: what was embedded; kept beside the vectors.")
@click.option(
    "--article-ids", type=click.Path(path_type=Path), help="Beside .npy or FAISS: .npy, .txt or JSON lines, by row."
)
@click.option("--chunk-numbers", type=click.Path(path_type=Path), help="Beside .npy or FAISS.")
@click.option("--texts", type=click.Path(path_type=Path), help="Beside .npy or FAISS.")
@click.option("--overwrite", is_flag=True, help="Replace a corpus that is there.")
def import_(
    files: tuple[Path, ...],
    out: Path,
    val: float,
    ood: float,
    seed: int,
    trust_pickle: bool,
    vector_column: str | None,
    article_column: str | None,
    chunk_column: str | None,
    text_column: str | None,
    article_ids: Path | None,
    chunk_numbers: Path | None,
    texts: Path | None,
    overwrite: bool,
) -> None:
    """Join files of vectors into one corpus, split at random by article.

    Parquet, Arrow, folders of either, Hugging Face data sets and JSON lines, with a vector or all of an article in a
    row; .npy and flat FAISS indexes, with the article of each row in a file beside them (.npy, .txt or JSON lines);
    article and sequence NPZ files in the original format. Columns and files of the usual names are found; what they
    were taken for is printed.
    """
    from lvm_gates.harness.audits.store import UNIT_NORM_SLACK
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.cli.outputs import require_free
    from lvm_gates.harness.corpus.importing.joining import join_articles
    from lvm_gates.harness.corpus.importing.trusted_pickle import RISK
    from lvm_gates.harness.corpus.tables.columns import ColumnNames
    from lvm_gates.harness.corpus.tables.opening import TableOptions
    from lvm_gates.harness.corpus.tables.side_files import SideFiles

    plain = out.suffix == ".npz"
    if plain and not (trust_pickle and len(files) == 1):
        raise UserError(
            f"--out {out}: a corpus is a folder; name one, or give one file and --trust-pickle to convert that to a "
            "plain NPZ."
        )
    if plain and out.resolve() == files[0].resolve():
        raise UserError(f"--out {out}: is the file to convert; name another.")
    require_free(out, overwrite)
    names = [file.resolve().name for file in files]
    options = TableOptions(
        ColumnNames(vector_column, article_column, chunk_column, text_column),
        SideFiles(article_ids, chunk_numbers, texts),
    )
    if len(files) > 1 and options.sides != SideFiles():
        raise UserError("--article-ids, --chunk-numbers and --texts belong to one file; import files one by one.")
    if not trust_pickle:
        corpus = join_articles(files, out, val=val, ood=ood, seed=seed, names=names, options=options)
    else:
        click.echo(f"--trust-pickle: {RISK}; it is read here, once.", err=True)
        if plain:
            _convert(files[0], out)
            click.echo(f"{out}: plain NPZ")
            return
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".lvm-import.") as folder:
            converted = [Path(folder) / f"{i}-{name}" for i, name in enumerate(names)]
            for file, target in zip(files, converted, strict=True):
                _convert(file, target)
            corpus = join_articles(converted, out, val=val, ood=ood, seed=seed, names=names)
    counts = ", ".join(f"{len(corpus.articles(split))} {split}" for split in ("TRAIN", "VAL", "OOD"))
    click.echo(f"{out}: {len(corpus.starts)} articles ({counts}), {corpus.size:,} chunks, {corpus.dim} dimensions")
    if corpus.meta["article_ids"] == "numbered anew":
        click.echo(
            "articles of two files have one id, so all were named anew; parts of one table belong into one folder, "
            "which is imported whole"
        )
    for source in corpus.meta["sources"]:
        if "columns" in source:
            taken = ", ".join(f"{role} from {column}" for role, column in source["columns"].items())
            click.echo(f"{source['file']}: {source['format']}, {taken}")
        if source["norms_off_by"] > UNIT_NORM_SLACK:
            click.echo(f"{source['file']}: norms were off by up to {source['norms_off_by']:.2g}; normalised on import")
        if "windows" in source:
            click.echo(
                f"{source['file']}: {source['windows']:,} windows, of which {source['contradicting_windows']:,} do not "
                "hold the chunks before their target (they cross articles or skip a chunk); only targets are taken "
                "from articles of theirs"
            )


def _convert(file: Path, target: Path) -> None:
    from lvm_gates.harness.corpus.importing.trusted_pickle import convert

    for line in convert(file, target):
        click.echo(f"{file}: {line}", err=True)
