"""`lvm-report bench` as typed."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness.cli.report import main
from lvm_gates.harness.latency.files import read_latency, write_latency
from lvm_gates.harness.latency.records import Latency, Times
from lvm_gates.harness.latency.turns import ROUNDS
from lvm_gates.models.registry import build


def bench(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a checkpoint, and measurements of one model and of another that takes three times as long."""
    torch.save(build("gru", input_dim=8, output_dim=8, width=8).state_dict(), tmp_path / "model.pt")
    seconds = np.random.default_rng(0).uniform(1e-3, 1.02e-3, (ROUNDS, 4))
    for name, slower in {"old.json": 1.0, "new.json": 3.0}.items():
        times = Times("gone.pt", None, (slower * seconds).tolist(), [[1e-3] * 4] * ROUNDS)
        found = [Latency(batch=batch, context=5, dim=8, device="cpu", candidate=times) for batch in (1, 64)]
        write_latency(tmp_path / name, found)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_got_slower_ends_with_a_status_of_its_own(here):
    result = bench("old.json", "new.json")
    assert result.exit_code == 3, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[1][:4] == ["1", "p50", "1.01", "3.03"]
    assert [row[-1] for row in rows[1:5]] == ["SLOWER"] * 4
    assert "SLOWER  B=64 p95: 3.00 times, tolerance 1.1" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [("old.json", "old.json"), ("new.json", "old.json"), ("old.json", "new.json", "--tolerance=6")]
)
def test_what_did_not_is_said_too(here, arguments):
    result = bench(*arguments)
    assert result.exit_code == 0, result.output
    assert "nothing is slower than" in result.output
    assert "SLOWER" not in result.output


def test_an_interval_around_the_tolerance_is_no_alarm_and_no_clean_bill(here):
    result = bench("--accepted", "old.json", "new.json", "--tolerance=3")
    assert result.exit_code == 0, result.output
    assert result.output.count(" undecided\n") == 4
    assert "undecided: the interval holds the tolerance" in result.output


def test_a_model_alone_is_measured_and_kept(here):
    result = bench("model.pt", "--json=found.json", "--batch=2", "--seconds=0.01")
    assert result.exit_code == 0, result.output
    assert "model.pt, 5 frames of 8 dimensions on cpu, one thread" in result.output
    assert "products [99 %]" in result.output
    (found,) = read_latency(here / "found.json")
    assert (found.batch, found.candidate.name, len(found.candidate.sha256)) == (2, "model.pt", 64)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("absent.pt",), "absent.pt: no such file"),
        (("absent.json", "model.pt"), "absent.json: cannot be read"),
        (("old.json", "absent.json"), "absent.json: cannot be read"),
        (("a", "b", "c"), "more than two models are named"),
        (("old.json", "new.json", "--accepted=old.json"), "more than two models are named"),
    ],
)
def test_what_is_not_there_is_one_sentence(here, arguments, says):
    assert says in sentence(bench(*arguments))


def test_help_names_every_exit_status():
    said = bench("--help").output
    assert "3  something got slower" in said
