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
# Dropout is drawn share by share, so only without it are weights comparable.
COMPARABLE = ["--set", "network.dropout=0"]


def later(**weights):
    """Terms that come on in the second epoch, where the documents have them much later."""
    return [part for name, weight in weights.items() for part in ("--set", f"{name.replace('__', '.')}=1:0 2:{weight}")]


AUXILIARY = later(directional__weight=0.01, drop__probability=0.1)
FUTURE = later(future__weight=0.01)
ROLLOUT = later(rollout__weight=0.1)
RECIPES = {
    "p1": ["p1", "--epochs", "2"],
    "v3": ["v3", "--epochs", "2", *AUXILIARY, *later(anti_copy__weight=0.01)],
    "p2": ["p2", "--epochs", "2", *FUTURE, *later(directional__weight=0.01)],
    "p3": ["p3", "--epochs", "2", *AUXILIARY, *FUTURE, "--set", "average.decay=.8", "--set", "rate.warmup=1"],
    "p4": ["p4", "--epochs", "2", *AUXILIARY, *FUTURE, *ROLLOUT],
    "p4-published": ["p4", "--epochs", "2", "--as-published", *AUXILIARY, *ROLLOUT],
    "p5": ["p5", "--epochs", "3", *later(directional__weight=0.01), "--set", "stages.b=2", "--set", "stages.c=3"],
    "p51": ["p51", "--epochs", "3", "--retries", "0", "--sentinel", "watch"],
    "p6": ["p6", "--epochs", "2", "--as-published"],
    "p6-next": ["p6", "--epochs", "2", "--network", "next-token"],
    "p6b-v1": ["p6b", "--epochs", "3", "--version", "v1"],
    "p6b-v2.3": ["p6b", "--epochs", "3", "--version", "v2.3"],
    "p7": ["p7", "--epochs", "3"],
    "p7-published": ["p7", "--epochs", "3", "--as-published", "--option", "anchor"],
}
# Measured with 2, 3, 4 and 7 processes, every recipe, 6 to 72 steps: 5.4e-7 at most (docs/training.md). After 30 steps
# of P5 2.5e-6 was seen once: each step of Adam makes more of what rounding began, so that runs here are short.
ROUNDING = 2e-6


@pytest.fixture(scope="module")
def corpus(make_corpus, tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), ["TRAIN"] * 4 + ["VAL"] * 2)


def lines(corpus, out):
    common = ["--corpus", str(corpus.path), *SMALL, *BATCH, *COMPARABLE]
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
    corpus = make_corpus(tmp_path_factory.mktemp("long"), ["TRAIN"] * 6 + ["VAL"] * 2, length=40)
    line = ["p1", "--corpus", corpus.path, *SMALL, "--epochs", 2, "--batch-size", 2, "--checkpoint-every", 15]
    return [*CLI, *line, "--sentinel", "off", "--out"]


@pytest.fixture(scope="module")
def together(corpus, long, tmp_path_factory):
    """Every recipe and the long run, by two processes started once: a start costs more than most runs."""
    out = tmp_path_factory.mktemp("together")
    _, _, *line = long
    (out / "lines.json").write_text(json.dumps([*lines(corpus, out), [*map(str, line), str(out / "long")]]))
    said, _ = ended(launch(2, HERE / "together.py", out / "lines.json"))
    assert [line.startswith("epoch 1/") for line in said.splitlines()].count(True) == len(RECIPES) + 1, "one prints"
    return out


def test_weights_are_those_of_one_process(corpus, together, tmp_path):
    run(lines(corpus, tmp_path))
    for recipe in RECIPES:
        assert_equal_within_rounding(together / recipe, tmp_path / recipe, 2)


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
def test_a_killed_process_ends_the_run_in_one_sentence_and_it_resumes(long, together, tmp_path):
    """The one that writes, so that another one has to say it."""
    out = tmp_path / "run"
    process = launch(2, *long, out)
    kill(process, out, 0)
    _, complaint = ended(process, status=1)
    sentence = f"{out}: another process of the run ended, and with it the run; the same command with --resume goes on"
    assert complaint.count(f"{sentence} inside its epoch.") == 1
    assert complaint.count("another process of the run ended") == 1
    ended(launch(2, *long, out, "--resume"))
    assert_same_run(out, together / "long")


@needs_proc
def test_torchrun_resumes_by_itself(long, together, tmp_path):
    out = tmp_path / "run"
    process = launch("2", "--max-restarts", "1", *long, out)
    kill(process, out, 1)
    _, complaint = ended(process)
    assert f"{out}: another process of the run ended, and with it the run; torchrun starts it again." in complaint
    assert_same_run(out, together / "long")


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
