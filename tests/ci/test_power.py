"""The power table: no gain is never released, a large one always; sums by article say what windows say."""

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import astuple

from ci import power
from lvm_gates.harness.rivals.scores import RivalScores
from lvm_gates.harness.statistics.frontier import Frontier
from lvm_gates.harness.worlds.parameters import prose


@pytest.fixture(scope="module")
def scored():
    return {planted: power.score(prose(planted), 32, 12, 0) for planted in (0.0, 0.05)}


@pytest.mark.parametrize("most", power.WINDOWS)
def test_no_gain_is_never_released_and_a_large_one_always(scored, most):
    assert power.released(scored[0.0][most], 10, 20, 0) == 0.0
    assert power.released(scored[0.05][most], 10, 20, 0) == 1.0


def test_at_most_so_many_windows_of_an_article_count(scored):
    assert scored[0.0][30].windows.max() == 30
    assert scored[0.0][None].windows.min() > 30


def test_sums_by_article_give_the_gain_that_windows_give():
    rng = np.random.default_rng(0)
    article = np.repeat(np.arange(12), 9)
    cosine, mrr = rng.uniform(size=(2, 108, 5))
    scores = RivalScores(tuple("mabcd"), np.zeros((5, 7)), cosine, mrr)
    found = power.ScoredArticles.of(scores, article, None, 0).gains(np.arange(12))
    expected = Frontier.of(cosine[:, 1:], mrr[:, 1:], article).gains(cosine[:, 0], mrr[:, 0])
    for mine, theirs in zip(found, expected, strict=True):
        assert astuple(mine)[:3] == pytest.approx(astuple(theirs)[:3], abs=1e-12)


def test_the_command_prints_a_table_for_each_number_of_windows(monkeypatch):
    monkeypatch.setattr(power, "SHARES", (0.0,))
    monkeypatch.setattr(power, "ARTICLES", (10, 12))
    done = CliRunner().invoke(power.main, ["--dim", "32", "--draws", "2", "--articles", "12"])
    assert done.exit_code == 0, done.output
    assert done.output.count("| planted | F | excess cosine | 10 articles | 12 articles |") == len(power.WINDOWS)
    assert "| 0.00 | 0.00 |" in done.output
