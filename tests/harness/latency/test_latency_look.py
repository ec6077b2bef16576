"""The second look, and what is compared with what."""

import hashlib
import json

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.latency import look as module
from lvm_gates.harness.latency.change import changes
from lvm_gates.harness.latency.files import KEY, read_latency, write_latency
from lvm_gates.harness.latency.look import beside, judge, look
from lvm_gates.harness.latency.measure import Asked, Bench
from lvm_gates.harness.latency.records import Latency, Times
from lvm_gates.harness.latency.turns import ROUNDS
from lvm_gates.models.registry import build

SPEED = np.random.default_rng(0).uniform(1e-3, 1.02e-3, (ROUNDS, 4))
PRODUCTS = np.full((ROUNDS, 4), 1e-3).tolist()


def times(slower=1.0, name="new.pt", sha256=None):
    return Times(name, sha256, (slower * SPEED).tolist(), PRODUCTS)


def measured(slower=1.0, batch=1, *, accepted=None, **more):
    more = {"context": 5, "dim": 8, "device": "cpu", "candidate": times(slower)} | more
    return Latency(batch=batch, accepted=accepted, **more)


@pytest.fixture
def network(tmp_path):
    """network(name, dim=8): a checkpoint."""

    def make(name, dim=8):
        module = build("gru", input_dim=dim, output_dim=dim, width=8)
        torch.save(module.state_dict(), tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def asked(tmp_path):
    return Asked(root=tmp_path, seconds=0.001)


def both(slower, batch=1):
    return changes(None, measured(slower, batch, accepted=times(name="old.pt")))


def test_without_an_alarm_nobody_looks_again():
    verdict = judge([*both(1.0), *both(0.5, 64)], 1.1, lambda _: pytest.fail("looked again"))
    assert (verdict.second, verdict.slower) == ([], [])


def test_an_alarm_is_measured_again_and_counts_only_if_it_returns():
    looked = []

    def again(batches):
        looked.append(batches)
        return [*both(1.0), *both(1.5, 64)]

    verdict = judge([*both(1.5), *both(1.5, 64), *both(1.0, 8)], 1.1, again)
    assert looked == [[1, 64]]
    assert [(one.batch, one.quantile) for one in verdict.slower] == [(64, "p50"), (64, "p95")]


def test_where_no_second_look_can_be_taken_the_first_counts():
    assert [one.quantile for one in judge(both(1.5), 1.1, None).slower] == ["p50", "p95"]


@pytest.mark.parametrize(
    ("accepted", "says"),
    [
        ([measured(batch=2)], "batch size 1 was measured of one model only"),
        ([measured(), measured(batch=2)], "batch size 2 was measured of one model only"),
        ([measured(context=4)], "was asked for 5 frames of 8 dimensions on cpu, new.pt for 4 of 8 on cpu"),
        ([measured(dim=16)], "5 of 16 on cpu; measure both alike"),
        ([measured(device="cuda")], "5 of 8 on cuda"),
    ],
)
def test_measurements_of_other_questions_are_not_compared(accepted, says):
    with pytest.raises(UserError, match=says):
        beside(accepted, [measured()])


def test_two_models_are_measured_in_turns_and_may_be_again(network, asked):
    network("old.pt")
    network("new.pt")
    found = look("old.pt", "new.pt", asked, [3])
    assert [(one.batch, one.accepted.name, one.candidate.name) for one in found.measured] == [(3, "old.pt", "new.pt")]
    assert [(one.batch, one.quantile) for one in found.changes] == [(3, "p50"), (3, "p95")]
    assert {one.batch for one in found.again([1])} == {1}


def test_a_file_beside_a_model_has_the_same_question_asked(network, asked, tmp_path):
    network("new.pt")
    write_latency(tmp_path / "old.json", [measured(batch=2, context=3)])
    found = look("old.json", "new.pt", asked, [1, 64])
    assert [(one.batch, one.context, one.dim) for one in found.measured] == [(2, 3, 8)]
    assert found.again is None, "old.json says new.pt too, but not whose digest"


def test_two_files_are_looked_at_again_where_both_models_are_as_they_were(network, asked, tmp_path, monkeypatch):
    old, new = network("old.pt"), network("new.pt")
    digests = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (old, new)]
    write_latency(tmp_path / "old.json", [measured(candidate=times(1.0, "old.pt", digests[0]))])
    write_latency(tmp_path / "new.json", [measured(candidate=times(2.0, "new.pt", digests[1]))])
    monkeypatch.setattr(module, "measure", lambda *given: [measured(1.5, accepted=times(name=str(given[:2])))])
    found = look("old.json", "new.json", asked, [64])
    assert found.changes[0].ratio.value == pytest.approx(2.0, rel=0.01)
    assert found.again([1])[0].ratio.value == pytest.approx(1.5)
    new.write_bytes(b"another")
    assert look("old.json", "new.json", asked, [64]).again is None


def test_a_file_names_no_code_to_run(asked, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit")
    spec = "python:mine:factory"
    write_latency(tmp_path / "both.json", [measured(candidate=times(2.0, spec, "0"), accepted=times(1.0, spec, "0"))])
    assert look(None, "both.json", asked, [1]).again is None


def test_one_file_may_hold_both_models(asked, tmp_path):
    write_latency(tmp_path / "both.json", [measured(2.0, accepted=times(name="old.pt"))])
    assert look(None, "both.json", asked, [1]).changes[0].ratio.value == pytest.approx(2.0)


def test_a_model_alone_is_compared_with_nothing(network, asked):
    network("new.pt")
    found = look(None, "new.pt", asked, [1])
    assert (found.changes, found.again) == ([], None)


def test_files_of_either_kind_are_read(tmp_path):
    found = [measured(), measured(batch=64, accepted=times())]
    write_latency(tmp_path / "ours.json", found)
    assert read_latency(tmp_path / "ours.json") == found
    theirs = {"benchmarks": [{"name": "test_other", "extra_info": {"ratio": 1.0}}]}
    theirs["benchmarks"] += [{"extra_info": {KEY: jsonable(one)}} for one in found]
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    assert read_latency(tmp_path / "theirs.json") == found


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "holds no latency of a model"),
        ('{"benchmarks": [{"extra_info": {"ratio": 1}}, 3]}', "holds no latency of a model"),
        ({"latency_version": 2, "latency": []}, "holds no latency of a model"),
        ({"latency_version": 1, "latency": [{"batch": 1}]}, "is damaged"),
        ({"latency_version": 1, "latency": [jsonable(measured())] * 2}, "a batch size twice"),
        (
            {"latency_version": 1, "latency": [jsonable(measured()), jsonable(measured(candidate=times(name="x")))]},
            r"holds 2 models \(new.pt, x\)",
        ),
        ({"latency_version": 1, "latency": [jsonable(measured()) | {"candidate": {}}]}, "is damaged"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path, stored, says):
    file = tmp_path / "file.json"
    if stored is not None:
        file.write_text(stored if isinstance(stored, str) else json.dumps(stored))
    with pytest.raises(UserError, match=says) as refused:
        read_latency(file)
    assert "measure" in str(refused.value)


@pytest.mark.parametrize("change", [{"seconds": [[1.0]]}, {"seconds": [], "reference": []}, {"reference": [[0.0]]}])
def test_times_that_do_not_fit_are_damaged(tmp_path, change):
    stored = jsonable(measured())
    stored["candidate"] |= change
    (tmp_path / "file.json").write_text(json.dumps({"latency_version": 1, "latency": [stored]}))
    with pytest.raises(UserError, match="damaged"):
        read_latency(tmp_path / "file.json")


@pytest.mark.parametrize(
    ("models", "more", "says"),
    [
        (("absent.pt", None), {}, "absent.pt: no such file; name a model file"),
        (("control:oracle", None), {}, "has no latency to guard"),
        ((" ", None), {}, "--model is empty"),
        (("new.pt", "wide.pt"), {}, "new.pt: reads contexts of 8 dimensions, and wide.pt of 16"),
        (("python:own:last", None), {}, "does not say how wide its embeddings are; name their width with --dim"),
        (("python:own:absent", None), {"dim": 8}, "python:own:absent"),
    ],
)
def test_models_that_cannot_be_timed(network, asked, tmp_path, models, more, says):
    network("new.pt")
    network("wide.pt", 16)
    (tmp_path / "own.py").write_text("def last(contexts): return contexts[:, -1]\n")
    with pytest.raises(UserError, match=says):
        Bench(*models, Asked(root=tmp_path, **more))


def test_a_model_that_reads_another_width_says_so(network, tmp_path):
    network("new.pt")
    bench = Bench("new.pt", None, Asked(root=tmp_path, dim=16, seconds=0.001))
    with pytest.raises(UserError, match=r"new.pt: cannot be asked for contexts of shape \(1, 5, 16\).*--dim"):
        bench.measure(1)


def test_code_of_a_users_is_timed_with_its_files(network, tmp_path):
    (tmp_path / "own_last.py").write_text("def last(contexts): return contexts[:, -1]\n")
    found = Bench("python:own_last:last", None, Asked(root=tmp_path, dim=8, seconds=0.001)).measure(3)
    assert len(found.candidate.calls) == ROUNDS
    assert list(found.candidate.files) == ["own_last.py"]
