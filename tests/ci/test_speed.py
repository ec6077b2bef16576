"""The table of costs is made, on very little; what it says depends on the machine and is not asked."""

import re

import pytest
from click.testing import CliRunner

from ci import speed
from ci.speed import Row, in_turns


def test_the_ratio_is_the_median_of_ratios_and_the_first_round_warms_up(monkeypatch):
    clock = iter([0, 100, 100, 900, *[t for base in (1000, 2000, 3000) for t in (base, base + 2, base + 2, base + 5)]])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    row = in_turns("ours", "floor", lambda: None, lambda: None, rounds=3)
    assert row == Row("ours", "floor", 2, 3, 1.5)


@pytest.mark.parametrize("part", ["ranking", "rivals"])
def test_each_part_gives_a_row(tmp_path, monkeypatch, part):
    monkeypatch.setattr(speed, "DIM", 16)
    monkeypatch.setattr(speed, "BANK_SIZE", 500)
    row = getattr(speed, part)(tmp_path / part, 1)
    assert row.ratio > 0
    assert row.seconds > 0


def test_the_table_has_a_line_a_row(monkeypatch):
    monkeypatch.setattr(speed, "DIM", 16)
    monkeypatch.setattr(speed, "sessions", lambda *a: iter([Row("a session", "its passes", 1.0, 1.25, 1.25)]))
    for part in ("ranking", "rivals"):
        monkeypatch.setattr(speed, part, lambda *a, part=part: Row(part, "bare", 1.0, 2.0, 2.0))
    done = CliRunner().invoke(speed.main, ["--bank", "700", "--queries", "60", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + 1 + 2 + 1 + 1
    assert re.search(r"\| exact ranks of 60 windows, 690 candidates in a float16 file \| faiss", done.output)
    assert lines[-1].endswith("| 1 | 1.25 | 1.25 |")
