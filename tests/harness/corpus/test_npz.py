"""Original NPZ files: mapped exactly, put in order, and refused with one sentence when they are broken."""

import zipfile

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.npz import read_articles, read_sequences
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.files.npz_file import NpzFile


def rows(n, dim=6, seed=0, dtype=np.float32):
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [
        rows(7),
        rows(5, dtype=np.float16),
        np.asfortranarray(rows(4)),
        np.arange(9),
        np.arange(6, dtype=">i4"),
        np.arange(24.0).reshape(2, 3, 4),
        np.array(["VAL", "OOD"]),
    ],
    ids=["float32", "float16", "fortran", "int64", "big-endian", "three axes", "text"],
)
def test_a_mapped_member_equals_what_numpy_loads(tmp_path, save, array):
    path = tmp_path / "a.npz"
    save(path, first=np.zeros(3), the_array_with_a_longer_name=array, last=np.ones(2))
    file = NpzFile.open(path)
    assert file.members == ("first", "the_array_with_a_longer_name", "last")
    mapped = file.map("the_array_with_a_longer_name")
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == array.dtype
    np.testing.assert_array_equal(mapped, np.load(path)["the_array_with_a_longer_name"])
    np.testing.assert_array_equal(file.map("last"), [1, 1])


def test_a_changed_compressed_file_is_unpacked_again(tmp_path):
    path = tmp_path / "a.npz"
    for value in (1.0, 2.0):
        np.savez_compressed(path, embeddings=np.full((3, 4), value))
        np.testing.assert_array_equal(NpzFile.open(path).map("embeddings"), np.full((3, 4), value))


@pytest.mark.parametrize(
    "names",
    [
        ("embeddings", "article_indices", "chunk_indices"),
        ("vectors", "article_ids", "seq_idx"),
        ("X", "article_ids", "chunk_indices"),
    ],
)
def test_interleaved_rows_are_put_in_reading_order(tmp_path, names):
    rng = np.random.default_rng(3)
    ids = np.repeat([12, 5, 40], [4, 6, 3])
    chunks = np.concatenate([[0, 1, 2, 3], [2, 3, 4, 7, 8, 9], [1, 0, 2]])
    vectors = rows(13)
    order = rng.permutation(13)
    np.savez(tmp_path / "a.npz", **dict(zip(names, (vectors[order], ids[order], chunks[order]), strict=True)))
    corpus = read_articles(tmp_path / "a.npz")
    expected = sorted(zip(ids.tolist(), chunks.tolist(), range(13), strict=True))
    assert corpus.article_ids.tolist() == [5, 12, 40]
    assert corpus.lengths.tolist() == [6, 4, 3]
    assert corpus.starts.tolist() == [0, 6, 10]
    assert corpus.chunk_index.tolist() == [c for _, c, _ in expected]
    np.testing.assert_array_equal(corpus.raw(np.arange(13)), vectors[[r for _, _, r in expected]])
    assert windows_of(corpus, np.arange(3), 2).targets.tolist() == [2, 5, 8, 9, 12]
    assert corpus.meta["chunk_indices"] == "present"
    assert set(corpus.splits) == {""}


def test_without_chunk_indices_the_order_of_the_file_is_taken_and_said(tmp_path):
    vectors = rows(6)
    np.savez(tmp_path / "a.npz", embeddings=vectors, article_ids=np.array([1, 0, 1, 0, 0, 1]))
    corpus = read_articles(tmp_path / "a.npz")
    np.testing.assert_array_equal(corpus.raw(np.arange(6)), vectors[[1, 3, 4, 0, 2, 5]])
    assert corpus.chunk_index.tolist() == [0, 1, 2, 0, 1, 2]
    assert corpus.meta["chunk_indices"] == "absent"


def good_articles():
    return {"embeddings": rows(6), "article_ids": np.repeat([0, 1], 3), "chunk_indices": np.tile([0, 1, 2], 2)}


ARTICLE_FAULTS = {
    "no embeddings": ({"embeddings": None}, "no article embeddings .looked for embeddings, vectors, X; found art"),
    "no ids": ({"article_ids": None}, "no article ids"),
    "objects": ({"embeddings": np.array([{}] * 6, dtype=object)}, "needs pickle and could run code"),
    "object ids": ({"article_ids": np.array(["a"] * 6, dtype=object)}, "needs pickle and could run code"),
    "twice the same chunk": ({"chunk_indices": np.array([0, 1, 1, 0, 0, 0])}, "article 0 holds chunk index 1 twice .3"),
    "one axis": ({"embeddings": rows(6).ravel()}, "embeddings are float32 of shape .36,."),
    "three axes": ({"embeddings": rows(6)[:, None]}, "of shape .6, 1, 6."),
    "whole numbers": ({"embeddings": np.ones((6, 3), dtype=np.int64)}, "embeddings are int64"),
    "ids as floats": ({"article_ids": np.zeros(6)}, "article ids are float64"),
    "ids in two axes": ({"article_ids": np.zeros((6, 1), dtype=int)}, "article ids are int64 of shape .6, 1."),
    "chunks as text": ({"chunk_indices": np.array(list("abcdef"))}, "chunk indices are <U1"),
    "too few ids": ({"article_ids": np.zeros(5, dtype=int)}, "6 embeddings, 5 article ids and 6 chunk indices"),
    "too few chunks": ({"chunk_indices": np.zeros(2, dtype=int)}, "6 embeddings, 6 article ids and 2 chunk indices"),
    "nothing": ({"embeddings": np.zeros((0, 4), dtype=np.float32)}, "of shape .0, 4."),
}  # fmt: skip


@pytest.mark.parametrize("fault", ARTICLE_FAULTS)
def test_every_fault_of_an_article_file_is_one_sentence(tmp_path, fault):
    change, words = ARTICLE_FAULTS[fault]
    arrays = {name: value for name, value in (good_articles() | change).items() if value is not None}
    path = tmp_path / "articles.npz"
    np.savez(path, allow_pickle=True, **arrays)
    refused(lambda: read_articles(path), path, words)


def refused(action, path, words):
    with pytest.raises(UserError, match=words) as raised:
        action()
    message = str(raised.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_a_truncated_file_is_one_sentence(tmp_path, save, keep):
    path = tmp_path / "articles.npz"
    save(path, **good_articles())
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if keep > 1 else int(keep * len(whole))])
    refused(lambda: read_articles(path), path, "truncated, copy it again")


def test_damage_inside_a_compressed_member_is_one_sentence(tmp_path):
    path = tmp_path / "articles.npz"
    np.savez_compressed(path, **good_articles())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("embeddings.npy")
    damaged = bytearray(path.read_bytes())
    begin = info.header_offset + 120
    damaged[begin : begin + 40] = b"\xff" * 40
    path.write_bytes(bytes(damaged))
    refused(lambda: read_articles(path), path, "cannot be read")


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path):
    refused(lambda: read_articles(tmp_path / "no.npz"), tmp_path / "no.npz", "no such NPZ file")
    refused(lambda: read_articles(tmp_path), tmp_path, "no such NPZ file")


def test_a_plain_npy_is_not_an_npz(tmp_path):
    np.save(tmp_path / "a.npy", rows(4))
    refused(lambda: read_articles(tmp_path / "a.npy"), tmp_path / "a.npy", "not a readable NPZ")


def test_a_member_that_is_not_an_array_is_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, article_ids=np.arange(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("embeddings", b"not an array")
    refused(lambda: read_articles(path), path, "member 'embeddings' cannot be read")


def sequences(corpus, context=3, names=("contexts", "targets"), targets=None):
    windows = windows_of(corpus, np.arange(len(corpus.starts)), context)
    if targets is not None:
        windows = windows.take(np.flatnonzero(np.isin(windows.targets, targets)))
    return {
        names[0]: windows.contexts(),
        names[1]: windows.target_vectors(),
        "article_ids": corpus.article_ids[windows.clusters],
        "target_indices": corpus.chunk_index[windows.targets],
    }


@pytest.fixture
def store(make_corpus):
    return make_corpus([10, 12], dim=8, splits="", jumps={14: 3}, article_ids=np.array([4, 9]))


@pytest.mark.parametrize(
    "names", [("contexts", "targets"), ("context", "target"), ("X", "y"), ("context_sequences", "target_vectors")]
)
def test_the_windows_of_a_sequence_file_are_found_in_the_store(tmp_path, store, names):
    arrays = sequences(store, names=names)
    order = np.random.default_rng(0).permutation(len(arrays["article_ids"]))
    half = {name: values.astype(np.float16) if values.dtype.kind == "f" else values for name, values in arrays.items()}
    np.savez(tmp_path / "s.npz", **{name: values[order] for name, values in half.items()})
    found = read_sequences(tmp_path / "s.npz", store)
    assert found.windows.targets.tolist() == windows_of(store, np.arange(2), 3).targets.tolist()
    assert found.windows.context == 3
    assert found.mismatched == 0


def test_windows_that_cross_skip_or_are_foreign_are_counted(tmp_path, store):
    arrays = sequences(store)
    n = len(arrays["targets"])
    vectors = store.vectors(np.arange(store.size))
    # The target is one chunk later than it says.
    arrays["targets"][1] = vectors[5]
    # The first frame comes from the other article.
    arrays["contexts"][2, 0] = vectors[20]
    # A window over the end of the first article, named by the second's first chunk.
    arrays["contexts"][3], arrays["targets"][3] = vectors[7:10], vectors[10]
    arrays["article_ids"][3], arrays["target_indices"][3] = 9, 0
    # No such chunk, no such article, no such direction.
    arrays["target_indices"][4] = 77
    arrays["article_ids"][5] = 1
    arrays["contexts"][6, 1] = np.nan
    np.savez(tmp_path / "s.npz", **arrays)
    found = read_sequences(tmp_path / "s.npz", store)
    assert found.mismatched == 6
    assert len(found.windows) == n - 6
    assert not {4, 5, 6} & set(found.windows.targets.tolist())


def test_a_window_over_a_gap_of_the_store_is_a_mismatch(tmp_path, store):
    arrays = sequences(store)
    vectors = store.vectors(np.arange(store.size))
    # Row 14 is chunk 6 of article 9 and follows chunk 3: the run of rows 12, 13, 14, 15 is broken.
    arrays["contexts"][0], arrays["targets"][0] = vectors[12:15], vectors[15]
    arrays["article_ids"][0], arrays["target_indices"][0] = 9, store.chunk_index[15]
    np.savez(tmp_path / "s.npz", **arrays)
    assert read_sequences(tmp_path / "s.npz", store).mismatched == 1


def test_a_window_listed_twice_is_judged_once(tmp_path, store):
    arrays = sequences(store)
    np.savez(tmp_path / "s.npz", **{name: np.concatenate([v, v[:2]]) for name, v in arrays.items()})
    found = read_sequences(tmp_path / "s.npz", store)
    assert len(found.windows) == len(np.unique(found.windows.targets)) == len(arrays["targets"])
    assert found.mismatched == 0


SEQUENCE_FAULTS = {
    "no contexts": (lambda a: a.pop("contexts"), "no contexts"),
    "no targets": (lambda a: a.pop("targets"), "no targets"),
    "no index fields": (lambda a: a.pop("target_indices"), "article_ids and target_indices are missing"),
    "no article ids": (lambda a: a.pop("article_ids"), "article_ids and target_indices are missing"),
    "flat contexts": (lambda a: a.update(contexts=a["contexts"].reshape(-1, 24)), "must be .windows, context, dim."),
    "fewer targets": (lambda a: a.update(targets=a["targets"][:-1]), "must be .windows, context, dim."),
    "fewer ids": (lambda a: a.update(article_ids=a["article_ids"][:-1]), "must be equally long"),
    "fewer positions": (lambda a: a.update(target_indices=a["target_indices"][:-1]), "must be equally long"),
    "more of both": (
        lambda a: a.update({k: np.append(a[k], a[k][:1]) for k in ("article_ids", "target_indices")}),
        "must be equally long",
    ),
    "another encoder": (lambda a: a.update(contexts=a["contexts"][..., :5]), "5 dimensions, but .* has 8"),
    "narrow targets": (lambda a: a.update(targets=a["targets"][..., :5]), "dimensions"),
    "text": (lambda a: a.update(contexts=a["contexts"].astype("U8")), "contexts are <U8"),
    "objects": (lambda a: a.update(targets=a["targets"].astype(object)), "needs pickle"),
    "ids as floats": (lambda a: a.update(article_ids=a["article_ids"].astype(float)), "article ids are float64"),
    "foreign": (lambda a: a.update(contexts=-a["contexts"]), "not one of its 13 windows"),
    "no windows": (lambda a: a.update({k: v[:0] for k, v in a.items()}), "not one of its 0 windows"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SEQUENCE_FAULTS)
def test_every_fault_of_a_sequence_file_is_one_sentence(tmp_path, store, fault):
    spoil, words = SEQUENCE_FAULTS[fault]
    arrays = sequences(store)
    assert len(arrays["targets"]) == 13
    spoil(arrays)
    path = tmp_path / "s.npz"
    np.savez(path, allow_pickle=True, **arrays)
    refused(lambda: read_sequences(path, store), path, words)
