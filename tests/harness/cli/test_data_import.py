"""`lvm-data import` of sequence files and of files that need pickle."""

import ast
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lvm_gates.harness.audits.store import unit_norm
from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

ROOT = Path(__file__).parents[3]
C = 3


def run(*arguments):
    return CliRunner().invoke(main, ["import", *(str(argument) for argument in arguments)])


def sentence(result):
    assert result.exit_code == 1, result.output
    lines = [line for line in result.stderr.strip().splitlines() if not line.startswith("--trust-pickle: ")]
    assert len(lines) == 1, result.stderr
    return lines[0].removeprefix("Error: ")


@pytest.fixture
def articles(tmp_path):
    """Article ids 40, 41, 42 with 7, 5 and 8 chunks."""
    ids = np.repeat([40, 41, 42], [7, 5, 8])
    chunks = np.concatenate([np.arange(n) for n in (7, 5, 8)])
    vectors = np.random.default_rng(0).standard_normal((20, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.savez(tmp_path / "articles.npz", embeddings=vectors, article_indices=ids, chunk_indices=chunks)
    return tmp_path / "articles.npz"


def windows(store, targets, skip=0):
    rows = np.asarray(targets)
    return {
        "contexts": store.vectors(rows[:, None] - skip + np.arange(-C, 0)),
        "targets": store.vectors(rows),
        "article_ids": store.article_ids[store.article_of[rows]],
        "target_indices": store.chunk_index[rows],
    }


def forward(store):
    rows = np.arange(store.size)
    return rows[rows - store.run_start >= C]


def as_metadata(arrays):
    """The original form: article and chunk numbers in an array of dictionaries."""
    rows = zip(arrays.pop("article_ids"), arrays.pop("target_indices"), strict=True)
    metadata = [{"article_index": int(a), "target_chunk_index": int(p), "title": f"T{a}", "odd": {}} for a, p in rows]
    return arrays | {"metadata": np.array(metadata, dtype=object)}


# sequence files


def test_windows_become_the_articles_they_were_made_from(articles, tmp_path):
    store = read_articles(articles)
    arrays = windows(store, np.random.default_rng(1).permutation(forward(store)))
    np.savez(tmp_path / "s.npz", **arrays)
    result = run(tmp_path / "s.npz", "--out", tmp_path / "out", "--val", "0")
    assert result.exit_code == 0, result.output
    corpus = open_corpus(tmp_path / "out")
    assert corpus.article_ids.tolist() == [40, 41, 42]
    assert corpus.lengths.tolist() == [7, 5, 8]
    np.testing.assert_array_equal(corpus.chunk_index, store.chunk_index)
    np.testing.assert_allclose(corpus.vectors(np.arange(20)), store.vectors(np.arange(20)), atol=1e-3)
    assert "11 windows, of which 0 do not" in result.output
    (source,) = corpus.meta["sources"]
    assert source.pop("norms_off_by") < 1e-2
    assert source == {"file": "s.npz", "windows": 11, "contradicting_windows": 0, "articles": 3, "chunks": 20}


def test_windows_that_cross_articles_put_no_chunk_in_the_wrong_place(articles, tmp_path):
    store = read_articles(articles)
    np.savez(tmp_path / "s.npz", **windows(store, np.arange(C, 20)))
    result = run(tmp_path / "s.npz", "--out", tmp_path / "out", "--val", "0")
    assert result.exit_code == 0, result.output
    assert "17 windows, of which 6 do not" in result.output
    corpus = open_corpus(tmp_path / "out")
    # Articles 41 and 42 are whole, as every chunk is a target; article 40 has no crossing window and is filled up.
    assert corpus.lengths.tolist() == [7, 5, 8]
    np.testing.assert_allclose(corpus.vectors(np.arange(20)), store.vectors(np.arange(20)), atol=1e-3)


def test_windows_that_skip_a_chunk_give_their_targets_only(articles, tmp_path):
    store = read_articles(articles)
    rows = np.arange(20)
    rows = rows[rows - store.run_start >= C + 1]
    np.savez(tmp_path / "p6.npz", **windows(store, rows, skip=1))
    assert run(tmp_path / "p6.npz", "--out", tmp_path / "out", "--val", "0").exit_code == 0
    corpus = open_corpus(tmp_path / "out")
    at = {(int(a), int(c)): row for row, (a, c) in enumerate(zip(store.article_ids[store.article_of], store.chunk_index,
                                                               strict=True))}  # fmt: skip
    found = [at[int(a), int(c)] for a, c in zip(corpus.article_ids[corpus.article_of], corpus.chunk_index, strict=True)]
    assert found == rows.tolist()
    np.testing.assert_allclose(corpus.vectors(np.arange(corpus.size)), store.vectors(rows), atol=1e-3)


def test_sequences_without_index_fields_are_refused(articles, tmp_path):
    arrays = windows(read_articles(articles), [5, 6])
    del arrays["target_indices"]
    np.savez(tmp_path / "s.npz", **arrays)
    found = sentence(run(tmp_path / "s.npz", "--out", tmp_path / "out"))
    assert "lvm-data rebuild" in found
    assert not (tmp_path / "out").exists()


def test_article_ids_are_kept_where_no_two_files_share_one(articles, tmp_path):
    more = dict(np.load(articles))
    np.savez(tmp_path / "more.npz", **(more | {"article_indices": more["article_indices"] + 10}))
    run(articles, tmp_path / "more.npz", "--out", tmp_path / "kept")
    assert open_corpus(tmp_path / "kept").article_ids.tolist() == [40, 41, 42, 50, 51, 52]
    run(articles, articles, "--out", tmp_path / "anew")
    assert open_corpus(tmp_path / "anew").article_ids.tolist() == list(range(6))
    assert open_corpus(tmp_path / "anew").meta["article_ids"] == "numbered anew"


def test_chunk_numbers_that_a_file_lacks_stay_unknown(articles, tmp_path):
    """Counted up they would make contiguity look checked."""
    whole = dict(np.load(articles))
    np.savez(tmp_path / "bare.npz", embeddings=whole["embeddings"], article_indices=whole["article_indices"] + 9)
    for files, found in ([articles], "present"), ([articles, tmp_path / "bare.npz"], "absent"):
        result = run(*files, "--out", tmp_path / found)
        assert result.exit_code == 0, result.output
        assert open_corpus(tmp_path / found).meta["chunk_indices"] == found


def audited(folder):
    """What the audit says of the norms, with an article in each split."""
    arguments = CorpusArguments(corpus=folder, val_articles="40", ood_articles="41")
    return unit_norm(resolve(arguments, context=C, max_samples=9, horizon=1, seed=0)).detail


def test_vectors_of_another_norm_are_normalised_and_that_is_said(articles, tmp_path):
    whole = dict(np.load(articles))
    np.savez(tmp_path / "long.npz", **{**whole, "embeddings": 3 * whole["embeddings"]})
    said = run(tmp_path / "long.npz", "--out", tmp_path / "long").output
    assert "long.npz: norms were off by up to 2; normalised on import\n" in said
    assert "normalised" not in run(articles, "--out", tmp_path / "unit").output
    long, unit = (open_corpus(tmp_path / name) for name in ("long", "unit"))
    rows = np.arange(unit.size)
    np.testing.assert_allclose(long.vectors(rows), unit.vectors(rows), atol=1e-3)
    assert long.meta["sources"][0]["norms_off_by"] == pytest.approx(2, abs=1e-4)
    found = {name: audited(tmp_path / name) for name in ("long", "unit")}
    assert found["long"].startswith("stored at unit norm, normalised on import; ")
    assert found["unit"].startswith("stored at unit norm; ")


def test_a_share_that_is_no_number_is_refused(articles, tmp_path):
    assert "leave no articles for TRAIN" in sentence(run(articles, "--val", "nan", "--out", tmp_path / "out"))


def test_nothing_is_left_beside_the_corpus(articles, tmp_path):
    folder = tmp_path / "alone"
    run(articles, "--out", folder / "out", "--trust-pickle")
    assert [file.name for file in folder.iterdir()] == ["out"]


# pickle


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


class Failing:
    def __reduce__(self):
        return int, ("no number",)


def test_metadata_needs_trust_and_is_read_once(articles, tmp_path):
    store = read_articles(articles)
    path = tmp_path / "s.npz"
    np.savez(path, allow_pickle=True, **as_metadata(windows(store, forward(store))))
    assert "--trust-pickle" in sentence(run(path, "--out", tmp_path / "out"))
    result = run(path, "--out", tmp_path / "out", "--trust-pickle", "--val", "0")
    assert result.exit_code == 0, result.output
    assert "runs code that whoever made the file chose" in result.stderr
    assert "metadata -> article_ids (int64, (11,))" in result.stderr
    corpus = open_corpus(tmp_path / "out")
    np.testing.assert_allclose(corpus.vectors(np.arange(20)), store.vectors(np.arange(20)), atol=1e-3)
    assert corpus.meta["sources"][0]["file"] == "s.npz"


def test_a_file_is_converted_to_a_plain_one(articles, tmp_path):
    path, plain = tmp_path / "s.npz", tmp_path / "new" / "plain.npz"
    arrays = windows(read_articles(articles), [4, 5, 6])
    published = as_metadata(dict(arrays)) | {"names": np.array(["a", "bc"], dtype=object), "one": np.float64(3)}
    published["targets"] = published["targets"].astype(object)
    np.savez_compressed(path, allow_pickle=True, **published)
    result = run(path, "--out", plain, "--trust-pickle")
    assert result.exit_code == 0, result.output
    with np.load(plain, allow_pickle=False) as stored:
        converted = dict(stored)
    for name, array in arrays.items():
        np.testing.assert_array_equal(converted[name], array)
    assert converted["names"].tolist() == ["a", "bc"]
    assert converted["title"].tolist() == ["T40"] * 3
    assert converted["one"] == 3
    assert "odd" not in converted
    assert run(plain, "--out", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (np.array([np.ones(2), np.ones(3)], dtype=object), "holds objects that no plain array can"),
        (np.array([None, 1], dtype=object), "holds objects that no plain array can"),
        (np.array([{"a": 1}, {"b": 2}], dtype=object), "share no key"),
    ],
)
def test_objects_that_cannot_be_plain_are_one_sentence(articles, tmp_path, member, said):
    path = tmp_path / "s.npz"
    np.savez(path, allow_pickle=True, bad=member)
    found = sentence(run(path, "--out", tmp_path / "out.npz", "--trust-pickle"))
    assert f"{path}: member 'bad'" in found
    assert said in found
    assert not (tmp_path / "out.npz").exists()


def test_a_pickle_that_fails_is_one_sentence(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, allow_pickle=True, bad=np.array([Failing()], dtype=object))
    found = sentence(run(path, "--out", tmp_path / "o.npz", "--trust-pickle"))
    assert "member 'bad' cannot be unpickled (ValueError: " in found
    assert not (tmp_path / "o.npz").exists()


def test_no_code_runs_without_trust(articles, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = dict(np.load(articles)) | {"notes": np.array([Malicious()], dtype=object)}
    np.savez("evil.npz", allow_pickle=True, **arrays)
    run("evil.npz", "--out", "out")
    np.savez("worse.npz", allow_pickle=True, **(arrays | {"embeddings": np.array([Malicious()] * 20, dtype=object)}))
    assert "--trust-pickle" in sentence(run("worse.npz", "--out", "out", "--overwrite"))
    assert not (tmp_path / "executed").exists()
    # The test can fail: with trust, it does run.
    run("evil.npz", "--out", "plain.npz", "--trust-pickle")
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--out", "x.npz"], "a corpus is a folder"), (["--out", "articles.npz", "--trust-pickle"], "name another")],
)
def test_an_npz_comes_out_only_of_one_trusted_file(articles, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    before = articles.read_bytes()
    assert said in sentence(run("articles.npz", *arguments))
    assert articles.read_bytes() == before


def reads_pickle(call):
    """Whether a call reads, rather than writes, with pickle allowed."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    allowed = any(
        keyword.arg == "allow_pickle" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.keywords
    )
    return allowed and name not in ("save", "savez", "savez_compressed")


def test_pickle_is_read_in_one_place_of_the_project():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = []
    for name in listed.stdout.split():
        if not (ROOT / name).is_file():  # deleted and not yet committed
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text())):
            if isinstance(node, ast.Call) and reads_pickle(node):
                found.append(name)
    assert found == ["harness/corpus/importing/trusted_pickle.py"]
