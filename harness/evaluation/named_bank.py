"""What ``--bank`` names: the candidates of set `global`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_file, is_folder
from lvm_gates.harness.corpus.corpus import Corpus, check_vectors
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet

ALL = "all"


def with_bank(evaluation: EvaluationSet, asked: str | None) -> EvaluationSet:
    """The set with the candidates that were asked for.

    Args:
        evaluation: a split.
        asked: a number of chunks of the split, all of its corpus, or the path of another corpus; None for the default,
            `BANK_SIZE`.

    Raises:
        UserError: it is none of these, or a corpus of another dimension.
    """
    if asked is None:
        return evaluation
    if asked.isascii() and asked.isdigit():
        if int(asked) < 1:
            raise UserError(f"--bank={asked}: give a number of at least 1, {ALL}, or a corpus.")
        return replace(evaluation, asked_bank=Bank(evaluation.corpus, evaluation.some_rows(int(asked))))
    if asked == ALL:
        bank = Bank(evaluation.corpus, np.arange(evaluation.corpus.size))
    else:
        bank = _other(Path(asked), evaluation.corpus)
    check_vectors(bank.corpus, bank.rows)
    return replace(evaluation, asked_bank=bank)


def _other(path: Path, corpus: Corpus) -> Bank:
    if not (is_file(path) or is_folder(path)):
        raise UserError(
            f"--bank={path}: is not there; give a number of chunks, {ALL}, or the path of a corpus folder or an "
            "article NPZ."
        )
    other = open_any(path)
    if other.dim != corpus.dim:
        raise UserError(
            f"--bank={path}: {other.dim} dimensions where {corpus.path} has {corpus.dim}; rank among embeddings of one "
            "encoder."
        )
    # Frames of the context are known by their rows, so one and the same corpus must not be two.
    return Bank(corpus if other.fingerprint == corpus.fingerprint else other, np.arange(other.size))
