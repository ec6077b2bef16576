"""A session over given parts: what is prepared, what blocks, and what a card is made of."""

from types import SimpleNamespace

import numpy as np
import pytest

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls import STANDARD_CONTROLS
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging import session
from lvm_gates.harness.judging.control_checks import Conduct
from lvm_gates.harness.judging.release import Decision
from lvm_gates.harness.judging.rival_inputs import RivalInputs
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import check_fits
from lvm_gates.harness.judging.verdict import Card
from lvm_gates.harness.leaks.record import TrainingRecord
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor

NOTHING = TrainingRecord((), True)


@pytest.fixture(scope="module")
def small(make_corpus):
    return make_corpus([12] * 6, splits=["TRAIN", "VAL", "OOD"] * 2)


@pytest.fixture
def judged(make_run, small, monkeypatch):
    """A run whose windows 0 and 1 of VAL are leaked, and whose observations are named and not made."""

    def make(*models, profile="5cat"):
        given = make_run(small, profile, models=[m.name for m in models], context=3, horizon=2)
        run = GateRun(given.settings, given.inputs, models, given.folder)
        masks = {split: np.zeros(len(run.inputs.evaluation[split].windows), dtype=bool) for split in JUDGED}
        masks["VAL"][:2] = True
        if not run.published:
            monkeypatch.setattr(run.findings, "left_out", masks)
        monkeypatch.setattr(run.observing, "both", lambda name: {split: f"{name} on {split}" for split in JUDGED})
        return run

    return make


COMPARED = {name: {} for name in ("with_domain", "without_domain", "of_controls")}


@pytest.fixture
def cards(monkeypatch):
    """What the last card was made of: cards(run.card, "m")."""
    made = []

    def make(identity, observed, *_, **given):
        made.append((identity, observed, given))
        return Card(identity, {}, None, {}, None, {}, Decision("hold", (), ()))

    monkeypatch.setattr(session, "make_card", make)
    for name, compared in COMPARED.items():
        monkeypatch.setattr(RivalInputs, name, compared)
    monkeypatch.setattr(GateRun, "outside_reasons", ["the data are bad"])
    return lambda card, name: (card(name), made[-1])[1]


def told(name="m", record=NOTHING):
    return NamedPredictor(Identity(name, None, {}), Ewma(0.5), trained_on=record)


def prepared(run, monkeypatch):
    done = []
    monkeypatch.setattr(session, "do_all", lambda pieces, tell: done.extend([*(p.what for p in pieces), tell]))
    monkeypatch.setattr(session, "close_isolated", lambda predictors: done.append([type(p) for p in predictors]))
    run.prepare(print)
    return done


def test_everything_that_a_verdict_needs_is_prepared_and_processes_end(judged, monkeypatch):
    run = judged(told(), told("silent", None))
    assert run.control_names == STANDARD_CONTROLS
    *whats, tell, closed = prepared(run, monkeypatch)
    assert tell is print
    assert closed == [Ewma, Ewma]
    by_split = (
        *("m on {}", "silent on {}", "controls on {}"),
        *("rivals on {}", "near duplicates on {}", "{} in the training data of m"),
    )
    audits = {f"audit {name}" for name in run.auditors}
    assert sorted(whats) == sorted(
        {what.format(split) for what in by_split for split in JUDGED}
        | {"leaked windows among 24 training chunks"}
        | audits
    )
    old = prepared(judged(told("silent", None), profile="5cat-published"), monkeypatch)
    assert not any("rivals" in str(what) or "near" in str(what) for what in old)
    assert "controls on VAL" in old


def test_what_blocks_every_model_are_audits_and_controls_in_that_order(judged, monkeypatch):
    run = judged()
    audits = [Audit("a", "fail", "too many", {}), Audit("b", "pass", "", {}), Audit("c", "not checkable", "none", {})]
    monkeypatch.setattr(run.auditing, "audits", audits)
    assert run.audits is audits
    conducts = [
        Conduct("sound", (), (), ()),
        Conduct("off", ("passes gate A", "is exact"), (), (), facts=("c(+1) is .5",)),
    ]
    monkeypatch.setattr(GateRun, "conducts", {one.name: one for one in conducts})
    assert run.outside_reasons == [
        "data audit a: fail; too many",
        "data audit c: not checkable; none",
        "control:off fails its check (not true that it passes gate A, that it is exact; c(+1) is .5), so the gates "
        "cannot be trusted on this data",
    ]


def test_controls_are_held_to_their_expectations_by_5cat_and_by_the_session(judged, monkeypatch):
    run, asked = judged(profile="skill"), []
    monkeypatch.setattr(GateRun, "control_names", ("oracle", "nan"))
    run.control_card = lambda name: f"card of {name}"

    def again(card, observed, profile, rule):
        asked.append((card, observed["OOD"], profile.name, rule))
        return SimpleNamespace(record=lambda: f"{card}, again")

    monkeypatch.setattr(session, "judged_again", again)
    monkeypatch.setattr(
        session, "conduct", lambda name, card, *given: Conduct(name, (card,), (), tuple(map(str, given)))
    )
    assert run.conducts == {
        name: Conduct(name, (f"card of {name}, again",), (), ("skill", str(run.settings.additions)))
        for name in ("oracle", "nan")
    }
    assert asked == [(f"card of {n}", f"control:{n} on OOD", "5cat", "strict") for n in ("oracle", "nan")]
    assert judged(profile="5cat-published").conducts == {}


def test_the_card_of_a_model_leaves_out_what_it_has_seen_too(judged, cards, monkeypatch):
    run = judged(told())
    masks = {split: np.arange(len(run.inputs.evaluation[split].windows)) == 2 for split in JUDGED}
    monkeypatch.setattr(run.findings, "recorded", lambda named, split: masks[split])
    monkeypatch.setattr(run.observing, "faults", lambda name: (f"{name} broke",))
    identity, observed, given = cards(run.card, "m")
    assert identity is run.loaded["m"].identity
    assert observed == {split: f"m on {split}" for split in JUDGED}
    assert {s: np.flatnonzero(mask).tolist() for s, mask in given["left_out"].items()} == {"VAL": [0, 1, 2], "OOD": [2]}
    assert np.flatnonzero(run.left_out["VAL"]).tolist() == [0, 1], "what others are judged on is theirs"
    assert given["skill_inputs"] is COMPARED["with_domain"]
    assert given["training_data"].status != "not checkable"
    assert (given["outside"], given["faults"]) == (["the data are bad"], ("m broke",))


def test_the_card_of_a_model_that_says_nothing_of_its_training(judged, cards, monkeypatch):
    run = judged(told(record=None))
    monkeypatch.setattr(run.observing, "faults", lambda name: ())
    *_, given = cards(run.card, "m")
    assert given["training_data"].status == "not checkable"
    assert {s: mask.sum() for s, mask in given["left_out"].items()} == {"VAL": 2, "OOD": 0}


def test_a_control_is_judged_as_a_model_and_by_itself_without_what_is_outside(judged, cards):
    run = judged()
    identity, observed, given = cards(run.card, "control:oracle")
    assert identity == Identity("control:oracle")
    assert observed["VAL"] == "control:oracle on VAL"
    assert given["skill_inputs"] is COMPARED["without_domain"]
    assert given["outside"] == ["the data are bad"]
    assert given["left_out"] is run.left_out
    identity, observed, given = cards(run.control_card, "oracle")
    assert identity == Identity("control:oracle")
    assert observed["VAL"] == "control:oracle on VAL"
    assert given["skill_inputs"] is COMPARED["of_controls"]
    assert given["outside"] == []
    assert given["training_data"] is None


def test_under_the_original_protocol_nothing_is_left_out_and_no_rival_is_asked(judged, cards, monkeypatch):
    run = judged(told(), profile="5cat-published")
    masks = {split: np.ones(len(run.inputs.evaluation[split].windows), dtype=bool) for split in JUDGED}
    monkeypatch.setattr(run.findings, "recorded", lambda named, split: masks[split])
    monkeypatch.setattr(run.observing, "faults", lambda name: ())
    for *_, given in (cards(run.card, "m"), cards(run.card, "control:oracle"), cards(run.control_card, "oracle")):
        assert given["skill_inputs"] is None
        assert {s: len(mask) for s, mask in given["left_out"].items()} == {s: len(mask) for s, mask in masks.items()}
        assert not any(mask.any() for mask in given["left_out"].values())


@pytest.mark.parametrize(
    ("made_for", "says"),
    [({"dim": 9}, "of 9 dimensions, but .* has 8"), ({"context": 4}, "4 context frames, .* have 3")],
)
def test_a_model_that_does_not_fit_the_corpus_is_one_sentence(made_for, says, judged):
    inputs = judged().inputs
    check_fits(NamedPredictor(Identity("m"), Ewma(0.5)), inputs)
    check_fits(NamedPredictor(Identity("m"), Ewma(0.5), context=3, dim=8), inputs)
    unfit = NamedPredictor(Identity("m"), Ewma(0.5), **{"context": 3, "dim": 8} | made_for)
    with pytest.raises(UserError, match=says):
        judged(unfit)
