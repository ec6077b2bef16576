"""Two processes of `torchrun` find what one finds; a model that breaks in one of them is blocked, and no other."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from ci.processes import arrays, launch
from ci.schema import check
from lvm_gates.gates.command import main
from lvm_gates.gates.plugin import pytest_configure
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observe import share_of

HERE = Path(__file__).parent
WHOLE = {"rank", "pool_size", "offset_exists", "rollout_exists", "cross_exists", "finite"}


@pytest.fixture(scope="module")
def report(arrow, tmp_path_factory):
    """Of a session of two processes over the windows of `observed`."""
    folder = tmp_path_factory.mktemp("together")
    models = ["control:oracle", "python:predictors:BreaksInTheSecond"]
    done = launch(
        *(2, str(HERE / "gate_together.py"), *models, f"--corpus={arrow}", "--max-samples=200", "--batch-size=32"),
        *("--in-process", f"--report={folder / 'out'}", "-q"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("profile 5cat, require strict") == 1, "one process reports"
    return folder / "out"


def test_two_processes_find_what_one_finds(report, observed, make_run):
    """The controls of one process, asked for 200 windows at once; here they were asked for 32, so digits may differ."""
    alone = make_run("control:oracle", beside=observed)
    found = arrays(report)
    compared = 0
    for split, evaluation in alone.inputs.evaluation.items():
        assert (found[f"{split}/chunk"] == alone.inputs.corpus.chunk_index[evaluation.windows.targets]).all()
        for name in (f"control:{name}" for name in alone.control_names):
            for field, expected in alone.observations(name, split).arrays().items():
                ours = found.get(f"{split}/{name}/{field}")
                if ours is None:
                    continue
                compared += 1
                if field in WHOLE:
                    np.testing.assert_array_equal(ours, expected, err_msg=f"{split} {name} {field}")
                else:
                    np.testing.assert_allclose(ours, expected, atol=1e-6, err_msg=f"{split} {name} {field}")
    assert compared > 200
    card = json.loads((report / "scorecard.json").read_text())
    check(card)
    assert {audit["name"] for audit in card["audits"]} == set(alone.auditors)


def test_a_model_that_breaks_in_one_process_is_blocked_and_the_other_is_judged(report):
    oracle, broken = json.loads((report / "scorecard.json").read_text())["models"]
    assert oracle["verdict"] == "release"
    assert broken["verdict"] == "blocked"
    assert any("out of cheese" in fault for fault in broken["faults"])


def test_processes_share_whole_batches_and_some_may_have_none(make_run):
    evaluation = make_run("control:oracle").inputs.evaluation["VAL"]
    assert isinstance(evaluation, EvaluationSet)
    n = len(evaluation.windows)
    for batch_size, world in [(16, 2), (300, 3), (1000, 7)]:
        shares = [share_of(evaluation, batch_size, rank, world) for rank in range(world)]
        assert [row for share in shares for row in range(n)[share]] == list(range(n))
        assert all(share.start % 256 == 0 for share in shares if batch_size == 16 and share.start < n)
    assert sum(share.start == share.stop for share in shares) == 6


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("-n2", "torchrun has started the processes"),
        ("--sequential", "one part after another"),
        ("--dry-run", "little"),
    ],
)
def test_what_is_for_one_process_is_refused_under_torchrun(monkeypatch, option, said):
    monkeypatch.setattr("lvm_gates.gates.command.launched", lambda: True)
    monkeypatch.setattr("lvm_gates.gates.command.run_together", lambda command: command())
    done = CliRunner().invoke(main, ["control:oracle", option], standalone_mode=False)
    assert said in str(done.exception)
    assert "leave out torchrun" in str(done.exception)


def test_pytest_by_itself_is_refused_under_torchrun(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    config = SimpleNamespace(getoption=lambda name: ["control:oracle"], addinivalue_line=lambda *_: None)
    with pytest.raises(pytest.UsageError, match=r"give it -m lvm_gates\.gates\.command"):
        pytest_configure(config)
