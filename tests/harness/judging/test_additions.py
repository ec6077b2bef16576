"""What comes from outside is refused unless it says by which behaviour it can be recognised."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from examples.custom_audit import article_lengths
from examples.custom_control import BLURRED
from examples.custom_gate import TAIL
from lvm_gates.harness.audits import AUDITS, Audit
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.judging import additions
from lvm_gates.harness.judging.additions import GROUPS, Additions, load_additions
from lvm_gates.harness.judging.control_checks import EXPECTATIONS, conduct
from lvm_gates.harness.judging.gates import TITLES
from lvm_gates.harness.judging.rival_inputs import RivalInputs

FILE = """
from dataclasses import replace
from functools import partial
from examples.custom_control import BLURRED
from examples.custom_gate import TAIL

unproven = replace(TAIL, failed_by=())
also_unproven = replace(TAIL, passed_by=())
unmeasured = replace(TAIL, statistic=None)
taken = replace(TAIL, name="frontier")
elsewhere = replace(TAIL, name="other")
unknown_control = replace(TAIL, failed_by=("randm",))
never_run = replace(TAIL, failed_by=("ewma-0.3",))
one_split = replace(TAIL, thresholds=tuple(replace(row, limits={"VAL": 0.3}) for row in TAIL.thresholds))
row = TAIL.thresholds[0]
one_elsewhere = replace(TAIL, thresholds=(row, replace(row, gate="other")))
one_of_two_split = replace(TAIL, thresholds=(row, replace(row, limits={"OOD": 0.3})))
no_limit = replace(TAIL, thresholds=tuple(replace(row, limits={}) for row in TAIL.thresholds))
of_nothing = replace(BLURRED, passes=("Z",))
no_gate = 3
idle = replace(BLURRED, passes=())
known = replace(BLURRED, name="ewma-0.35")
no_audit = 3

def unit_norm(inputs):
    pass

def mine(inputs):
    pass

def _of_two_words(inputs):
    pass

nameless = partial(mine)
"""


@pytest.fixture
def named(tmp_path):
    """Load a name of FILE, as an option of a kind."""
    (tmp_path / "mine_to_add.py").write_text(FILE)

    def load(kind, *names):
        specs = {"gate": (), "control": (), "audit": ()} | {kind: [f"python:mine_to_add:{name}" for name in names]}
        return load_additions(specs["gate"], specs["control"], specs["audit"], tmp_path)

    return load


def test_nothing_is_added_unless_it_is_named(tmp_path):
    assert load_additions((), (), (), tmp_path) == Additions()


@pytest.mark.parametrize(
    ("kind", "names", "said"),
    [
        ("gate", ["unproven"], "does not say which controls must pass it and which must fail"),
        ("gate", ["also_unproven"], "does not say which controls must pass it and which must fail"),
        ("gate", ["unmeasured"], "has no statistic or no threshold"),
        ("gate", ["taken"], "gate frontier is there already"),
        ("gate", ["elsewhere"], "a threshold of gate other names another gate"),
        ("gate", ["one_elsewhere"], "a threshold of gate tail names another gate"),
        ("gate", ["one_of_two_split"], "needs a limit for VAL and one for OOD"),
        ("gate", ["unknown_control"], "speaks of control:randm, which is not run in every session"),
        ("gate", ["never_run"], "speaks of control:ewma-0.3, which is not run in every session"),
        ("gate", ["one_split"], "needs a limit for VAL and one for OOD"),
        ("gate", ["no_limit"], "needs a limit for VAL and one for OOD"),
        ("control", ["of_nothing"], "control blurred-oracle: speaks of gate Z, and there is no such gate"),
        ("gate", ["no_gate"], "is int, not a Gate"),
        ("gate", ["TAIL", "TAIL"], "gate tail is added twice"),
        ("control", ["BLURRED", "BLURRED"], "control blurred-oracle is added twice"),
        ("audit", ["mine", "mine"], "audit mine is added twice"),
        ("control", ["idle"], "does not say which gates it must pass or fail"),
        ("control", ["known"], "control:ewma-0.35 is there already"),
        ("control", ["TAIL"], "is Gate, not a Control"),
        ("audit", ["no_audit"], "is int, not a function"),
        ("audit", ["nameless"], "is partial, not a function"),
        ("audit", ["unit_norm"], "audit 'unit norm' is there already"),
        ("audit", ["absent"], "cannot be imported"),
    ],
)
def test_what_is_refused(named, kind, names, said):
    with pytest.raises(UserError, match=said):
        named(kind, *names)


def test_an_audit_is_called_as_its_function_with_spaces(named):
    assert list(named("audit", "mine", "_of_two_words").audits) == ["mine", "of two words"]


def test_an_installed_package_offers_by_entry_point(monkeypatch, tmp_path):
    def installed(value):
        point = EntryPoint("tail", value, GROUPS["gate"])
        monkeypatch.setattr(additions, "offered", lambda group: [point] if group == GROUPS["gate"] else [])

    installed("examples.custom_gate:TAIL")
    assert load_additions((), (), (), tmp_path).gates == (TAIL,)
    installed("examples.nowhere:TAIL")
    with pytest.raises(UserError, match=r"entry point tail of examples\.nowhere:TAIL: raised ModuleNotFoundError"):
        load_additions((), (), (), tmp_path)


def test_an_audit_of_another_name_is_one_sentence(make_run, arrow):
    def said_otherwise(inputs):
        return Audit("unit norm", "pass", "", {})

    run = make_run(arrow, additions=Additions(audits={"mine": said_otherwise, "length": article_lengths}))
    with pytest.raises(UserError, match="audit 'mine' returned 'unit norm'; it must return an Audit of its own name"):
        run.audits  # noqa: B018 - what is read is made
    other = make_run(arrow, additions=Additions(audits={"none": lambda inputs: None}))
    with pytest.raises(UserError, match="audit 'none' returned NoneType"):
        other.audits  # noqa: B018


def test_a_control_that_does_not_do_what_a_gate_declares_fails_its_check(make_run, arrow, monkeypatch):
    """Both ways: an oracle that fails the gate, and a control that passes it though it must not."""
    for inputs in ("without_domain", "of_controls"):  # 700 rivals, whom nothing is asked here
        monkeypatch.setattr(RivalInputs, inputs, None)
    gate = replace(TAIL, passed_by=("random",), failed_by=("oracle",))
    run = make_run(arrow, additions=Additions(gates=(gate,)))
    assert "fails gate tail" in run.conducts["oracle"].failed_checks
    assert "passes gate tail" in run.conducts["random"].failed_checks
    upright = make_run(arrow, additions=Additions(gates=(TAIL,), controls={BLURRED.name: BLURRED}))
    assert upright.conducts["oracle"].failed_checks == ()
    assert upright.conducts["random"].failed_checks == ()
    assert upright.conducts[BLURRED.name].failed_checks == ()
    card = upright.control_card(BLURRED.name).record()
    wrong = Additions(controls={BLURRED.name: replace(BLURRED, passes=("C",), fails=("A",))})
    assert set(conduct(BLURRED.name, card, additions=wrong).failed_checks) == {"fails gate A"} | (
        set() if card["gates"]["C"]["passed"] else {"passes gate C"}
    )


def test_every_control_of_ours_has_an_expectation_and_every_audit_its_own_name(make_run, arrow):
    run = make_run(arrow)
    assert set(run.control_names) - {"bayes"} == set(EXPECTATIONS)
    assert [audit.name for audit in run.audits] == list(AUDITS)
    assert len(TITLES) == 10
