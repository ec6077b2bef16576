"""A corpus in either form."""

from pathlib import Path

from lvm_gates.harness.corpus.corpus import Corpus, open_corpus
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.corpus.splitting import check_split_record


def open_any(path: Path) -> Corpus:
    """A corpus folder or an article NPZ.

    Raises:
        UserError: neither, or a folder whose splits are not those of its record.
    """
    return read_articles(path) if path.suffix == ".npz" else check_split_record(open_corpus(path))
