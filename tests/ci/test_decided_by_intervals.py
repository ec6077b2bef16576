"""The simulation behind docs/comparing.md, small."""

import numpy as np
from click.testing import CliRunner

from ci.noninferiority import main, rates


def test_what_is_detectable_is_found_and_what_is_worse_is_not_passed():
    rng = np.random.default_rng(0)
    for unequal in (False, True):
        made = [rates(rng, 20, 0.02, 400, unequal=unequal) for _ in range(25)]
        # 10,000 draws: a standard error of .004. With t(.975) + t(.8) standard errors it is .76 to .79.
        assert 0.78 <= np.mean([one.found for one in made]) <= 0.82
        # 1,250 draws: .0044.
        assert np.mean([one.not_worse for one in made]) <= 0.04
        assert np.mean([one.worse for one in made]) <= 0.04
        assert np.mean([one.decided for one in made]) >= (0.68 if unequal else 0.77)


def test_the_table(monkeypatch):
    monkeypatch.setattr("ci.noninferiority.ARTICLES", (10,))
    done = CliRunner().invoke(main, ["--designs", "1", "--draws", "60"])
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if line.startswith("| 10 |")]
    assert len(rows) == 4
    assert all(line.count("|") == 7 for line in rows)
