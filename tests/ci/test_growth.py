"""Growth is measured over doubled sizes and told as an exponent."""

import numpy as np
import pytest
from click.testing import CliRunner

from ci import growth, speed
from ci.growth import Growth, exponent, measured


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_is_that_of_the_power_law(power):
    sizes = np.array([1, 2, 4, 8])
    assert exponent(sizes, 3.0 * sizes**power) == pytest.approx(power)


def test_each_size_is_measured_after_one_that_warms_up(monkeypatch):
    done = []
    clock = iter([0.0, 1.0, 10.0, 12.0])
    monkeypatch.setattr(growth.time, "process_time", lambda: next(clock))
    found = measured("things", {n: lambda n=n: done.append(bytearray(n)) for n in (10**6, 2 * 10**6)})
    assert found.sizes == [10**6, 2 * 10**6]
    assert found.seconds == [1.0, 2.0]
    assert [round(m) for m in found.megabytes] == [1, 2]
    assert [len(one) for one in done] == [10**6, 10**6, 10**6, 2 * 10**6, 2 * 10**6]


def test_the_table_has_a_line_for_everything_that_grows_and_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "DIM", 8)
    monkeypatch.setattr(growth, "SIZES", (1, 2))
    monkeypatch.setattr(speed, "DIM", 8)
    done = CliRunner().invoke(growth.main, ["--unit", "150", "--plot", str(tmp_path / "growth.png")])
    assert done.exit_code == 0, done.output
    names = [line.split(" | ")[0].removeprefix("| ") for line in done.output.splitlines()[2:]]
    assert names == ["windows", "predictors", "dimensions", "candidates", "rivals", "articles", "training chunks"]
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_a_growth_says_what_grows():
    assert Growth("windows", [1, 2], [0.1, 0.2], [1, 1]).what == "windows"
