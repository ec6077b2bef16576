"""The tables of early errors: ours are rare where the tools' are not, and the commands print what the page shows."""

import numpy as np
import pytest
from click.testing import CliRunner

from ci import sequential_error as table
from ci.sequential_error import RULES, rates, share_used, simulated

NAIVE = "windows as independent, in order"


def streams(kind, sessions=60, metric="cosine"):
    return (simulated(np.random.default_rng([7, i]), metric, 0.3, kind) for i in range(sessions))


@pytest.fixture
def quick(monkeypatch):
    """Smaller samples."""
    monkeypatch.setattr(table, "WINDOWS", 20)


@pytest.mark.parametrize("kind", ["population", "sample"])
def test_a_null_is_shipped_by_tools_and_hardly_ever_here(quick, kind):
    for name in ("by articles", "by windows"):
        found = rates(streams(kind), RULES[name], 0)
        assert found.shipped <= 0.1  # .05 is promised, and sixty sessions have a standard error of .03
        assert found.wrong <= 0.1
    assert rates(streams(kind), RULES[NAIVE], 0).shipped > 0.2


def test_hits_are_nulls_too(quick):
    assert rates(streams("sample", metric="hits"), RULES["by windows"], 0).shipped <= 0.1
    stream = next(streams("population", metric="hits"))
    assert set(np.unique(stream.values)) == {0.0, 1.0}
    assert stream.limit == table.HIT_RATE


def test_what_is_far_from_its_limit_is_decided_early(quick):
    good = next(streams("sample"))._replace(limit=-0.4)
    bad = good._replace(limit=0.9)
    for rule in RULES.values():
        for stream, wanted in ((good, True), (bad, False)):
            stop = rule(stream, np.random.default_rng(0))
            assert stop.passed is wanted
            assert stop.share < 1.0


def test_a_session_of_all_gates_is_decided_from_a_part_of_its_windows(monkeypatch):
    monkeypatch.setattr(table, "SIZES", {80: 10})
    outcome, share = share_used(table.MODELS["clear fail"], 80, "windows", 0)
    assert outcome == "no release"
    assert share < 0.2
    outcome, share = share_used(table.MODELS["clear pass"], 80, "windows", 0)
    assert outcome in ("release", "whole sample")


def test_the_commands_print_their_tables(quick, monkeypatch, tmp_path, make_npz):
    monkeypatch.setattr(table, "CORRELATIONS", (0.3,))
    monkeypatch.setattr(table, "SIZES", {80: 10})
    monkeypatch.setattr(table, "MODELS", {"clear fail": table.MODELS["clear fail"]})
    for words, heading in (
        (["errors", "--sessions", "2"], "| metric, correlation | by articles | by windows |"),
        (["corpora", str(make_npz), "--sessions", "2"], "| corpus | by articles | by windows |"),
        (["windows", "--sessions", "1"], "| model | 80 articles |"),
    ):
        done = CliRunner().invoke(table.main, words)
        assert done.exit_code == 0, done.output
        assert heading in done.output


@pytest.fixture
def make_npz(tmp_path):
    """An article NPZ."""
    rng = np.random.default_rng(0)
    article = np.repeat(np.arange(12), 15)
    vectors = rng.standard_normal((len(article), 8)).astype(np.float32)
    path = tmp_path / "articles.npz"
    np.savez(path, embeddings=vectors, article_indices=article, chunk_indices=np.tile(np.arange(15), 12))
    return path
