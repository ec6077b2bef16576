"""The simulation behind docs/comparing.md, small."""

import numpy as np
import pytest
from click.testing import CliRunner

from ci.noninferiority import main, rates


@pytest.mark.parametrize(("unequal", "decided"), [(False, 0.76), (True, 0.66)])
def test_what_is_detectable_is_found_and_what_is_worse_is_not_passed(monkeypatch, unequal, decided):
    monkeypatch.setattr("ci.noninferiority.JUDGED", 10)
    rng = np.random.default_rng(0)
    made = [rates(rng, 20, 0.02, 400, unequal=unequal) for _ in range(25)]
    # 10,000 draws: a standard error of .004. With t(.975) + t(.8) standard errors it is .77 to .79.
    assert 0.785 <= np.mean([one.found for one in made]) <= 0.815
    # 250 draws: .01.
    assert np.mean([one.not_worse for one in made]) <= 0.06
    assert np.mean([one.worse for one in made]) <= 0.06
    assert np.mean([one.decided for one in made]) >= decided


def test_the_table(monkeypatch):
    monkeypatch.setattr("ci.noninferiority.JUDGED", 10)
    monkeypatch.setattr("ci.noninferiority.ARTICLES", (10,))
    done = CliRunner().invoke(main, ["--designs", "1", "--draws", "60"])
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if line.startswith("| 10 |")]
    assert len(rows) == 4
    assert all(line.count("|") == 7 for line in rows)
