"""`lvm-data` as typed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness import audits
from lvm_gates.harness.audits import AUDITS
from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus

SMALL = ["--articles", "20", "--dim", "8"]


def lvm_data(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_articles(file, lengths, dim=8, *, seed=0, first_id=0, index=True, **more):
    """An original article file; article ids count from ``first_id``."""
    ids = np.repeat(np.arange(len(lengths)) + first_id, lengths)
    arrays = {
        "embeddings": np.random.default_rng(seed).standard_normal((len(ids), dim)).astype(np.float32),
        "article_indices": ids,
    }
    if index:
        arrays["chunk_indices"] = np.concatenate([np.arange(length) for length in lengths])
    np.savez(file, **(arrays | more))
    return file


@pytest.fixture
def two_files(tmp_path):
    return [
        write_articles(tmp_path / "one.npz", [9] * 12, seed=1),
        write_articles(tmp_path / "two.npz", [7] * 8, seed=2),
    ]


def test_help_does_not_wait_for_numpy():
    code = "import sys, lvm_gates.harness.cli.data; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0


# synth


def test_synth_writes_a_corpus_and_says_so(tmp_path):
    out = tmp_path / "new" / "world"
    result = lvm_data("synth", "--world", "wiki", *SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    corpus = open_corpus(out)
    assert (len(corpus.starts), corpus.dim, corpus.meta["world"]) == (20, 8, "wiki")
    assert result.output == f"{out}: dataset wiki, 20 articles, {corpus.size:,} chunks, 8 dimensions\n"


def test_synth_is_seeded(tmp_path):
    prints = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        lvm_data("synth", "--world", "arrow", *SMALL, "--seed", seed, "--out", tmp_path / name)
        prints.append(open_corpus(tmp_path / name).fingerprint)
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--world", "wikki"], "did you mean 'wiki'?"),
        (["--world", "wiki", "--dim", "7"], "--dim 7"),
        (["--world", "wiki", "--articles", "3"], "--articles 3"),
        (["--world", "wiki", "--seed", "-1"], "--seed -1"),
    ],
)
def test_synth_tells_a_mistake_in_one_sentence(tmp_path, arguments, said):
    out = tmp_path / "world"
    assert said in sentence(lvm_data("synth", *arguments, "--out", out))
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    synth = ["synth", "--world", "wiki", *SMALL, "--overwrite", "--out", tmp_path / "file" / "world"]
    assert "file/world" in (said := sentence(lvm_data(*synth)))
    assert "cannot be written or read (Not a directory); name another place" in said


def test_a_corpus_half_replaced_does_not_open_as_the_old_one(tmp_path, monkeypatch):
    out = tmp_path / "world"
    synth = ["synth", "--world", "wiki", *SMALL, "--out", out]
    assert lvm_data(*synth).exit_code == 0

    def killed(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("lvm_gates.harness.corpus.corpus.np.savez", killed)
    lvm_data(*synth, "--seed", "5", "--overwrite")
    assert not (out / "corpus.json").exists()


def test_synth_does_not_replace_a_corpus_unasked(tmp_path):
    out = tmp_path / "world"
    synth = ["synth", "--world", "wiki", *SMALL, "--out", out]
    assert lvm_data(*synth).exit_code == 0
    before = open_corpus(out).fingerprint
    assert "is not empty; choose another --out or give --overwrite" in sentence(lvm_data(*synth, "--seed", "5"))
    assert open_corpus(out).fingerprint == before
    assert lvm_data(*synth, "--seed", "5", "--overwrite").exit_code == 0
    assert open_corpus(out).fingerprint != before


def test_an_empty_folder_is_free_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    synth = ["synth", "--world", "wiki", *SMALL, "--out"]
    assert lvm_data(*synth, tmp_path / "empty").exit_code == 0
    sentence(lvm_data(*synth, tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


# import


def test_import_joins_files_and_keeps_every_chunk_in_order(two_files, tmp_path):
    out = tmp_path / "joined"
    result = lvm_data("import", *two_files, "--out", out, "--val", "0.2", "--ood", "0.1")
    assert result.exit_code == 0, result.output
    first, renamed, *norms = result.output.splitlines()
    assert first == f"{out}: 20 articles (14 TRAIN, 4 VAL, 2 OOD), 164 chunks, 8 dimensions"
    assert renamed.startswith("articles of two files have one id, so all were named anew")
    assert [line.split(": ")[0] for line in norms] == ["one.npz", "two.npz"], "neither is of unit norm"
    corpus = open_corpus(out)
    given = np.concatenate([np.load(file)["embeddings"] for file in two_files])
    given /= np.linalg.norm(given, axis=1, keepdims=True)
    np.testing.assert_allclose(corpus.vectors(np.arange(corpus.size)), given, atol=1e-3)  # stored as float16
    assert corpus.lengths.tolist() == [9] * 12 + [7] * 8
    assert corpus.article_ids.tolist() == list(range(20))


def test_import_splits_by_article_and_by_seed(two_files, tmp_path):
    splits = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        lvm_data("import", *two_files, "--out", tmp_path / name, "--val", "0.3", "--ood", "0.3", "--seed", seed)
        splits.append(open_corpus(tmp_path / name).splits.tolist())
    assert splits[0] == splits[1] != splits[2]
    for one in splits:
        # One entry an article, and no split is the end or the beginning of the files: articles are drawn at random.
        assert sorted(one) == ["OOD"] * 6 + ["TRAIN"] * 8 + ["VAL"] * 6
        assert one != sorted(one)


def test_import_without_ood(two_files, tmp_path):
    lvm_data("import", *two_files, "--out", tmp_path / "out", "--ood", "0")
    assert set(open_corpus(tmp_path / "out").splits) == {"TRAIN", "VAL"}


def test_import_reads_chunks_in_any_order(tmp_path):
    ids, chunks = np.array([4, 2, 4, 2, 2, 4]), np.array([1, 2, 0, 0, 1, 2])
    vectors = np.eye(8, dtype=np.float32)[:6]
    file = tmp_path / "mixed.npz"
    np.savez(file, embeddings=vectors, article_indices=ids, chunk_indices=chunks)
    assert lvm_data("import", file, "--out", tmp_path / "out", "--val", "0").exit_code == 0
    corpus = open_corpus(tmp_path / "out")
    assert corpus.vectors(np.arange(6)).argmax(axis=1).tolist() == [3, 4, 1, 2, 0, 5]
    assert corpus.chunk_index.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: None, "no such NPZ file"),
        (lambda file: file.write_bytes(b"PK no zip"), "not a readable NPZ file"),
        (lambda file: write_articles(file, [3], dim=6), "6 dimensions"),
        (lambda file: np.savez(file, other=np.ones(3)), "article embeddings"),
        (lambda file: write_articles(file, [3], chunk_indices=np.array([0, 0, 1])), "twice"),
        (lambda file: write_articles(file, [3], embeddings=np.zeros((3, 8))), "zero vector"),
        (lambda file: write_articles(file, [3], article_indices=np.array([None, 1, 2])), "pickle"),
    ],
    ids=["missing", "no zip", "dimension", "keys", "repeated chunk", "zero", "pickle"],
)
def test_import_tells_a_bad_file_in_one_sentence(two_files, tmp_path, make, said):
    bad = tmp_path / "bad.npz"
    make(bad)
    found = sentence(lvm_data("import", two_files[0], bad, "--out", tmp_path / "out"))
    assert str(bad) in found
    assert said in found
    assert not (tmp_path / "out").exists()


def test_import_leaves_something_to_train_on(two_files, tmp_path):
    arguments = ["import", *two_files, "--out", tmp_path / "out", "--val", "0.5", "--ood", "0.5"]
    assert "leave no articles for TRAIN" in sentence(lvm_data(*arguments))


def test_import_does_not_replace_a_corpus_unasked_or_by_a_bad_file(two_files, tmp_path):
    out = tmp_path / "out"
    lvm_data("import", two_files[0], "--out", out)
    before = open_corpus(out).fingerprint
    assert "give --overwrite" in sentence(lvm_data("import", two_files[1], "--out", out))
    sentence(lvm_data("import", tmp_path / "nothing.npz", "--out", out, "--overwrite"))
    assert open_corpus(out).fingerprint == before
    assert lvm_data("import", two_files[1], "--out", out, "--overwrite").exit_code == 0
    assert open_corpus(out).fingerprint != before


# audit


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """Folder with a small honest world and a small leaky one."""
    root = tmp_path_factory.mktemp("worlds")
    for world in ("arrow", "leaky"):
        lvm_data("synth", "--world", world, "--articles", "40", "--dim", "16", "--out", root / world)
    return root


def test_audit_of_an_honest_corpus(worlds):
    result = lvm_data("audit", "--corpus", worlds / "arrow")
    assert result.exit_code == 0, result.output
    for name in AUDITS:
        assert name in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_audit_finds_a_leak(worlds):
    result = lvm_data("audit", "--corpus", worlds / "leaky")
    assert result.exit_code == 1
    assert "also in TRAIN" in " ".join(result.output.replace("│", " ").split())


def test_audit_of_what_cannot_be_checked_fails(tmp_path):
    """The original audit printed zero errors because the index fields were absent."""
    file = write_articles(tmp_path / "articles.npz", [12] * 10, index=False)
    ranges = ["--val-articles", "0-3", "--ood-articles", "4-7"]
    result = lvm_data("audit", "--articles-npz", file, *ranges)
    assert result.exit_code == 1, result.output
    assert "not" in result.output
    assert "checkable" in result.output
    indexed = write_articles(tmp_path / "indexed.npz", [12] * 10)
    assert lvm_data("audit", "--articles-npz", indexed, *ranges).exit_code == 0


def test_audit_without_a_training_split_says_so_and_exits_0(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    file = write_articles(tmp_path / "articles.npz", [12] * 8)
    result = lvm_data("audit", "--articles-npz", file, "--val-articles", "0-3", "--ood-articles", "4-7")
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.output.splitlines() if "train against val" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "train against val",
        "not checkable",
        "no training split is named, nothing to compare; it only describes the corpus and blocks nothing",
    ]


def test_audit_compares_with_the_training_corpus_that_is_named(tmp_path):
    file = write_articles(tmp_path / "judged.npz", [12] * 8)
    audit = ["audit", "--articles-npz", file, "--val-articles", "0-3", "--ood-articles", "4-7", "--train-corpus"]
    other = write_articles(tmp_path / "other.npz", [12] * 8, seed=1, first_id=20)
    assert lvm_data(*audit, other).exit_code == 0
    result = lvm_data(*audit, other, "--train-corpus", file)
    assert result.exit_code == 1, result.output
    assert "also in TRAIN" in " ".join(result.output.replace("│", " ").split())


def test_audit_draws_its_samples_by_the_seed_and_the_context_given(worlds, monkeypatch):
    found = []
    monkeypatch.setattr(audits, "audit", lambda inputs: found.append(inputs) or [])
    for seed in (0, 4):
        assert lvm_data("audit", "--corpus", worlds / "arrow", "--seed", seed, "--context", "3").exit_code == 0
    assert [one.evaluation["VAL"].seed for one in found] == [0, 4]
    assert [one.evaluation["OOD"].windows.context for one in found] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--corpus", "nowhere"], "nowhere: no such corpus folder"),
        (["--corpus", ".", "--articles-npz", "a.npz"], "both name the chunks"),
        (["--val-articles", "0-3"], "need --articles-npz or --corpus"),
        (["--articles-npz", "{npz}", "--val-articles", "3-0", "--ood-articles", "4"], "is no article range"),
        (["--articles-npz", "{npz}", "--val-articles", "0-3", "--ood-articles", "3-4"], "in both"),
        (["--articles-npz", "{npz}", "--val-articles", "0-3"], "add --ood-articles"),
        (["--articles-npz", "{npz}", "--val-articles", "0-3", "--ood-articles", "4", "--context", "12"], "long enough"),
    ],
)
def test_audit_tells_a_mistake_in_one_sentence(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    file = write_articles(tmp_path / "articles.npz", [12] * 10)
    assert said in sentence(lvm_data("audit", *(argument.format(npz=file) for argument in arguments)))
