"""Every format gives the same corpus, whatever library wrote it; what does not fit is named by file, row and column."""

import shutil

import faiss
import made
import numpy as np
import pyarrow as pa
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.chunk_text import open_chunk_text
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.importing.joining import join_articles
from lvm_gates.harness.corpus.tables import arrow_files, arrow_packing, table
from lvm_gates.harness.corpus.tables.columns import ColumnNames
from lvm_gates.harness.corpus.tables.gather import gather, texts_in_order
from lvm_gates.harness.corpus.tables.opening import TableOptions, open_table
from lvm_gates.harness.corpus.tables.side_files import SideFiles

SHUFFLED = np.random.default_rng(1).permutation(made.N)


def shuffled(**more):
    return {name: column.take(pa.array(SHUFFLED)) for name, column in made.columns(**more).items()}


def read(path, **options):
    names = ColumnNames(**{role: options.pop(role, None) for role in ("vector", "article", "chunk", "text")})
    found = gather(open_table(path, TableOptions(names, SideFiles(**options))), path)
    return found.corpus, list(texts_in_order(found))


FORMATS = {
    "parquet": lambda f: made.parquet(f / "v.parquet", made.columns()),
    "parquet, shuffled": lambda f: made.parquet(f / "v.pq", shuffled(), row_group_size=7, compression="zstd"),
    "parquet, lists of float64": lambda f: made.parquet(
        f / "v.parquet", made.columns(embedding=made.lists(made.VECTORS.astype(np.float64)))
    ),
    "parquet, categories": lambda f: made.parquet(
        f / "v.parquet", made.columns(doc_id=pa.array(made.NAMES).dictionary_encode(), chunk_index=made.CHUNK * 1.0)
    ),
    "parquet, an article a row": lambda f: made.parquet(f / "v.parquet", made.nested()),
    "arrow": lambda f: made.arrow_file(f / "v.arrow", shuffled()),
    "data set": lambda f: made.data_set(f / "hf", made.columns()),
    "data set, an article a row": lambda f: made.data_set(f / "hf", made.nested()),
    "json lines": lambda f: made.json_lines(f / "v.jsonl", made.records()),
    "json lines, packed": lambda f: made.json_lines(f / "v.jsonl.gz", made.records()[::-1]),
    "json lines, an article a line": lambda f: made.json_lines(
        f / "v.jsonl",
        [
            {"id": made.NAMES[i], "vectors": made.VECTORS[i : i + 8].tolist(), "sentences": made.TEXTS[i : i + 8]}
            for i in range(0, made.N, made.CHUNKS)
        ],
    ),
    "npy": lambda f: made.npy(f / "emb.npy"),
    "npy, ids as JSON lines": lambda f: made.npy_with_lines(
        f / "emb.npy",
        [{"id": n, "seq_idx": int(c), "text": t} for n, c, t in zip(made.NAMES, made.CHUNK, made.TEXTS, strict=True)],
    ),
    "npy, by columns": lambda f: made.npy(f / "emb.npy", np.asfortranarray(made.VECTORS)),
    "faiss": lambda f: made.npy(f / "v.npy") and made.faiss_index(f / "v.faiss"),
    "faiss with ids": lambda f: (
        made.npy(f / "v.npy") and made.faiss_index(f / "v.index", ids=SHUFFLED, vectors=made.VECTORS[SHUFFLED])
    ),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_corpus(tmp_path, form):
    corpus, texts = read(FORMATS[form](tmp_path))
    # Text ids stand in the order in which they come.
    rows = np.concatenate([np.flatnonzero(np.array(made.NAMES) == name) for name in corpus.names])
    assert sorted(rows) == list(range(made.N))
    np.testing.assert_array_equal(corpus.raw(np.arange(made.N)), made.VECTORS[rows])
    np.testing.assert_array_equal(corpus.chunk_index, made.CHUNK[rows])
    assert corpus.lengths.tolist() == [made.CHUNKS] * made.ARTICLES
    assert texts == [made.TEXTS[row] for row in rows]
    assert corpus.meta["chunk_indices"] == "present"
    assert corpus.describe_row(3) == f"chunk 3 of article {corpus.names[0]}"


def test_half_precision_is_read_exactly(tmp_path):
    half = made.VECTORS.astype(np.float16)
    path = made.parquet(tmp_path / "v.parquet", made.columns(embedding=made.fixed(half, pa.float16())))
    np.testing.assert_array_equal(read(path)[0].raw(np.arange(made.N)), half.astype(np.float32))


def test_parts_of_a_folder_are_one_table(tmp_path):
    """An article may go on in the next part."""
    (tmp_path / "v").mkdir()
    whole = pa.table(made.columns())
    made.parquet(tmp_path / "v" / "b.parquet", whole.slice(20))
    made.parquet(tmp_path / "v" / "a.parquet", whole.slice(0, 20))
    (tmp_path / "v" / "_SUCCESS").touch()
    assert read(tmp_path / "v")[1] == made.TEXTS
    made.parquet(tmp_path / "v" / "c.parquet", {"x": pa.array([1])})
    with pytest.raises(UserError, match=r"c\.parquet: has other columns than a\.parquet"):
        read(tmp_path / "v")


def test_ids_of_an_index_that_repeat_are_the_articles(tmp_path):
    corpus, texts = read(made.faiss_index(tmp_path / "v.faiss", ids=made.ARTICLE + 5))
    assert corpus.article_ids.tolist() == list(range(5, 17))
    assert (corpus.names, texts[0]) == (None, "")
    np.testing.assert_array_equal(corpus.raw(np.arange(made.N)), made.VECTORS)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (made.ARTICLE[::-1].copy(), list(range(12))),
        ([str(a) for a in made.ARTICLE], list(range(12))),
        ([f"{a:02d}" for a in made.ARTICLE], None),
    ],
    ids=["numbers", "numbers as text", "text that looks like numbers"],
)
def test_numbers_stay_numbers_however_they_are_written(tmp_path, ids, found):
    corpus, _ = read(made.parquet(tmp_path / "v.parquet", made.columns(doc_id=pa.array(ids))))
    assert (corpus.names is None) == (found is not None)
    if found is not None:
        assert corpus.article_ids.tolist() == found


def test_without_chunk_numbers_the_rows_are_in_order_and_nobody_knows_of_gaps(tmp_path):
    corpus, texts = read(made.parquet(tmp_path / "v.parquet", made.columns(chunk_index=None)))
    assert corpus.meta["chunk_indices"] == "absent"
    assert texts == made.TEXTS


def test_a_gap_stays_a_gap_and_a_missing_text_an_empty_one(tmp_path):
    table = made.columns(text=pa.array([None, *made.TEXTS[1:]]))
    keep = pa.array(np.delete(np.arange(made.N), 3))
    path = made.parquet(tmp_path / "v.parquet", {name: column.take(keep) for name, column in table.items()})
    corpus, texts = read(path)
    assert corpus.run_start[:8].tolist() == [0, 0, 0, 3, 3, 3, 3, 7]
    assert texts[:2] == ["", made.TEXTS[1]]


def test_columns_are_named_where_they_cannot_be_told_apart(tmp_path):
    other = made.fixed(made.VECTORS[::-1].copy())
    path = made.parquet(tmp_path / "v.parquet", made.columns(vector=other, page=pa.array(made.ARTICLE)))
    with pytest.raises(UserError, match=r"columns embedding, vector could each be the vectors; .*--vector-column"):
        read(path)
    corpus, _ = read(path, vector="vector", article="page")
    assert corpus.names is None
    np.testing.assert_array_equal(corpus.raw(np.arange(made.N)), made.VECTORS[::-1])


def bad(position, value, vectors=made.VECTORS):
    found = vectors.copy()
    found[position] = value
    return found


def ragged(width):
    return pa.array([row.tolist() if i != 9 else [1.0] * width for i, row in enumerate(made.VECTORS)])


def twice(table):
    return {name: pa.concat_arrays([column, column.slice(13, 1)]) for name, column in table.items()}


def nulled(column, at):
    values = column.to_pylist()
    values[at] = None
    return pa.array(values, column.type)


BAD_TABLES = {
    r"no column holds vectors, lists of.*its columns are doc_id, chunk_index, text": made.columns(embedding=None),
    r"no column says which article.*--article-column": made.columns(doc_id=None),
    r"row 9, column 'embedding' holds NaN or infinity": made.columns(embedding=made.fixed(bad((9, 2), np.nan))),
    r"row 10, column 'embedding' holds NaN or infinity": made.columns(embedding=made.fixed(bad((10, 2), np.inf))),
    r"row 11, column 'embedding' is a zero vector": made.columns(embedding=made.fixed(bad(11, 0))),
    r"row 9, column 'embedding' holds a vector of 5 dimensions where row 0": made.columns(embedding=ragged(5)),
    r"row 9, column 'embedding' holds a vector of 0 dim": made.columns(embedding=ragged(0)),
    r"row 4, column 'embedding' holds no vector": made.columns(embedding=nulled(made.lists(made.VECTORS), 4)),
    r"row 0, column 'embedding' holds a vector with a missing": made.columns(
        embedding=made.lists(made.VECTORS, pa.float32()).from_arrays(
            pa.array(np.arange(0, made.N * 6 + 1, 6, dtype=np.int32)), nulled(pa.array(made.VECTORS.ravel()), 5)
        )
    ),
    r"row 7, column 'doc_id' has no article id": made.columns(doc_id=nulled(pa.array(made.NAMES), 7)),
    r"row 7, column 'chunk_index' has no chunk number": made.columns(chunk_index=nulled(pa.array(made.CHUNK), 7)),
    r"row 3, column 'chunk_index' has 3\.5 for its chunk number": made.columns(
        chunk_index=pa.array(made.CHUNK + 0.5 * (np.arange(made.N) == 3))
    ),
    r"article Physics/1 holds chunk index 5 twice \(1 such": twice(made.columns()),
    r"holds 8 vectors in 'text_sentences_sonar_emb' and 7 texts": made.nested()
    | {"text_sentences": pa.array([made.TEXTS[:7]] * made.ARTICLES)},
    r"row 0, column 'text_sentences_sonar_emb', item 3 is a zero": made.nested()
    | {
        "text_sentences_sonar_emb": pa.ListArray.from_arrays(
            made.nested()["text_sentences"].offsets, made.fixed(bad(3, 0))
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("said", BAD_TABLES)
def test_a_table_that_does_not_fit_is_one_sentence(tmp_path, said):
    path = made.parquet(tmp_path / "v.parquet", BAD_TABLES[said])
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert str(error.value).startswith(f"{path}")
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"embedding": [1.0, "x"]}, "no column holds vectors"),
        ({"doc_id": None}, "no column says which article"),
        ({4: {"embedding": [1.0] * 5}}, r"line 5: 'embedding' has 5 dimensions where line 1 has 6"),
        ({4: {"embedding": "x"}}, r"line 5: 'embedding' is no list of numbers"),
        ({4: {"embedding": [True] * 6}}, r"line 5: 'embedding' is no list of numbers"),
        ({4: {"embedding": [float("nan")] * 6}}, r"line 5, field 'embedding' holds NaN"),
        ({4: {"embedding": [10**400] * 6}}, r"line 5: 'embedding' holds a number beyond"),
        ({4: {"embedding": [1e300] * 6}}, r"line 5, field 'embedding' holds NaN or infinity"),
        ({4: {"doc_id": 5}}, r"line 5: 'doc_id' is 5 where other lines have text"),
        ({4: {"chunk_index": "5"}}, r"line 5: 'chunk_index' is \"5\"; it must be a whole"),
        ({4: {"chunk_index": 2**70}}, r"it must be a whole number below"),
        ({4: {"chunk_index": 5}}, r"article Physics/0 holds chunk index 5 twice"),
        ({4: {"text": 5}}, r"line 5: 'text' is no text"),
        ({4: None}, r"line 5: has no field 'embedding', which the first line has"),
    ],
)
def test_lines_that_do_not_fit_are_one_sentence(tmp_path, change, said):
    whole = {name: value for name, value in change.items() if isinstance(name, str)}
    lines = made.records()
    for line in lines:
        line.update({k: v for k, v in whole.items() if v is not None})
        for name in whole:
            if whole[name] is None:
                del line[name]
    for at in change:
        if isinstance(at, int):
            lines[at] = {} if change[at] is None else lines[at] | change[at]
    path = made.json_lines(tmp_path / "v.jsonl", lines)
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert str(error.value).startswith(f"{path}")


def test_lines_that_are_no_json_are_one_sentence(tmp_path):
    path = tmp_path / "v.jsonl"
    for content, said in (
        (b"{oops\n", "line 1: is no JSON"),
        (b"[" * 100_000, "line 1: is no JSON"),
        (b"[1]", "no JSON object"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=said):
            read(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: np.save(f / "emb_article_ids.npy", made.ARTICLE[:-1]), "has 95 entries for 96 vectors"),
        (
            lambda f: np.save(f / "emb_article_ids.npy", made.ARTICLE * 0.5),
            "must be a list of whole numbers or of text",
        ),
        (lambda f: np.save(f / "emb_article_ids.npy", np.array([{}] * 96)), "cannot be read .*object array"),
        (lambda f: np.save(f / "emb_chunk_indices.npy", np.array(made.NAMES)), "chunk numbers must be whole"),
        (lambda f: (f / "emb_texts.txt").write_bytes(b"caf\xe9\n"), "is not UTF-8"),
        (lambda f: (f / "emb_texts.txt").write_text("one\n"), "has 1 entries"),
        (lambda f: (f / "emb.texts.txt").write_text("one\n"), "both emb_texts.txt and emb.texts.txt .*--texts"),
        (lambda f: (f / "emb_article_ids.npy").unlink(), "bare vectors do not say .*emb_article_ids.npy"),
        (lambda f: np.save(f / "emb.npy", made.VECTORS[0]), r"it must hold floats of shape \(chunks, dim\)"),
        (lambda f: (f / "emb.npy").write_bytes(b"hello"), "emb.npy: cannot be read"),
    ],
)
def test_a_matrix_whose_files_do_not_fit_is_one_sentence(tmp_path, spoil, said):
    path = made.npy(tmp_path / "emb.npy")
    spoil(tmp_path)
    with pytest.raises(UserError, match=said):
        read(path)


def test_ids_beside_a_matrix_may_be_bare_json(tmp_path):
    path = made.npy_with_lines(tmp_path / "emb.npy", made.NAMES)
    corpus, texts = read(path)
    assert (corpus.names[0], corpus.lengths[0], corpus.meta["chunk_indices"], texts[0]) == (
        "Physics/0",
        8,
        "absent",
        "",
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"page": 1}] * made.N, r"no field says which article .*fields are page.*--article-column"),
        ([{"id": 1}] * 95 + [{"doc": 1}], r"emb_ids.jsonl, line 96: has no field 'id'"),
        ([1] * 95 + [{"id": 1}], "line 96: .* must be a whole number"),
        ([{"id": 1}] * 95, "has 95 entries for 96 vectors"),
    ],
)
def test_json_lines_beside_a_matrix_that_do_not_fit_are_one_sentence(tmp_path, lines, said):
    with pytest.raises(UserError, match=said):
        read(made.npy_with_lines(tmp_path / "emb.npy", lines))
    if "--article-column" in said:
        assert len(read(tmp_path / "emb.npy", article="page")[0].lengths) == 1


def test_ids_of_chunks_are_not_taken_for_those_of_articles(tmp_path):
    """Each line its own article: nothing could ever be predicted from that."""
    path = made.npy_with_lines(tmp_path / "emb.npy", [f"{n}:{c}" for n, c in zip(made.NAMES, made.CHUNK, strict=True)])
    with pytest.raises(
        UserError, match=r"each of its 96 rows has an article of its own \(emb_ids.jsonl\).*--article-ids"
    ):
        read(path)


def test_an_index_that_does_not_fit_is_one_sentence(tmp_path):
    index = faiss.IndexScalarQuantizer(made.DIM, faiss.ScalarQuantizer.QT_8bit)
    index.train(made.VECTORS)
    with pytest.raises(UserError, match=r"is no flat FAISS index \(its kind is b'IxSQ'\)"):
        read(made.faiss_index(tmp_path / "q.faiss", index=index))
    with pytest.raises(UserError, match="bare vectors do not say which article"):
        read(made.faiss_index(tmp_path / "v.faiss"))
    with pytest.raises(UserError, match="its ids are all different, so they number chunks"):
        read(made.faiss_index(tmp_path / "i.faiss", ids=SHUFFLED))
    np.save(tmp_path / "i_article_ids.npy", made.ARTICLE[:50])
    with pytest.raises(UserError, match="has 50 entries, and the ids of the index run from 0 to 95"):
        read(tmp_path / "i.faiss")
    whole = (tmp_path / "v.faiss").read_bytes()
    for content in (whole[:-4], whole + b"x", whole[:20]):
        (tmp_path / "v.faiss").write_bytes(content)
        with pytest.raises(UserError, match="no sound FAISS index"):
            read(tmp_path / "v.faiss")


def test_a_data_set_that_does_not_fit_is_one_sentence(tmp_path):
    path = made.data_set(tmp_path / "hf", made.columns())
    (path / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(UserError, match=r"data-00001-of-00002\.arrow is missing, which state\.json lists"):
        read(path)
    for content in ("{}", '{"_data_files": [{"filename": "../x"}]}', "["):
        (path / "state.json").write_text(content)
        with pytest.raises(UserError, match=r"state\.json: cannot be read"):
            read(path)
    both = tmp_path / "dict"
    both.mkdir()
    (both / "dataset_dict.json").write_text('{"splits": ["train"]}')
    made.data_set(both / "train", made.columns())
    with pytest.raises(UserError, match=r"holds several data sets \(train\); name one"):
        read(both)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = made.parquet(tmp_path / "v.parquet", made.columns())
    monkeypatch.setitem(__import__("sys").modules, "lvm_gates.harness.corpus.tables.arrow_table", None)
    with pytest.raises(UserError, match=r"needs pyarrow, which is not installed.*\[arrow\]"):
        read(path)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_file_of_one_group_passes_in_blocks(tmp_path, form, monkeypatch):
    """However the file is cut, no more than a block of it is held."""
    seen = []
    monkeypatch.setattr(table, "BLOCK_ROWS", 10)
    monkeypatch.setattr("lvm_gates.harness.corpus.tables.arrow_table.BLOCK_ROWS", 10)
    opened = open_table(FORMATS[form](tmp_path), TableOptions())
    monkeypatch.setattr(
        arrow_files.ArrowFiles, "batches", lambda *a, f=arrow_files.ArrowFiles.batches: (
            seen.append(batch.num_rows) or batch for batch in f(*a)
        ),
    )  # fmt: skip
    assert sum(len(block.vectors) for block in opened.blocks()) == made.N
    assert max(seen) == 10


def test_parquet_is_read_by_pages_and_not_by_row_groups(tmp_path):
    """Four times as large a row group takes no more memory."""
    pool = pa.default_memory_pool()
    peaks = []
    for rows in (3000, 12_000):
        vectors = np.random.default_rng(0).standard_normal((rows, 128)).astype(np.float32)
        table = {"doc_id": pa.array(np.arange(rows) // 50), "embedding": made.fixed(vectors)}
        path = made.parquet(tmp_path / f"{rows}.parquet", table, row_group_size=rows, compression="none")
        opened = open_table(path, TableOptions())
        start = pool.bytes_allocated()
        peaks.append(max(pool.bytes_allocated() - start for _ in opened.blocks()))
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, form):
    monkeypatch.setattr(arrow_files, "BOMB_SIZE", 1 << 18)
    monkeypatch.setattr(arrow_packing, "BOMB_SIZE", 1 << 18)
    columns = {"doc_id": pa.array(made.ARTICLE), "embedding": made.fixed(np.ones((made.N, 4096), dtype=np.float32))}
    if form == "parquet":
        path = made.parquet(tmp_path / "v.parquet", columns)
    else:
        new = pa.ipc.new_file if form == "arrow" else pa.ipc.new_stream
        path, bomb = tmp_path / "v.arrow", pa.table(columns)
        with new(str(path), bomb.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(bomb)
    del columns
    assert path.stat().st_size < 1 << 14
    before = pa.default_memory_pool().bytes_allocated()
    with pytest.raises(UserError, match=r"cannot be read \(\d+ KB unpack to (393,312 numbers|1 MB)\)"):
        read(path)
    assert pa.default_memory_pool().bytes_allocated() - before < 1 << 18


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_packed_arrow_is_read(tmp_path, compression):
    """Feather files are packed unless asked not to be; dictionaries have messages of their own."""
    packed = pa.table(made.columns(doc_id=pa.array(made.NAMES).dictionary_encode()))
    for new in (pa.ipc.new_file, pa.ipc.new_stream):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with new(str(tmp_path / "v.feather"), packed.schema, options=options) as writer:
            writer.write_table(packed, max_chunksize=20)
        assert read(tmp_path / "v.feather")[1] == made.TEXTS


def test_imported_text_and_ids_stay_with_the_corpus(tmp_path):
    path = made.parquet(tmp_path / "v.parquet", made.columns())
    corpus = join_articles([path], tmp_path / "c", val=0.2, ood=0.2, seed=0)
    assert corpus.names == tuple(dict.fromkeys(made.NAMES))
    text = open_chunk_text(tmp_path / "c")
    assert [text[row] for row in range(made.N)] == made.TEXTS
    (source,) = corpus.meta["sources"]
    assert source["columns"] == {"vectors": "embedding", "articles": "doc_id", "chunks": "chunk_index", "text": "text"}
    names = tmp_path / "c" / "article_names.json"
    for content in (names.read_text().replace("Physics/3", "Physics/x"), "[]", "{"):
        names.write_text(content)
        with pytest.raises(UserError, match=r"article_names\.json: cannot be read"):
            open_corpus(tmp_path / "c")


def test_files_whose_ids_meet_are_named_anew(tmp_path):
    one = made.parquet(tmp_path / "a.parquet", made.columns(text=None))
    two = tmp_path / "b.parquet"
    shutil.copy(one, two)
    bare = tmp_path / "c.npz"
    np.savez(bare, embeddings=made.VECTORS, article_ids=made.ARTICLE, chunk_indices=made.CHUNK)
    corpus = join_articles([one, bare], tmp_path / "kept", val=0.1, ood=0.1, seed=0)
    assert (corpus.names[0], corpus.names[-1], corpus.meta["article_ids"]) == ("Physics/0", "11", "as in the files")
    corpus = join_articles([one, two], tmp_path / "anew", val=0.1, ood=0.1, seed=0)
    assert (corpus.names[0], corpus.names[-1]) == ("0 a.parquet: Physics/0", "1 b.parquet: Physics/11")
    assert corpus.meta["article_ids"] == "numbered anew"
    assert open_chunk_text(tmp_path / "anew") is None
