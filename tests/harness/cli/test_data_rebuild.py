"""`lvm-data rebuild` as typed."""

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.npz import read_articles, read_sequences
from lvm_gates.harness.corpus.windows import windows_of

C = 3


def run(*arguments):
    return CliRunner().invoke(main, ["rebuild", *(str(argument) for argument in arguments)])


@pytest.fixture
def files(tmp_path):
    """Six articles of eight chunks, and the original builder's windows over the first four and a bit."""
    vectors = np.random.default_rng(0).standard_normal((48, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids, chunks = np.repeat(np.arange(30, 36), 8), np.tile(np.arange(8), 6)
    np.savez(tmp_path / "articles.npz", embeddings=vectors, article_indices=ids, chunk_indices=chunks)
    rows = np.arange(C, 34)[:, None] + np.arange(-C, 1)
    frames = vectors[rows]
    np.savez(
        tmp_path / "sequences.npz",
        contexts=frames[:, :-1],
        targets=frames[:, -1],
        article_ids=ids[rows[:, -1]],
        target_indices=chunks[rows[:, -1]],
    )
    return tmp_path / "sequences.npz", tmp_path / "articles.npz"


def cells(output):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]


def test_rebuild_tells_what_the_windows_are_and_writes_both(files, tmp_path):
    sequences, articles = files
    out, clean = tmp_path / "out", tmp_path / "clean.npz"
    result = run(sequences, "--articles-npz", articles, "--out", out, "--split", "VAL", "--sequences-out", clean)
    assert result.exit_code == 0, result.output
    counts = {row[0]: row[1] for row in cells(result.output) if row[0]}
    # Three windows cross each of four borders, but the last article has two chunks only: 3 + 3 + 3 + 2.
    assert counts == {
        "all": "31",
        "forward": "20",
        "crossing": "11",
        "skipping": "0",
        "reversed": "0",
        "disordered": "0",
        "unknown": "0",
    }
    older = next(row for row in cells(result.output) if "only its older" in row[3])
    assert older[1] == "7"
    corpus = open_corpus(out)
    assert corpus.article_ids.tolist() == [30, 31, 32, 33]
    assert set(corpus.splits) == {"VAL"}
    again = read_sequences(clean, read_articles(articles))
    assert (len(again.windows), again.mismatched) == (20, 0)
    np.testing.assert_array_equal(windows_of(corpus, np.arange(4), C).targets, again.windows.targets)
    assert "20 distinct windows are rebuilt" in result.output


def test_what_the_articles_do_not_say_stays_unknown(files, tmp_path):
    whole = dict(np.load(files[1]))
    del whole["chunk_indices"]
    np.savez(tmp_path / "bare.npz", **whole)
    result = run(files[0], "--articles-npz", tmp_path / "bare.npz", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert open_corpus(tmp_path / "out").meta["chunk_indices"] == "absent"


def test_rebuild_alone_writes_nothing(files, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert run(files[0], "--articles-npz", files[1]).exit_code == 0
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no.npz", "--articles-npz", "articles.npz"], "no such NPZ file"),
        (["sequences.npz", "--articles-npz", "no.npz"], "no such NPZ file"),
        (["sequences.npz", "--articles-npz", "no"], "no such corpus folder"),
        (["sequences.npz", "--articles-npz", "sequences.npz"], "no article embeddings"),
        (["articles.npz", "--articles-npz", "articles.npz"], "no contexts"),
        (["sequences.npz", "--articles-npz", "articles.npz", "--split", "VALL"], "VAL"),
        (["sequences.npz", "--articles-npz", "articles.npz", "--sequences-out", "clean"], "end its name in .npz"),
        (["sequences.npz", "--articles-npz", "articles.npz", "--sequences-out", "articles.npz"], "give --overwrite"),
    ],
)
def test_rebuild_tells_a_mistake_in_one_sentence(files, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    before = files[1].read_bytes()
    assert said in sentence(run(*arguments))
    assert files[1].read_bytes() == before
