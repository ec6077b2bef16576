"""`lvm-data import` of tables, as typed: what is printed, and what leads on where nothing can be imported."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.cli.data_compare import _keys
from lvm_gates.harness.corpus.corpus import open_corpus

VECTORS = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)


def run(*words):
    return CliRunner().invoke(main, ["import", *(str(word) for word in words)])


@pytest.fixture
def parquet(tmp_path):
    table = pa.table({"doc": [f"d{i // 6}" for i in range(60)], "n": [i % 6 for i in range(60)], "v": list(VECTORS)})
    pq.write_table(table, tmp_path / "v.parquet")
    return tmp_path / "v.parquet"


def test_what_columns_were_taken_for_is_printed(parquet, tmp_path):
    result = run(parquet, "--out", tmp_path / "c", "--chunk-column", "n")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == f"{tmp_path / 'c'}: 10 articles (8 TRAIN, 1 VAL, 1 OOD), 60 chunks, 4 dimensions"
    assert lines[1] == "v.parquet: Parquet, vectors from v, articles from doc, chunks from n"
    assert "norms were off by up to" in lines[2]
    assert open_corpus(tmp_path / "c").meta["chunk_indices"] == "present"
    again = run(parquet, parquet, "--out", tmp_path / "c", "--overwrite")
    assert "articles of two files have one id, so all were named anew" in again.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["v.parquet", "--article-column", "page"], "no such column (its columns are doc, n, v)"),
        (["v.parquet", "--vector-column", "n"], "--vector-column n: does not hold lists of floats"),
        (["v.parquet", "v.parquet", "--texts", "x.txt"], "belong to one file"),
        (["text.jsonl"], "holds no vectors that can be imported; `lvm-data embed text.jsonl --out DIR`"),
        (["nowhere.parquet"], "no such file or folder"),
        (["data.csv"], "holds no vectors that can be imported; a corpus is a folder"),
        (["folder"], "holds no Parquet or Arrow files"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(parquet, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jsonl").write_text(json.dumps({"text": "x"}))
    (tmp_path / "data.csv").touch()
    (tmp_path / "folder").mkdir()
    result = run(*words, "--out", "c")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_splits_are_drawn_by_text_ids(parquet, tmp_path):
    run(parquet, "--out", tmp_path / "c")
    done = CliRunner().invoke(
        main, ["split", str(tmp_path / "c"), "--val-articles", "d1,d2", "--ood-articles", "d3", "--exclude", "d4"]
    )
    assert done.exit_code == 0, done.output
    splits = dict(zip(*(lambda c: (c.names, c.splits.tolist()))(open_corpus(tmp_path / "c")), strict=True))
    assert [splits[name] for name in ("d0", "d1", "d2", "d3", "d4")] == ["TRAIN", "VAL", "VAL", "OOD", ""]
    both = CliRunner().invoke(main, ["split", str(tmp_path / "c"), "--val-articles", "d1", "--exclude", "d1"])
    assert "article d1 is in both VAL and --exclude" in both.stderr


def test_corpora_are_compared_article_by_article_by_their_text_ids(parquet, tmp_path):
    """In whatever order the files list them."""
    table = pq.read_table(parquet)
    pq.write_table(table.slice(30), tmp_path / "half.parquet")
    renamed = table.set_column(0, "doc", pa.array([f"e{i // 6}" for i in range(60)]))
    pq.write_table(renamed, tmp_path / "other.parquet")
    for name in ("v", "half", "other"):
        run(tmp_path / f"{name}.parquet", "--out", tmp_path / name, "--chunk-column", "n")
    keys = {name: _keys(open_corpus(tmp_path / name), np.arange(10 if name != "half" else 5)) for name in ("v", "half")}
    np.testing.assert_array_equal(keys["v"][:, 30:], keys["half"])
    assert not np.array_equal(_keys(open_corpus(tmp_path / "other"), np.arange(10)), keys["v"])
