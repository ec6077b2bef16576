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
@click.option("--overwrite", is_flag=True, help="Replace a corpus that is there.")
def import_(
    files: tuple[Path, ...], out: Path, val: float, ood: float, seed: int, trust_pickle: bool, overwrite: bool
) -> None:
    """Join article or sequence NPZ files in the original format into one corpus, split at random by article.

    The windows of a sequence file are put back into articles by its index fields.
    """
    from lvm_gates.harness.audits.store import UNIT_NORM_SLACK
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.cli.outputs import require_free
    from lvm_gates.harness.corpus.importing.joining import join_articles
    from lvm_gates.harness.corpus.importing.trusted_pickle import RISK

    plain = out.suffix == ".npz"
    if plain and not (trust_pickle and len(files) == 1):
        raise UserError(
            f"--out {out}: a corpus is a folder; name one, or give one file and --trust-pickle to convert that to a "
            "plain NPZ."
        )
    if plain and out.resolve() == files[0].resolve():
        raise UserError(f"--out {out}: is the file to convert; name another.")
    require_free(out, overwrite)
    names = [file.name for file in files]
    if not trust_pickle:
        corpus = join_articles(files, out, val=val, ood=ood, seed=seed)
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
    for source in corpus.meta["sources"]:
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
