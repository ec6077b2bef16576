"""The comparison of benchmark ratios with their baseline."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
BASELINE = {"predict[B=1]": 1.5, "rank_global": 2.0}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("compare_benchmarks", ROOT / "ci" / "compare_benchmarks.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "compare_benchmarks", module)  # dataclasses look themselves up
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def compare(script, tmp_path):
    """compare(ratios, *options): the outcome for a run with these ratios; None stands for no ratio."""
    baseline = tmp_path / "baseline.json"
    ratios = {name: {"ratio": ratio, "rounds": 9} for name, ratio in BASELINE.items()}
    baseline.write_text(json.dumps({"date": "2025-01-01", "ratios": ratios}))

    def run(ratios, *options):
        file = tmp_path / "run.json"
        entries = [
            {"name": f"test_{name}", "extra_info": {} if ratio is None else {"ratio": ratio}, "stats": {"rounds": 9}}
            for name, ratio in ratios.items()
        ]
        file.write_text(json.dumps({"benchmarks": entries}))
        return CliRunner().invoke(script.main, [str(file), "--baseline", str(baseline), *options])

    return run


def sentence(result):
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


@pytest.mark.parametrize("factor", [0.1, 1.0, 1.49])
def test_a_ratio_near_its_baseline_passes(compare, factor):
    result = compare({name: factor * ratio for name, ratio in BASELINE.items()})
    assert result.exit_code == 0, result.output
    assert [line.split()[-1] for line in result.output.splitlines()] == ["mark", "ok", "ok"]
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_ratio_that_has_grown_fails_by_name(compare):
    result = compare({"predict[B=1]": 1.5, "rank_global": 3.02})
    assert result.exit_code == 1
    assert re.search(r"^rank_global +3.020 +2.000 +1.51x +9 +SLOWER$", result.output, flags=re.MULTILINE)
    assert "slower than 1.5 times the baseline: rank_global;" in result.output


def test_a_missing_benchmark_fails(compare):
    assert "benchmark rank_global did not run" in sentence(compare({"predict[B=1]": 1.5}))
    assert "did not run" in sentence(compare({}))


def test_an_unknown_benchmark_fails(compare):
    assert "holds no new; record it with --update" in sentence(compare({**BASELINE, "new": 1.0}))


def test_a_benchmark_without_a_ratio_fails(compare):
    assert "has no ratio" in sentence(compare({**BASELINE, "rank_global": None}))


def test_update_makes_the_run_the_baseline(compare, tmp_path):
    assert compare({"new": 3.0}, "--update").exit_code == 0
    stored = json.loads((tmp_path / "baseline.json").read_text())
    assert stored["ratios"] == {"new": {"ratio": 3.0, "rounds": 9}}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", stored["date"])
    assert compare({"new": 4.4}).exit_code == 0
    assert compare({"new": 4.6}).exit_code == 1


def test_of_several_runs_the_median_counts(compare, script, tmp_path):
    compare({**BASELINE, "rank_global": 9.0})
    (tmp_path / "run.json").rename(tmp_path / "slow.json")
    compare(BASELINE)
    files = [str(tmp_path / name) for name in ("run.json", "slow.json", "run.json")]
    result = CliRunner().invoke(script.main, [*files, "--baseline", str(tmp_path / "baseline.json")])
    assert result.exit_code == 0, result.output


def test_the_median_is_of_the_ratios_that_every_run_holds_and_counts_the_fewest_rounds(script):
    runs = [
        {"a": script.Measured(ratio, rounds), "b": script.Measured(1.0, 9)} for ratio, rounds in ((4.0, 9), (2.0, 5))
    ]
    runs.append({"c": script.Measured(1.0, 9), "a": script.Measured(9.0, 7)})
    assert script.median_of(runs) == {"a": script.Measured(4.0, 5)}


def test_update_keeps_three_digits_of_a_ratio(compare, tmp_path):
    assert compare({"small": 0.012345, "large": 1234.5}, "--update").exit_code == 0
    stored = json.loads((tmp_path / "baseline.json").read_text())["ratios"]
    assert {name: one["ratio"] for name, one in stored.items()} == {"small": 0.0123, "large": 1230.0}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"benchmarks": 3}'])
def test_a_file_that_is_no_run(script, tmp_path, content):
    file = tmp_path / "run.json"
    if content is not None:
        file.write_text(content)
    assert str(file) in sentence(CliRunner().invoke(script.main, [str(file)]))


@pytest.mark.parametrize("ratios", [{"a": 3}, {"a": {"ratio": 0, "rounds": 3}}, {"a": {"ratio": "x", "rounds": 3}}])
def test_a_file_that_is_no_baseline(compare, tmp_path, ratios):
    (tmp_path / "baseline.json").write_text(json.dumps({"ratios": ratios}))
    assert "baseline.json" in sentence(compare(BASELINE))


def test_the_baseline_names_the_benchmarks_there_are(script):
    """A renamed benchmark would otherwise be noticed only where the benchmarks run."""
    files = {*(ROOT / "benchmarks").glob("test_*.py")} - {
        ROOT / "benchmarks" / "test_model.py"
    }  # a model of the user's
    source = "".join(file.read_text() for file in sorted(files))
    functions = set(re.findall(r"^def test_(\w+)", source, flags=re.MULTILINE))
    assert {name.partition("[")[0] for name in script.read_baseline(script.BASELINE)} == functions
