"""The cost model: constants are measured, and what they are multiplied with grows as the page says."""

import pytest
from click.testing import CliRunner

from ci import cost as module
from ci import growth, speed
from ci.cost import Constants, cost, main

OF = Constants(product=5e10, reading=1e9, ranks=1.2, search=3.0, forward=1e-3, control=2e-4)


def test_what_is_compared_with_all_chunks_grows_with_them_and_the_rest_does_not():
    small, large = cost(10**6, OF), cost(10**9, OF)
    assert large.ranking == pytest.approx(1000 * small.ranking)
    assert large.searching == pytest.approx(1000 * small.searching)
    assert (large.asking, large.sent) == (small.asking, small.sent)
    assert large.held == pytest.approx(40e9, rel=0.05)


def test_constants_are_measured_and_a_line_is_printed_for_each_size(tmp_path, monkeypatch):
    for place in (module, growth, speed):
        monkeypatch.setattr(place, "DIM", 32)
    sizes = ["--windows", "300", "--chunks", "2100", "--rounds", "1"]
    done = CliRunner().invoke(main, [*sizes, "--plot", str(tmp_path / "cost.png")])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("one core: products ")
    assert len(done.output.splitlines()) == 4 + len(module.SIZES)
    assert (tmp_path / "cost.png").stat().st_size > 1000
