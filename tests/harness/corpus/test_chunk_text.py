"""Texts beside vectors: read by row, damage refused, and a corpus without them is a corpus still."""

import json

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.chunk_text import BLOB_FILE, OFFSETS_FILE, open_chunk_text
from lvm_gates.harness.corpus.corpus import write_corpus

TEXTS = ["One.", "", "Zwei Sätze, ein 🙂.", "line\nbreak", "half a pair: \ud800"]


def corpus_with(folder, texts):
    vectors = np.eye(5, dtype=np.float32)
    return write_corpus(folder, vectors, np.array([2, 3]), splits=np.array(["VAL", "OOD"]), meta={}, texts=texts)


@pytest.fixture
def folder(tmp_path):
    return corpus_with(tmp_path / "c", iter(TEXTS)).path


def test_each_row_has_its_text(folder):
    text = open_chunk_text(folder)
    assert len(text) == 5
    assert [text[row] for row in range(5)] == [*TEXTS[:4], "half a pair: ?"]
    assert text[np.int64(2)] == TEXTS[2]
    for row in (-1, 5):
        with pytest.raises(IndexError, match=f"row {row} of 5"):
            text[row]


def test_a_corpus_without_text_has_none_even_where_one_was(folder):
    corpus_with(folder, None)
    assert open_chunk_text(folder) is None
    assert not (folder / BLOB_FILE).exists()


def test_texts_may_all_be_empty(tmp_path):
    text = open_chunk_text(corpus_with(tmp_path / "c", [""] * 5).path)
    assert text[4] == ""


def _flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _record(folder, change):
    meta = json.loads((folder / "corpus.json").read_text())
    change(meta)
    (folder / "corpus.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: _flip(f / BLOB_FILE, 1), r"texts\.utf8 is not the one that was recorded"),
        (lambda f: _flip(f / OFFSETS_FILE, -8), r"texts\.npy is not the one that was recorded"),
        (lambda f: (f / BLOB_FILE).write_bytes(b"One."), r"do not fit one another"),
        (lambda f: (f / BLOB_FILE).unlink(), "No such file"),
        (lambda f: (f / OFFSETS_FILE).unlink(), "No such file"),
        (lambda f: np.save(f / OFFSETS_FILE, np.arange(5)), "and there are 5 chunks"),
        (lambda f: np.save(f / OFFSETS_FILE, np.array([None] * 6), allow_pickle=True), "object array"),
        (lambda f: _record(f, lambda meta: meta.update(text=[])), "cannot be read"),
        (lambda f: _record(f, lambda meta: meta.update(text={"sha256": 3})), "cannot be read"),
        (lambda f: _record(f, lambda meta: meta.update(chunks="5")), "cannot be read"),
        (lambda f: (f / "corpus.json").unlink(), "No such file"),
    ],
)
def test_damage_is_one_sentence(folder, damage, said):
    damage(folder)
    with pytest.raises(UserError, match=said) as error:
        open_chunk_text(folder)
    assert "the chunks' text cannot be read" in str(error.value)
    assert "\n" not in str(error.value)
