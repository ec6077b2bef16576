"""Every control behaves on sound data, and a broken engine is noticed by a control that no longer does."""

import dataclasses

import msgspec
import numpy as np
import pytest

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.controls import STANDARD_CONTROLS
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation import observe_block as evaluate
from lvm_gates.harness.evaluation import perturbations
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.control_checks import EXPECTATIONS, conduct


@pytest.fixture(scope="module")
def runs(wiki, arrow, switch, make_run):
    return {"wiki": make_run(wiki), "arrow": make_run(arrow), "switch": make_run(switch)}


@pytest.mark.parametrize("world", ["wiki", "arrow", "switch"])
def test_every_standard_control_behaves(runs, world):
    run = runs[world]
    found = run.conducts
    assert set(found) == {*STANDARD_CONTROLS, "bayes"}
    assert {name: c.failed_checks for name, c in found.items() if c.failed_checks} == {}
    assert run.outside_reasons == []


def test_on_wiki_the_controls_are_told_from_a_network_by_every_gate(runs):
    """What the specification's table says of real text holds in the world made to resemble it."""
    unusual = {name: c.unusual for name, c in runs["wiki"].conducts.items() if c.unusual}
    assert set(unusual) <= {"persistence"}, unusual
    for name in ("context-mean", "ewma", "climatology", "linear"):
        card = runs["wiki"].control_card(name)
        assert not any(card.passed(g) for g in "ABC"), name


def test_on_arrow_the_linear_control_is_unusually_good_and_that_is_said(runs):
    assert runs["arrow"].conducts["linear"].unusual
    assert runs["arrow"].conducts["linear"].failed_checks == ()


def test_in_the_default_world_every_gate_tells_a_network_from_every_control(runs):
    run = runs["switch"]
    assert {name: c.unusual for name, c in run.conducts.items() if c.unusual} == {}
    assert [g for g in "ABCDE" if run.control_card("bayes").passed(g)] == list("ABCDE")
    linear = run.control_card("linear")
    assert linear.decision.verdict != "release"
    assert not any(linear.passed(g) for g in "ABC")


def test_the_optimum_fails_gate_a_on_wiki_and_passes_five_of_five_on_arrow(runs):
    assert not runs["wiki"].control_card("bayes").passed("A")
    assert [g for g in "ABCDE" if runs["arrow"].control_card("bayes").passed(g)] == list("ABCDE")


@pytest.mark.parametrize("name", ["persistence", "backward", "skip", "random", "constant", "noisy-constant", "nan"])
def test_a_useless_predictor_is_blocked_in_every_world(runs, name):
    for run in runs.values():
        assert run.control_card(name).decision.verdict == "blocked"


def test_skill_of_persistence_is_never_significant(runs):
    for run in runs.values():
        metrics = run.control_card("persistence").skill
        for split in ("VAL", "OOD"):
            assert metrics[split]["F"].value <= 1e-12
            assert metrics[split]["F"].high <= 1e-12


def test_every_standard_control_has_expectations():
    assert set(EXPECTATIONS) == set(STANDARD_CONTROLS)
    assert all(any(e.certain for e in EXPECTATIONS[name]) for name in set(STANDARD_CONTROLS) - {"linear"})


def corrupt(card, path, value):
    """A copy of a card with one metric changed on both splits."""
    return msgspec.convert(changed(jsonable(card), path, value), CardRecord)


def changed(node, path, value):
    head, *rest = path
    keys = ["VAL", "OOD"] if head == "SPLIT" else [head]
    return node | {k: changed(node[k], rest, value) if rest else value for k in keys}


@pytest.mark.parametrize(
    ("name", "path", "value", "expected"),
    [
        (
            "oracle",
            ("gates", "B", "SPLIT", "novel", "MRR", "value"),
            0.999,
            "ranks every target first in every candidate set",
        ),
        ("oracle", ("gates", "D", "SPLIT", "mean", "value"), 0.999, "rolls out with cosine 1"),
        ("oracle", ("gates", "A", "passed"), False, "passes gate A"),
        ("oracle", ("gates", "C", "passed"), False, "passes gate C"),
        ("oracle", ("blocked",), True, "is not blocked"),
        ("persistence", ("gates", "A", "SPLIT", "peak"), 1, "peaks at k=0"),
        ("persistence", ("blocked",), False, "is blocked"),
        ("backward", ("gates", "A", "SPLIT", "peak"), 0, "peaks at k=-1"),
        ("skip", ("gates", "A", "SPLIT", "peak"), 3, "peaks at k=+2"),
        ("random", ("gates", "B", "passed"), True, "fails gate B"),
        ("nan", ("gates", "D", "passed"), True, "fails gate D"),
        ("constant", ("reasons",), ["something else"], "is blocked"),
        ("context-mean", ("gates", "C", "passed"), True, "fails gate C"),
        ("context-mean", ("gates", "C", "SPLIT", "shuffle", "value"), 0.01, "does not notice order"),
        ("context-mean", ("gates", "C", "SPLIT", "reverse", "value"), -0.01, "does not notice order"),
        ("persistence", ("gates", "C", "SPLIT", "repeat_last", "value"), 0.01, "reads the last frame alone"),
        ("random", ("gates", "B", "SPLIT", "novel", "MRR", "value"), 0.9, "ranks at chance"),
        ("nan", ("gates", "B", "SPLIT", "global", "R@1", "value"), 1.0, "never ranks first beyond chance"),
    ],
)
def test_each_expectation_notices_its_own_breach(runs, name, path, value, expected):
    card = runs["wiki"].control_card(name).record()
    assert conduct(name, card).failed_checks == ()
    assert conduct(name, corrupt(card, path, value)).failed_checks == (expected,)


@pytest.mark.parametrize(
    ("name", "gate"),
    [(name, gate) for name, gates in {
        "persistence": "C", "context-mean": "B", "ewma": "BC", "climatology": "B", "linear": "ABC",
    }.items() for gate in gates],
)  # fmt: skip
def test_a_gate_that_a_trivial_control_passes_is_said_to_be_open(runs, name, gate):
    """It withholds no verdict, but the gate does not tell a network from that control on this corpus."""
    card = runs["wiki"].control_card(name).record()
    closed = conduct(name, corrupt(card, ("gates", gate, "passed"), False))
    opened = conduct(name, corrupt(card, ("gates", gate, "passed"), True))
    assert closed.failed_checks == opened.failed_checks == ()
    assert set(opened.open_gates) - set(closed.open_gates) == {gate}
    assert set(opened.unusual) - set(closed.unusual) == {f"fails gate {gate}"}


@pytest.mark.parametrize("name", [c for c in STANDARD_CONTROLS if c not in ("oracle", "skip")])
def test_under_skill_no_control_may_pass_the_frontier(runs, name):
    card = runs["wiki"].control_card(name).record()
    breach = corrupt(card, ("skill", "gates", "frontier", "passed"), True)
    assert conduct(name, card, "skill").failed_checks == ()
    assert conduct(name, breach, "skill").failed_checks == ("fails gate frontier",)
    assert conduct(name, breach).failed_checks == ()


def test_under_skill_the_oracle_passes_every_gate_of_skill_and_need_not_pass_a_to_e(wiki, make_run):
    card = make_run(wiki, profile="skill").control_card("oracle").record()
    gates = list(card.skill.gates)
    assert len(gates) == 5
    for gate in gates:
        found = conduct("oracle", corrupt(card, ("skill", "gates", gate, "passed"), False), "skill")
        assert found.failed_checks == (f"passes gate {gate}",)
    for gate in "ABCDE":
        assert conduct("oracle", corrupt(card, ("gates", gate, "passed"), False), "skill").failed_checks == ()


# Faults put into the engine; each must be seen by a control.


def late_by_one(self, k):
    return ORIGINAL_OFFSET(self, k + 1)


ORIGINAL_OFFSET = Windows.offset


def leave_out_as_published(name, contexts, windows, donors, seed):
    if name.startswith("leave_out_"):
        frame = int(name.removeprefix("leave_out_"))
        return np.concatenate([np.delete(contexts, frame, axis=1), contexts[:, -1:]], axis=1)
    return perturbations.ablate(name, contexts, windows, donors, seed)


def rank_one(ahead, rivals, target):
    return np.ones(len(target))


def nan_first(ahead, rivals, target):
    return 1.0 + ahead.above


def shuffle_that_does_nothing(rows, length, seed):
    return np.tile(np.arange(length), (len(rows), 1))


FAULTS = {
    "offsets counted from the target": (Windows, "offset", late_by_one, "oracle"),
    "leave-one-out that restores the last frame": (evaluate, "ablate", leave_out_as_published, "persistence"),
    "every target first": ("lvm_gates.harness.evaluation.candidates.mean_rank", rank_one, "random"),
    "nan first": ("lvm_gates.harness.evaluation.candidates.mean_rank", nan_first, "nan"),
    "a shuffle that does nothing": (perturbations, "permutations", shuffle_that_does_nothing, "oracle"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_engine_is_seen_by_a_control_and_blocks_every_model(wiki, make_run, monkeypatch, fault):
    *place, name = FAULTS[fault]
    monkeypatch.setattr(*place)
    run = make_run(wiki, max_samples=120)
    assert run.conducts[name].failed_checks
    assert any(f"control:{name} fails its check" in reason for reason in run.outside_reasons)
    assert run.card("control:oracle").decision.verdict == "blocked"
    assert dataclasses.is_dataclass(run.conducts[name])
