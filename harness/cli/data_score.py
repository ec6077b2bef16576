"""``lvm-data score``."""

from pathlib import Path

import click


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Corpus folder or article NPZ.")
@click.option("--split", help="TRAIN, VAL or OOD [default: TRAIN, or everything where there are no splits].")
@click.option("--context", type=click.IntRange(min=1), default=5, show_default=True, help="Frames of context.")
@click.option("--by", help="Score whose stages are written: as-run, plan, corrected or advantage.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for stage_a.npy, stage_b.npy and stage_c.npy.")
@click.option("--overwrite", is_flag=True, help="Replace stages that are there.")
def score(corpus: Path, split: str | None, context: int, by: str | None, out: Path | None, overwrite: bool) -> None:
    """Show which windows each original curriculum score selects; write stages as row numbers of targets.

    Stages A, B and C are the top 30, 70 and 100 per cent. A stage file indexes the corpus and holds no vectors.
    """
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.base.metric_text import metric_text
    from lvm_gates.harness.base.suggest import did_you_mean
    from lvm_gates.harness.cli.outputs import require_free
    from lvm_gates.harness.corpus.corpus import check_vectors
    from lvm_gates.harness.corpus.curriculum import DEFINITIONS, STAGES, ranking, selected, similarities, stage
    from lvm_gates.harness.corpus.opening import open_any
    from lvm_gates.harness.corpus.splits import SPLITS
    from lvm_gates.harness.corpus.windows import windows_of

    if (by is None) != (out is None):
        raise UserError("--by and --out belong together: the score whose stages are written, and where to.")
    if by is not None and by not in DEFINITIONS:
        raise UserError(f"--by {by}: no such score; {did_you_mean(by, DEFINITIONS)}.")
    if split is not None and split not in SPLITS:
        raise UserError(f"--split {split}: no such split; {did_you_mean(split, SPLITS)}.")
    if out is not None:
        require_free(out, overwrite)
    opened = open_any(corpus)
    unsplit = split is None and not (opened.splits != "").any()
    articles = np.arange(len(opened.starts)) if unsplit else np.flatnonzero(opened.splits == (split or "TRAIN"))
    windows = windows_of(opened, articles, context)
    if len(windows) == 0:
        raise UserError(
            f"{corpus}: no {split or 'TRAIN'} article has {context + 1} chunks in a row; name another --split or a "
            "smaller --context."
        )
    check_vectors(opened, opened.rows_of(articles))
    found = similarities(windows)
    table = Table("score", "stage", "windows", "cos(y, c_last)", "cos(y, c_prev)", "coherence")
    for name in DEFINITIONS:
        order = ranking(name, found)
        for letter, share in STAGES.items():
            index = stage(order, share)
            metrics = [metric_text(one, bare=True) for one in selected(found, windows.clusters, index)]
            table.add_row(name if letter == "a" else "", letter.upper(), f"{len(index):,}", *metrics)
        table.add_section()
    Console(width=120).print(table)
    for name, definition in DEFINITIONS.items():
        click.echo(f"{name}: {definition.meaning}")
    if by is not None and out is not None:
        from lvm_gates.harness.corpus.curriculum_files import write_stages

        for line in write_stages(out, windows, by, ranking(by, found)):
            click.echo(line)
