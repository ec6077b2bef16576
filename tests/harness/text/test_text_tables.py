"""Text in tables: an article a row, its chunks in a row, or a chunk a row; with titles or without."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.tables.columns import ColumnNames
from lvm_gates.harness.text.articles import Article
from lvm_gates.harness.text.sources import open_source

CHUNKED = {
    "doc_id": ["b", "b", "b", "a", "a"],
    "chunk_index": [0, 1, 3, 4, 5],
    "text": ["One.", "Two.", "Four.", "Five.", None],
}


def lines(path, records):
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def parquet(path, table):
    pq.write_table(pa.table(table), path)
    return path


def read(path, **columns):
    asked = {role: columns.get(role) for role in ("vector", "article", "chunk", "text")}
    return list(open_source(str(path), None, ColumnNames(**asked)).read())


def test_lines_need_no_title(tmp_path):
    records = [{"text": "A."}, {"chunks": ["B.", "C."]}, {"id": 7, "text": "D."}]
    assert read(lines(tmp_path / "x.jsonl", records)) == [
        Article("line 1", "A."),
        Article("line 2", None, ("B.", "C.")),
        Article("line 3", "D."),
    ]
    assert read(lines(tmp_path / "x.jsonl", [{"id": 7, "content": "D."}])) == [Article("7", "D.")]


def test_parquet_has_an_article_a_row(tmp_path):
    path = parquet(tmp_path / "x.parquet", {"url": ["u", "v"], "body": ["A.", "B."], "views": [1, 2]})
    assert read(path) == [Article("u", "A."), Article("v", "B.")]
    path = parquet(tmp_path / "x.parquet", {"title": ["u", None], "sentences": [["A.", "B."], ["C."]]})
    assert read(path) == [Article("u", None, ("A.", "B.")), Article("row 1", None, ("C.",))]
    path = parquet(tmp_path / "x.parquet", {"one": ["A."], "two": ["B."]})
    assert read(path, text="two") == [Article("row 0", "B.")]
    with pytest.raises(UserError, match=r"no column of text.*there are one, two\); name it with --text-column"):
        read(path)


def test_a_chunk_a_row_becomes_articles_and_gaps_stay(tmp_path):
    expected = [Article("b", None, ("One.", "Two.", "", "Four.")), Article("a", None, ("Five.", ""))]
    assert read(parquet(tmp_path / "x.parquet", CHUNKED)) == expected
    rows = [dict(zip(CHUNKED, row, strict=True)) for row in zip(*CHUNKED.values(), strict=True)]
    assert read(lines(tmp_path / "x.jsonl", rows)) == expected
    bare = {"page": CHUNKED["doc_id"], "text": CHUNKED["text"]}
    assert read(parquet(tmp_path / "y.parquet", bare), article="page")[0] == Article(
        "b", None, ("One.", "Two.", "Four.")
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"doc_id": ["b", "a", "b", "a", "a"]}, r"x\.parquet, row 2: belongs to article 'b', whose rows ended above"),
        ({"chunk_index": [0, 1, 1, 4, 5]}, r"row 2: chunk number 1 does not follow 1; sort the rows"),
        ({"doc_id": ["b", None, "b", "a", "a"]}, r"row 1: has no text or no article"),
    ],
)
def test_rows_out_of_order_are_one_sentence(tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        read(parquet(tmp_path / "x.parquet", CHUNKED | change))


def test_a_column_that_numbers_articles_makes_no_chunks_of_them(tmp_path):
    table = {"title": ["a", "b"], "position": [1, 2], "text": ["A.", "B."]}
    assert read(parquet(tmp_path / "x.parquet", table)) == [Article("a", "A."), Article("b", "B.")]
