"""Several processes train what one trains: real ones, started by `torchrun` on a corpus of 44 windows."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_resuming import assert_same_run
from tiny import SMALL, history, lvm_train, weights
from together import run

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.processes import Ranks
from lvm_gates.trainers.saved import FINAL, UNFINISHED

HERE = Path(__file__).parent
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
CLI = ["-m", "lvm_gates.trainers.cli"]
# The last batch of an epoch has two windows, one for each process.
BATCH = ["--batch-size", "14", "--sentinel", "off"]
# As many epochs as it takes until every term is on.
RECIPES = {
    "p1": ["p1", "--epochs", "2"],
    "v3": ["v3", "--epochs", "5"],
    "p2": ["p2", "--epochs", "7"],
    "p3": ["p3", "--epochs", "7", "--set", "average.decay=.8", "--set", "rate.warmup=1"],
    "p4": ["p4", "--epochs", "8"],
    "p4-published": ["p4", "--epochs", "8", "--as-published"],
    "p5": ["p5", "--epochs", "12"],
    "p51": ["p51", "--epochs", "3", "--retries", "0", "--sentinel", "watch"],
    "p6": ["p6", "--epochs", "2", "--as-published"],
    "p6-next": ["p6", "--epochs", "2", "--network", "next-token"],
    "p6b-v1": ["p6b", "--epochs", "3", "--version", "v1"],
    "p6b-v2.3": ["p6b", "--epochs", "3", "--version", "v2.3"],
    "p7": ["p7", "--epochs", "3"],
    "p7-published": ["p7", "--epochs", "3", "--as-published", "--option", "anchor"],
}
# Measured with 2, 3, 4 and 7 processes, every recipe, 6 to 72 steps: 5.4e-7 at most (docs/training.md).
ROUNDING = 2e-6


@pytest.fixture(scope="module")
def corpus(make_corpus, tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), ["TRAIN"] * 4 + ["VAL"] * 2)


def lines(corpus, out):
    common = ["--corpus", str(corpus.path), *SMALL, *BATCH]
    return [[line[0], *common, *line[1:], "--out", str(out / name)] for name, line in RECIPES.items()]


def launch(world, *arguments, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*LAUNCH, str(world), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process, status=0):
    try:
        said, complaint = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun passes it on
        raise
    assert process.returncode == status, complaint
    return said, complaint


def without_key_biases(state):
    """Softmax does not see what all keys have in common: the gradient is rounding, of which Adam makes a step."""
    kept = {}
    for name, value in state.items():
        third = len(value) // 3 if name.endswith("in_proj_bias") else 0
        kept[name] = torch.cat([value[:third], value[2 * third :]]) if third else value
    return kept


def test_weights_are_those_of_one_process(corpus, tmp_path):
    """In one test, so that pytest's workers do not train it all twice."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    run(lines(corpus, alone))
    together.mkdir()
    (together / "lines.json").write_text(json.dumps(lines(corpus, together)))
    said, _ = ended(launch(2, HERE / "together.py", together / "lines.json"))
    assert [line.startswith("epoch 1/") for line in said.splitlines()].count(True) == len(RECIPES), "one prints"
    for recipe in RECIPES:
        assert_equal_within_rounding(together / recipe, alone / recipe, 2)


def assert_equal_within_rounding(together, alone, world):
    found, wanted = weights(together), weights(alone)
    assert (found["args"]["processes"], wanted["args"]["processes"]) == (world, 1)
    ours, theirs = (without_key_biases(one["model_state_dict"]) for one in (found, wanted))
    assert ours.keys() == theirs.keys()
    for name in ours:
        told = f"{together.name}, {world} processes, {name}: "
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=ROUNDING, msg=lambda text, t=told: t + text)
    first, second = history(together), history(alone)
    assert [one["windows"] for one in first] == [one["windows"] for one in second]
    for one, other in zip(first, second, strict=True):
        terms = {name: value for name, value in other.items() if name.startswith(("train_", "val_"))}
        assert {name: one[name] for name in terms} == pytest.approx(terms, abs=1e-5), together.name


@pytest.fixture(scope="module")
def long(make_corpus, tmp_path_factory):
    """Long enough to be killed in."""
    corpus = make_corpus(tmp_path_factory.mktemp("long"), ["TRAIN"] * 6 + ["VAL"] * 2, length=60)
    line = ["p1", "--corpus", corpus.path, *SMALL, "--epochs", 2, "--batch-size", 2, "--checkpoint-every", 30]
    return [*CLI, *line, "--sentinel", "off", "--out"]


@pytest.fixture(scope="module")
def whole(long, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    ended(launch(2, *long, out))
    return out


def kill(process, folder, rank):
    """SIGKILL to one process of a run, once the run has saved inside its first epoch."""
    deadline = time.monotonic() + 120
    while not (folder / UNFINISHED).exists():
        assert process.poll() is None and time.monotonic() < deadline  # noqa: PT018
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ours = [int(pid) for pid in children if f"\0RANK={rank}\0" in Path(f"/proc/{pid}/environ").read_text()]
    assert len(ours) == 1
    os.kill(ours[0], signal.SIGKILL)
    assert not (folder / FINAL).exists(), "it was killed too late for the test to mean something"


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")


@needs_proc
def test_a_killed_process_ends_the_run_in_one_sentence_and_it_resumes(long, whole, tmp_path):
    """The one that writes, so that another one has to say it."""
    out = tmp_path / "run"
    process = launch(2, *long, out)
    kill(process, out, 0)
    _, complaint = ended(process, status=1)
    sentence = f"{out}: another process of the run ended, and with it the run; the same command with --resume goes on"
    assert complaint.count(f"{sentence} inside its epoch.") == 1
    assert complaint.count("another process of the run ended") == 1
    ended(launch(2, *long, out, "--resume"))
    assert_same_run(out, whole)


@needs_proc
def test_torchrun_resumes_by_itself(long, whole, tmp_path):
    out = tmp_path / "run"
    process = launch("2", "--max-restarts", "1", *long, out)
    kill(process, out, 1)
    _, complaint = ended(process)
    assert f"{out}: another process of the run ended, and with it the run; torchrun starts it again." in complaint
    assert_same_run(out, whole)


def test_a_mistake_is_said_once(tmp_path):
    _, complaint = ended(launch(2, *CLI, "p1", "--corpus", "absent", cwd=tmp_path), status=1)
    assert complaint.count("absent: no such corpus folder") == 1


def test_a_grid_and_a_device_that_several_cannot_have_are_refused(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="--device mps: several processes run on cpu or cuda"):
        Ranks(1, 2).device("mps")
    with pytest.raises(UserError, match="--device cuda:1: several"):
        Ranks(1, 2).device("cuda:1")
    monkeypatch.setattr("lvm_gates.trainers.grid.launched", lambda: True)
    refused = lvm_train("grid", "p1", "--vary", "seed=0,1", "--out", tmp_path)
    assert "a grid is one process; give torchrun one recipe at a time." in refused.stderr
