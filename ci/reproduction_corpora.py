"""The corpora of docs/reproduced.md, made where they are missing: two synthetic ones, and text joined from files."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.worlds.world import synthesise

# Dataset `wiki`: name -> (articles, dimensions).
SYNTHETIC = {"wiki-768": (700, 768), "wiki-64": (400, 64)}
TEXT = "text"
# Of the training texts' articles; 1,228 of them make the 368 and 123 of docs/reproduced.md.
TRAIN_SHARE, VAL_SHARE = 0.3, 0.1


def corpus_folder(named: str, cache: Path, train: Sequence[Path] = (), ood: Sequence[Path] = (), seed: int = 0) -> Path:
    """The corpus that is asked for: a folder as it is, or one of the named ones, made in ``cache`` for once.

    Args:
        named: a folder, a key of `SYNTHETIC`, or ``text``.
        cache: where named corpora lie.
        train: articles in the original NPZ form or corpus folders, whose articles are drawn for TRAIN and VAL.
        ood: the same, all of them OOD.
        seed: of the draw of articles.

    Raises:
        UsageError: no such corpus, or text without files.
    """
    if named != TEXT and (train or ood):
        raise click.UsageError(f"--train-text and --ood-text are for --corpus {TEXT}; leave them out.")
    folder = cache / named
    if named in SYNTHETIC:
        articles, dim = SYNTHETIC[named]
        if not (folder / "corpus.json").is_file():
            click.echo(f"{folder}: dataset wiki, {articles} articles, {dim} dimensions")
            synthesise("wiki", folder, articles=articles, dim=dim)
        return folder
    if named == TEXT:
        if not (train and ood):
            raise click.UsageError(
                f"--corpus {TEXT}: give embedded text by --train-text and --ood-text; docs/reproduced.md says which."
            )
        if not (folder / "corpus.json").is_file():
            join_text(folder, train, ood, seed)
        return folder
    if not Path(named).is_dir():
        raise click.UsageError(f"--corpus {named}: is no folder and none of {', '.join([*SYNTHETIC, TEXT])}.")
    return Path(named)


def join_text(folder: Path, train: Sequence[Path], ood: Sequence[Path], seed: int) -> None:
    """Write a corpus of some articles of ``train`` as TRAIN and VAL, and all of ``ood`` as OOD."""
    opened = [open_any(path) for path in (*train, *ood)]
    counts = [len(corpus.lengths) for corpus in opened]
    drawable = sum(counts[: len(train)])
    order = np.random.default_rng(seed).permutation(drawable)
    first, second = round(TRAIN_SHARE * drawable), round((TRAIN_SHARE + VAL_SHARE) * drawable)
    splits = np.full(sum(counts), "", dtype="<U5")
    splits[order[:first]], splits[order[first:second]], splits[drawable:] = "TRAIN", "VAL", "OOD"
    parts = [
        (corpus.vectors(np.arange(start, start + length)), int(length), split)
        for corpus, begin in zip(opened, np.cumsum([0, *counts]), strict=False)
        for start, length, split in zip(corpus.starts, corpus.lengths, splits[begin:], strict=False)
        if split
    ]
    vectors, lengths, kept = zip(*parts, strict=True)
    names = [path.name for path in (*train, *ood)]
    how = f"python -m ci.reproduce --corpus {TEXT}: {', '.join(names)}, seed {seed}"
    write_corpus(
        folder,
        np.concatenate(vectors),
        np.array(lengths),
        splits=np.array(kept),
        meta={"kind": "joined", "how": how},
        dtype="float16",
    )
    click.echo(f"{folder}: {', '.join(f'{kept.count(split)} {split}' for split in ('TRAIN', 'VAL', 'OOD'))}")
