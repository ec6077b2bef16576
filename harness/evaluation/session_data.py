"""From what the user named to what is evaluated: corpus, windows of VAL and OOD, windows to fit controls on.

Everything that can be wrong with the data of a session is found here, before a model is asked anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.article_lists import listed_articles
from lvm_gates.harness.corpus.corpus import Corpus, check_vectors
from lvm_gates.harness.corpus.corpus_advice import how_to_split
from lvm_gates.harness.corpus.npz import read_articles, read_sequences
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.named_bank import with_bank
from lvm_gates.harness.evaluation.split_leaks import Leaks, cached_split_leaks


@dataclass(frozen=True)
class CorpusArguments:
    """How the data was named. Paths; article lists such as ``0-29,40``."""

    corpus: Path | None = None
    articles_npz: Path | None = None
    val_articles: str | None = None
    ood_articles: str | None = None
    val_npz: Path | None = None
    ood_npz: Path | None = None
    train_corpus: tuple[Path, ...] = ()
    bank: str | None = None


@dataclass(frozen=True)
class Inputs:
    """The data of a session.

    Attributes:
        corpus: the chunks.
        evaluation: split -> windows and candidates.
        training: split -> windows that fitted controls may learn from when judged on that split.
        training_note: where those came from, for the scorecard.
        mismatched: split -> windows of a sequence file that are no run of consecutive chunks.
        known_leaks: as found before, by another process say; None to search when they are asked for.
    """

    corpus: Corpus
    evaluation: dict[SplitName, EvaluationSet]
    training: dict[SplitName, tuple[Windows, ...]]
    training_note: str
    mismatched: dict[SplitName, int]
    known_leaks: Leaks | None = None

    @cached_property
    def leaks(self) -> Leaks:
        """Windows of VAL and OOD that stand in TRAIN or in each other."""
        return self.known_leaks or cached_split_leaks(self.evaluation, training_windows(self))

    @property
    def has_training_split(self) -> bool:
        """Whether there is a training split; without one, fitted controls are cross-fitted between VAL and OOD."""
        return self.training["VAL"] is self.training["OOD"]


def resolve(
    arguments: CorpusArguments,
    *,
    context: int,
    max_samples: int,
    horizon: int,
    seed: int,
    first_in_file: bool = False,
    fallback: Corpus | None = None,
    device: str = "cpu",
) -> Inputs:
    """Open what was named, sample windows, and check every vector that will be used.

    Args:
        arguments: as given; at most one way of naming the corpus.
        context: C.
        max_samples: windows a split at most.
        horizon: H of the rollout.
        seed: of the sample.
        first_in_file: take the first windows instead of random ones (profile `5cat-published`).
        fallback: the corpus where none was named.
        device: where ranks in a bank are counted.

    Raises:
        UserError: anything wrong with the data, in one sentence.
    """
    corpus, given, mismatched = _open(arguments, fallback)
    evaluation: dict[SplitName, EvaluationSet] = {}
    for split in JUDGED:
        articles = corpus.articles(split)
        if len(articles) == 0:
            raise UserError(f"{corpus.path}: no {split} articles; {how_to_split(corpus)}.")
        windows = given.get(split) or windows_of(corpus, articles, context)
        if windows.context != context:
            raise UserError(
                f"{corpus.path}: the {split} sequences have {windows.context} context frames, not {context}; use "
                f"--context={windows.context} and a model trained on as many."
            )
        if len(windows) == 0:
            longest = int(corpus.lengths[articles].max())
            raise UserError(
                f"{corpus.path}: no {split} article is long enough, the longest has {longest} chunks and a window "
                f"needs {context + 1} in a row; use longer articles or a smaller --context."
            )
        chosen = windows.take(slice(0, max_samples)) if first_in_file else sample_windows(windows, max_samples, seed)
        opened = next((other.asked_bank for other in evaluation.values()), None)
        judged = EvaluationSet(split, chosen, articles, seed, horizon)
        evaluation[split] = with_bank(judged, arguments.bank, opened, device)
        check_vectors(corpus, evaluation[split].rows)
    training, note = _training(corpus, arguments, context)
    return Inputs(corpus, evaluation, training, note, mismatched)


def _open(
    arguments: CorpusArguments, fallback: Corpus | None
) -> tuple[Corpus, dict[SplitName, Windows], dict[SplitName, int]]:
    sequences = {"VAL": arguments.val_npz, "OOD": arguments.ood_npz}
    ranges = {"VAL": arguments.val_articles, "OOD": arguments.ood_articles}
    if arguments.corpus is not None and arguments.articles_npz is not None:
        raise UserError("--corpus and --articles-npz both name the chunks; give one of them.")
    if any(sequences.values()) and arguments.articles_npz is None:
        raise UserError(
            "--val-npz and --ood-npz need --articles-npz: offsets and candidate sets come from the chunks around each "
            "window."
        )
    if arguments.articles_npz is None:
        if any(ranges.values()) and arguments.corpus is None:
            raise UserError("--val-articles and --ood-articles need --articles-npz or --corpus to take articles from.")
        corpus = fallback if arguments.corpus is None else open_any(arguments.corpus)
        if corpus is None:
            raise UserError("no corpus: name one with --corpus or --articles-npz.")
    else:
        corpus = read_articles(arguments.articles_npz)
    if any(sequences.values()):
        return _with_sequences(corpus, sequences, ranges)
    if any(ranges.values()) or arguments.articles_npz is not None:
        corpus = _with_ranges(corpus, ranges)
    return corpus, {}, {}


def _with_ranges(corpus: Corpus, ranges: dict[str, str | None]) -> Corpus:
    ids: dict[SplitName, list[int]] = {}
    for split in JUDGED:
        text = ranges[split]
        if text is None:
            raise UserError(
                f"{corpus.path}: no {split} articles are named; add --{split.lower()}-articles ({corpus.id_range})."
            )
        ids[split] = listed_articles(corpus, text, f"--{split.lower()}-articles")
    named = {i for part in ids.values() for i in part}
    # What is neither VAL nor OOD is what a model may have been trained on.
    ids["TRAIN"] = [int(a) for a in corpus.article_ids if int(a) not in named]
    return corpus.with_splits({s: i for s, i in ids.items() if i})


def _with_sequences(
    corpus: Corpus, sequences: dict[str, Path | None], ranges: dict[str, str | None]
) -> tuple[Corpus, dict[SplitName, Windows], dict[SplitName, int]]:
    if any(ranges.values()):
        raise UserError("--val-articles and --val-npz both name the windows; give one of them for each split.")
    found: dict[SplitName, Windows] = {}
    mismatched: dict[SplitName, int] = {}
    for split in JUDGED:
        path = sequences[split]
        if path is None:
            raise UserError(f"--{split.lower()}-npz is missing; both splits are judged, so give both files.")
        found[split], mismatched[split] = read_sequences(path, corpus)
    ids: dict[SplitName, list[int]] = {
        split: [int(a) for a in corpus.article_ids[np.unique(windows.clusters)]] for split, windows in found.items()
    }
    named = {i for part in ids.values() for i in part}
    ids["TRAIN"] = [int(a) for a in corpus.article_ids if int(a) not in named]
    corpus = corpus.with_splits({s: i for s, i in ids.items() if i})
    return corpus, {s: Windows(corpus, w.targets, w.context) for s, w in found.items()}, mismatched


def _training(
    corpus: Corpus, arguments: CorpusArguments, context: int
) -> tuple[dict[SplitName, tuple[Windows, ...]], str]:
    if arguments.train_corpus:
        parts = tuple(_training_windows(open_any(path), context) for path in arguments.train_corpus)
        note = "--train-corpus " + ", ".join(path.name for path in arguments.train_corpus)
    elif len(corpus.articles("TRAIN")):
        parts = (windows_of(corpus, corpus.articles("TRAIN"), context),)
        note = "the training split of the corpus"
    else:
        # No training split anywhere: learn on the other split. No article is in both, so nothing leaks.
        by_split = {s: (windows_of(corpus, corpus.articles(s), context),) for s in JUDGED}
        return {"VAL": by_split["OOD"], "OOD": by_split["VAL"]}, "the other split (no training split is named)"
    if not any(len(part) for part in parts):
        where = ", ".join(str(path) for path in arguments.train_corpus) or str(corpus.path)
        raise UserError(
            f"{where}: the training split has no article of {context + 1} chunks to fit the linear control on; "
            "name another with --train-corpus."
        )
    for part in parts:
        if part.corpus.dim != corpus.dim:
            raise UserError(
                f"{part.corpus.path}: {part.corpus.dim} dimensions where {corpus.path} has {corpus.dim}; "
                "train and judge on embeddings of one encoder."
            )
    parts = tuple(part for part in parts if len(part))
    for part in parts:
        check_vectors(part.corpus, part.corpus.rows_of(np.unique(part.clusters)))
    shared: dict[SplitName, tuple[Windows, ...]] = dict.fromkeys(JUDGED, parts)
    return shared, note


def _training_windows(corpus: Corpus, context: int) -> Windows:
    articles = corpus.articles("TRAIN")
    # A corpus that is named for training and has no splits is training material as a whole.
    if len(articles) == 0 and not (corpus.splits != "").any():
        articles = np.arange(len(corpus.starts))
    return windows_of(corpus, articles, context)


def training_windows(inputs: Inputs) -> Sequence[Windows]:
    """The training windows where there is a training split, else none."""
    return inputs.training["VAL"] if inputs.has_training_split else ()
