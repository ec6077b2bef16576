"""What ``--bank`` names: the candidates of set `global`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.device import ranks_there
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_file, is_folder
from lvm_gates.harness.base.processes import ranks
from lvm_gates.harness.corpus.corpus import Corpus, check_vectors
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.faiss_bank import FAISS, SearchedBank, open_faiss_bank

ALL = "all"


def with_bank(
    evaluation: EvaluationSet, asked: str | None, opened: Bank | SearchedBank | None = None, device: str = "cpu"
) -> EvaluationSet:
    """The set with the candidates that were asked for.

    Args:
        evaluation: a split.
        asked: a number of chunks of the split, all of its corpus, the path of another corpus, or ``faiss:`` and that of
            an index; None for the default, `BANK_SIZE`.
        opened: what the same word named for another split of the corpus.
        device: where ranks are counted, if it is an accelerator with float64.

    Raises:
        UserError: it is none of these, or of another dimension.
    """
    if asked is None:
        return evaluation
    if asked.isascii() and asked.isdigit():
        if int(asked) < 1:
            raise UserError(f"--bank={asked}: give a number of at least 1, {ALL}, or a corpus.")
        rows = evaluation.some_rows(int(asked))
        bank: Bank | SearchedBank = Bank(evaluation.corpus, rows, f"{len(rows):,} chunks of the split")
    else:
        bank = opened or _named(asked, evaluation.corpus)
    if isinstance(bank, Bank) and ranks_there(device):
        bank = replace(bank, device=device)
    return replace(evaluation, asked_bank=bank)


def _named(asked: str, corpus: Corpus) -> Bank | SearchedBank:
    """What is named for all splits together."""
    if asked.startswith(FAISS):
        path = Path(asked.removeprefix(FAISS))
        if not is_file(path):
            raise UserError(f"--bank={asked}: is not there; give a file that faiss.write_index wrote.")
        return open_faiss_bank(path, corpus)
    if asked == ALL:
        bank = Bank(corpus, np.arange(corpus.size), f"all {corpus.size:,} chunks of the corpus")
    else:
        bank = _other(Path(asked), corpus)
    own = bank.part(ranks().rank, ranks().world)  # of several processes each checks what it will rank among
    check_vectors(bank.corpus, own.rows)
    return bank


def _other(path: Path, corpus: Corpus) -> Bank:
    if not (is_file(path) or is_folder(path)):
        raise UserError(
            f"--bank={path}: is not there; give a number of chunks, {ALL}, the path of a corpus folder or an article "
            f"NPZ, or {FAISS} and that of an index."
        )
    other = open_any(path)
    if other.dim != corpus.dim:
        raise UserError(
            f"--bank={path}: {other.dim} dimensions where {corpus.path} has {corpus.dim}; rank among embeddings of one "
            "encoder."
        )
    # Frames of the context are known by their rows, so one and the same corpus must not be two.
    held = corpus if other.fingerprint == corpus.fingerprint else other
    return Bank(held, np.arange(other.size), f"all {other.size:,} chunks of {path.name}")
