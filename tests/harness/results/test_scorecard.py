"""What the scorecard makes of judged cards and of observations; an incomplete session releases nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from scorecard_sample import card, typed, typed_card
from scorecard_sample import scorecard as whole

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.judging.control_checks import Conduct
from lvm_gates.harness.judging.early import SequentialRun
from lvm_gates.harness.judging.early_verdict import Sequential
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.results import scorecard
from lvm_gates.harness.results.samples import member_name
from lvm_gates.harness.results.scorecard import _withhold, build_scorecard, samples_of


def judged(verdict):
    return typed_card(card("m.pt", 0.97, verdict, ["5 of 5 gates passed"]))


def test_a_model_whose_gates_did_not_all_run_is_held():
    found = _withhold(judged("release"), ["B", "D"])
    assert found.verdict == "hold"
    assert found.reasons == ["incomplete: gates that did not run: B, D", "5 of 5 gates passed"]


@pytest.mark.parametrize("verdict", ["hold", "blocked"])
def test_a_verdict_that_releases_nothing_stays_and_the_reason_is_added(verdict):
    found = _withhold(judged(verdict), ["B"])
    assert found.verdict == verdict
    assert found.reasons[0] == "incomplete: gates that did not run: B"


def test_a_complete_card_is_left_as_it_is():
    assert _withhold(judged("release"), []) == judged("release")


@pytest.fixture
def sample_run(make_run, make_corpus, make_observations, monkeypatch):
    """A run over two articles a split with two controls; cards and observations are given: sample_run(profile)."""
    corpus = make_corpus([12] * 6, splits=["TRAIN", "VAL", "OOD"] * 2, article_ids=np.arange(6) + 100)
    monkeypatch.setattr(GateRun, "control_names", ("oracle", "nan"))
    given = SimpleNamespace(record=lambda: judged("release"))

    def make(profile="5cat", kind=GateRun, *more):
        small = make_run(corpus, profile, models=("m.pt", "control:nan"), context=3, horizon=2)
        made = kind(small.settings, small.inputs, [], small.folder, *more)
        windows = {split: made.inputs.evaluation[split].windows for split in JUDGED}
        observed = {split: make_observations(len(windows[split])) for split in JUDGED}
        monkeypatch.setattr(made.observing, "observations", lambda name, split: observed[split])
        made.card, made.control_card = (lambda name: given), (lambda name: given)
        monkeypatch.setattr(scorecard, "breakdowns", lambda run, model: {})
        monkeypatch.setattr(made.auditing, "audits", [Audit("one", "pass", "", {})])
        monkeypatch.setattr(GateRun, "conducts", {"oracle": Conduct("oracle", ("passes gate A",), ("odd",), ("B",))})
        return made

    return make


def test_models_and_controls_stand_in_order_each_with_what_is_said_of_it(sample_run):
    found = build_scorecard(sample_run(), typed(whole()).arguments, {"control:nan": ["B"]})
    assert [model.verdict for model in found.models] == ["release", "hold"]
    assert found.models[1].reasons[0] == "incomplete: gates that did not run: B"
    assert [(c.failed_checks, c.unusual, c.open_gates) for c in found.controls] == [
        (["passes gate A"], ["odd"], ["B"]),
        ([], [], []),
    ]
    assert [audit.name for audit in found.audits] == ["one"]
    assert found.sequential is None
    assert found.packages["python"]
    assert found.packages["lvm-gates"] != "not installed"


def test_a_sequential_session_says_how_far_it_went(sample_run):
    made = sample_run("5cat", SequentialRun, "articles")
    made.sequential = Sequential(
        unit="articles", seed=0, level=0.025, shares=[0.3], splits={}, models=[], reason="all is known"
    )
    assert build_scorecard(made, typed(whole()).arguments, {}).sequential is made.sequential


def test_a_package_that_is_absent_is_said_to_be(monkeypatch):
    monkeypatch.setattr(scorecard, "_PACKAGES", ("no-such-package",))
    assert scorecard._versions()["no-such-package"] == "not installed"


def test_samples_hold_a_row_a_window_of_every_model_and_control(sample_run):
    made = sample_run()
    made.findings.leaks = Leaks({(split, "TRAIN"): np.arange(18) == 1 for split in JUDGED}, {})
    found = samples_of(made)
    windows = made.inputs.evaluation["OOD"].windows
    assert found["OOD/article"].tolist() == [102] * 9 + [105] * 9
    assert found["OOD/chunk"].tolist() == made.inputs.corpus.chunk_index[windows.targets].tolist()
    assert np.flatnonzero(found["VAL/leaked"]).tolist() == [1]
    assert not found["VAL/near_duplicate"].any()
    kept_apart = {"rows", "clusters", "index_sample", "spread", "target_spread", "rank_without"}
    fields = {f for f in Observations.__dataclass_fields__ if f not in kept_apart}
    own = {f"{split}/{name}" for split in JUDGED for name in ("article", "chunk", "leaked", "near_duplicate")}
    own |= {member_name(split, model, "leaked") for split in JUDGED for model in ("m.pt", "control:nan")}
    names = ("m.pt", "control:nan", "control:oracle")
    assert set(found) == own | {member_name(s, name, f) for s in JUDGED for name in names for f in fields}
    assert all(len(values) == 18 for values in found.values())


def test_samples_of_the_original_protocol_say_nothing_of_near_duplicates(sample_run):
    made = sample_run("5cat-published")
    made.findings.leaks = Leaks({(split, "TRAIN"): np.zeros(18, dtype=bool) for split in JUDGED}, {})
    assert not any("near_duplicate" in name for name in samples_of(made))
