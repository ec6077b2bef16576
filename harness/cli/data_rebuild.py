"""``lvm-data rebuild``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lvm_gates.harness.corpus.importing.rebuild import Found


@click.command()
@click.argument("sequences", type=click.Path(path_type=Path))
@click.option("--articles-npz", type=click.Path(path_type=Path), required=True, help="The articles they came from.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for a corpus of the articles they are in.")
@click.option("--split", default="TRAIN", show_default=True, help="TRAIN, VAL or OOD: of every article in --out.")
@click.option("--sequences-out", type=click.Path(path_type=Path), help="NPZ for the rebuilt windows.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
def rebuild(
    sequences: Path, articles_npz: Path, out: Path | None, split: str, sequences_out: Path | None, overwrite: bool
) -> None:
    """Say what the windows of SEQUENCES really are, and rebuild them forward, contiguous and within one article.

    Every frame is found by content in --articles-npz, an article NPZ in the original format or a corpus folder. Without
    --out and --sequences-out nothing is written.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.base.suggest import did_you_mean
    from lvm_gates.harness.cli.outputs import require_free
    from lvm_gates.harness.corpus.importing.rebuild import find_windows, write_articles, write_sequences
    from lvm_gates.harness.corpus.opening import open_any
    from lvm_gates.harness.corpus.splits import SPLITS

    if split not in SPLITS:
        raise UserError(f"--split {split}: no such split; {did_you_mean(split, SPLITS)}.")
    for target in (out, sequences_out):
        if target is not None:
            require_free(target, overwrite)
    if sequences_out is not None and sequences_out.suffix != ".npz":
        raise UserError(f"--sequences-out {sequences_out}: is a file to be read again as NPZ; end its name in .npz.")
    found = find_windows(sequences, open_any(articles_npz))
    _show(found)
    windows = found.rebuilt()
    click.echo(f"{len(windows):,} distinct windows are rebuilt, each with {windows.context} chunks before its target.")
    if sequences_out is not None:
        write_sequences(windows, sequences_out)
        click.echo(f"{sequences_out}: {len(windows):,} windows")
    if out is not None:
        how = f"lvm-data rebuild {sequences.name} --articles-npz {articles_npz.name} --split {split}"
        corpus = write_articles(windows, out, split=split, how=how)
        click.echo(
            f"{out}: {len(corpus.starts)} articles ({split}), {corpus.size:,} chunks, {corpus.dim} dimensions; the "
            "articles are whole, so it holds every window of theirs"
        )


def _show(found: "Found") -> None:
    from rich.console import Console
    from rich.table import Table

    from lvm_gates.harness.base.metric_text import metric_text
    from lvm_gates.harness.corpus.importing.rebuild import KINDS

    table = Table("windows", "count", "share", "that are")
    rows = {kind: (found.kinds == kind, meaning) for kind, meaning in KINDS.items()}
    table.add_row("all", f"{len(found.kinds):,}", "", "")
    for kind, (flags, meaning) in rows.items():
        table.add_row(kind, f"{flags.sum():,}", metric_text(found.share(flags), bare=True), meaning)
        if kind == "crossing":
            _detail(table, found.older_only, "only its older frames cross (the original flag misses it)")
        if kind == "skipping":
            _detail(table, found.target_skips, "only the target is a chunk too far (P6)")
        if kind == "forward" and found.misnumbered.any():
            _detail(table, found.misnumbered, "its index fields name another chunk")
    Console().print(table)


def _detail(table, flags, meaning) -> None:  # type: ignore[no-untyped-def]
    table.add_row("", f"{flags.sum():,}", "", f"of these: {meaning}")
