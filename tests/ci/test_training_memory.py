"""The measurement runs, and what it measures is there: the plain loop holds its arrays."""

import json

from click.testing import CliRunner

from ci.training_memory import main


def test_both_loops_are_measured():
    sizes = ["--windows", "20000", "--dim", "256", "--width", "16", "--layers", "1", "--heads", "2"]
    done = CliRunner().invoke(main, [*sizes, "--steps", "2", "--turns", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    arrays = 20000 * 6 * 256 * 4 / 1e9
    assert found["plain, peak GB"] > arrays
    assert found["ratio of memory"] == found["ours, peak GB"] / found["plain, peak GB"]
    assert min(found.values()) > 0
