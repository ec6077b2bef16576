"""A corpus in any form."""

from pathlib import Path

from lvm_gates.harness.corpus.corpus import Corpus, open_corpus
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.corpus.splitting import check_split_record
from lvm_gates.harness.corpus.tables.converted import converted_table
from lvm_gates.harness.corpus.tables.opening import is_table


def open_any(path: Path) -> Corpus:
    """A corpus folder, an article NPZ, or a table of vectors (`harness.corpus.tables`).

    Raises:
        UserError: none of these, or a folder whose splits are not those of its record.
    """
    if path.suffix == ".npz":
        return read_articles(path)
    if is_table(path):
        return converted_table(path)
    return check_split_record(open_corpus(path))
