"""The engine broken on purpose: each fault is caught by the controls or the audits, and withholds every verdict.

What the original battery lacked is not better code but something that would notice. These are its own faults, and
some near ones, put back one at a time.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

import lvm_gates.harness.corpus.windows
import lvm_gates.harness.evaluation.block
import lvm_gates.harness.evaluation.candidates
import lvm_gates.harness.evaluation.observe_block
import lvm_gates.harness.evaluation.perturbations
from lvm_gates.harness.evaluation.block import Block
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.ranks import Pairs
from lvm_gates.harness.judging.rival_inputs import RivalInputs
from lvm_gates.harness.judging.session import GateRun

MakeRun = Callable[..., GateRun]


@pytest.fixture(autouse=True)
def without_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """What controls must do under `5cat` asks no rival, and 700 of them take most of the time of a run."""
    for inputs in ("without_domain", "of_controls"):
        monkeypatch.setattr(RivalInputs, inputs, None)


def caught(run: GateRun) -> str:
    """The reasons that block every model of the run."""
    card = run.card("control:oracle")
    assert card.decision.verdict == "blocked" or not run.outside_reasons
    return " ".join(run.outside_reasons)


def test_the_engine_as_it_is_catches_nothing(make_run: MakeRun) -> None:
    run = make_run("control:oracle")
    assert caught(run) == ""
    assert run.card("control:oracle").decision.verdict == "release"


def test_offsets_shifted_by_one(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvm_gates.harness.evaluation.block, "OFFSETS", tuple(k + 1 for k in OFFSETS))
    assert "control:oracle fails its check" in caught(make_run("control:oracle"))


def test_targets_one_too_late(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Block, "targets", property(lambda block: block.ahead(2)))
    assert "control:oracle fails its check" in caught(make_run("control:oracle"))


def test_optimistic_ties_and_nan_first(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lvm_gates.harness.evaluation.candidates, "mean_rank", lambda ahead, rivals, target: 1.0 + ahead.above
    )
    assert "control:nan fails its check" in caught(make_run("control:oracle"))


def test_target_compared_along_another_float_path(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = lvm_gates.harness.evaluation.candidates.count_ahead_together

    def two_paths(predictions, target, candidates, barred, own=None):
        # The target's own score in float32, and the target itself among the rivals.
        nobody = [Pairs(pairs.window[:0], pairs.candidate[:0]) for pairs in barred]
        single = [cosine.astype(np.float32) - np.float32(1e-7) for cosine in target]
        return exact(predictions, single, candidates, nobody, own)

    monkeypatch.setattr(lvm_gates.harness.evaluation.candidates, "count_ahead_together", two_paths)
    assert "control:oracle fails its check" in caught(make_run("control:oracle"))


def test_rollout_shifted(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = lvm_gates.harness.evaluation.observe_block.rollout

    def shifted(named, base, block, batch_size):
        cosines = rollout(named, base, block, batch_size)
        cosines[:, 0] = np.einsum("bd,bd->b", base, block.ahead(2))
        return cosines

    monkeypatch.setattr(lvm_gates.harness.evaluation.observe_block, "rollout", shifted)
    assert "control:oracle fails its check" in caught(make_run("control:oracle"))


def test_shuffle_that_does_not_shuffle(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lvm_gates.harness.evaluation.perturbations,
        "permutations",
        lambda rows, length, seed: np.tile(np.arange(length), (len(rows), 1)),
    )
    assert "control:oracle fails its check (not true that it passes gate C" in caught(make_run("control:oracle"))


def test_leave_one_out_that_restores_the_last_frame(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    ablate = lvm_gates.harness.evaluation.observe_block.ablate

    def restoring(name, contexts, windows, donors, seed):
        if name == f"leave_out_{windows.context - 1}":
            return contexts.copy()
        return ablate(name, contexts, windows, donors, seed)

    monkeypatch.setattr(lvm_gates.harness.evaluation.observe_block, "ablate", restoring)
    assert "control:persistence fails its check" in caught(make_run("control:oracle"))


def test_reverse_that_loses_a_frame(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    ablate = lvm_gates.harness.evaluation.observe_block.ablate

    def losing(name, contexts, windows, donors, seed):
        spoiled = ablate(name, contexts, windows, donors, seed)
        if name == "reverse":
            spoiled[:, 0] = spoiled[:, 1]
        return spoiled

    monkeypatch.setattr(lvm_gates.harness.evaluation.observe_block, "ablate", losing)
    assert "control:context-mean fails its check" in caught(make_run("control:oracle"))


def test_val_used_as_ood(make_run: MakeRun) -> None:
    run = make_run("control:oracle")
    val = run.inputs.evaluation["VAL"]
    run.inputs.evaluation["OOD"] = dataclasses.replace(val, split="OOD")
    assert "VAL also in OOD" in caught(run) or "OOD also in VAL" in caught(run)


def test_context_of_another_window(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def before(windows):
        return windows.targets[:, None] + np.arange(-windows.context, 0) - 1

    monkeypatch.setattr(lvm_gates.harness.corpus.windows.Windows, "context_rows", property(before))
    assert "control:oracle fails its check" in caught(make_run("control:oracle"))
