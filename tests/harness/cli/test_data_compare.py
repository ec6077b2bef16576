"""`lvm-data compare` as typed."""

import re

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.corpus_statistics import LAGS, portray
from lvm_gates.harness.worlds.world import synthesise


def compare(*arguments):
    return CliRunner().invoke(main, ["compare", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("worlds")
    return {name: synthesise(name, root / name, articles=40, dim=16).path for name in ("arrow", "reversed", "wiki")}


def row(result, label):
    """The metrics of one row, and whether it is marked."""
    (line,) = [line for line in result.output.splitlines() if line.startswith(label)]
    return [float(x) for x in re.findall(r"[+-]?\d?\.\d+", line)], line.rstrip().endswith("*")


def test_two_worlds_differ_where_their_laws_do(folders):
    result = compare(folders["arrow"], folders["wiki"])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert "different articles, intervals in quadrature" in " ".join(result.output.split())
    metrics, marked = row(result, "lag 3")
    assert marked
    corpora = [open_corpus(folders[name]) for name in ("arrow", "wiki")]
    found = [portray([(corpus, np.arange(40))], 5).metrics["lag 3"] for corpus in corpora]
    assert metrics[0] == pytest.approx(found[0].value, abs=6e-4)
    assert metrics[3] == pytest.approx(found[1].value, abs=6e-4)
    assert metrics[6] == pytest.approx(found[1].value - found[0].value, abs=6e-4)
    for lag in LAGS[1:]:
        row(result, f"lag {lag} ")
    for label in ("coherence (lag 1)", "temporal signal", "random pair", "anisotropy (norm)"):
        assert len(row(result, label)[0]) == 9


def test_a_corpus_does_not_differ_from_itself_nor_from_its_reverse(folders):
    """The same articles pair, and no pairwise cosine tells forward from backward."""
    for other in ("arrow", "reversed"):
        result = compare(folders["arrow"], folders[other])
        assert "the same articles on both sides, paired" in " ".join(result.output.split())
        assert not any(line.endswith("*") for line in result.output.splitlines())


def test_splits_of_one_corpus(folders):
    result = compare(folders["arrow"], folders["arrow"], "--split-a", "train", "--split-b", "VAL")
    assert result.exit_code == 0, result.output
    assert "TRAIN  24 articles" in result.output
    assert "VAL  8 articles" in result.output
    assert "different articles, intervals in quadrature" in " ".join(result.output.split())


def test_article_files_are_read_and_mistakes_told(folders, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((36, 8)).astype(np.float32)
    file, ids, chunks = tmp_path / "a.npz", np.repeat(np.arange(3), 12), np.tile(np.arange(12), 3)
    np.savez(file, embeddings=vectors, article_indices=ids, chunk_indices=chunks)
    assert compare(file, file).exit_code == 0
    for arguments, said in (
        ([file, file, "--split-b", "OOD"], "no OOD articles"),
        ([file, tmp_path / "none"], "no such corpus folder"),
    ):
        result = compare(*arguments)
        assert result.exit_code == 1
        assert said in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture
def write(tmp_path):
    """write(name, first_id, first_chunk, bad): an article file of three articles; row `bad` has no direction."""

    def npz(name, first_id=0, first_chunk=0, bad=None):
        vectors = np.random.default_rng(0).standard_normal((36, 8)).astype(np.float32)
        if bad is not None:
            vectors[bad] = 0
        ids, chunks = np.repeat(np.arange(3), 12) + first_id, np.tile(np.arange(12), 3) + first_chunk
        np.savez(tmp_path / name, embeddings=vectors, article_indices=ids, chunk_indices=chunks)
        return tmp_path / name

    return npz


def test_only_articles_of_the_same_ids_and_chunks_are_paired(write):
    one = write("one.npz")
    for other, said in (
        (write("two.npz"), "the same articles on both sides"),
        (write("ids.npz", first_id=3), "different articles, intervals"),
        (write("chunks.npz", first_chunk=1), "different articles, intervals"),
    ):
        assert said in " ".join(compare(one, other).output.split())


def test_a_vector_without_a_direction_is_named_on_either_side(write):
    good, bad = write("good.npz"), write("bad.npz", bad=30)
    for files in ((good, bad), (bad, good)):
        assert f"{bad}: chunk 6 of article 2 is a zero vector" in sentence(compare(*files))
