"""What `python:` takes: functions, networks, estimators, with arguments; the same in either process."""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.python_spec import python_spec
from lvm_gates.harness.evaluation.resolve_model import identified, load_named
from lvm_gates.harness.predictors.isolation.predictor import Isolation, close_isolated

HERE = Path(__file__).parent


@pytest.fixture
def load(tmp_path, monkeypatch):
    """load(factory, apart): a named predictor, asked once."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.syspath_prepend(HERE)
    made = []

    def make(factory, apart, given=None):
        spec = f"python:brought:{factory}"
        made.append(load_named(spec, root=tmp_path, isolation=Isolation(None, 60.0, 60.0) if apart else None))
        answer = made[-1].predictor.predict(contexts() if given is None else given)
        return np.asarray(answer), identified(made[-1], tmp_path)

    yield make
    close_isolated(named.predictor for named in made)


def contexts():
    return np.random.default_rng(0).standard_normal((4, 3, 6)).astype(np.float32)


def expected_of_net(x):
    sys.path.insert(0, str(HERE))
    import brought

    with torch.inference_mode():
        return brought.Net().eval()(torch.from_numpy(x)).numpy()


NETWORK = "a network in eval mode, asked without gradients"
FUNCTION = "a function of contexts"
KINDS = {
    "last_frame": (lambda x: x[:, -1], FUNCTION),
    "makes_a_function": (lambda x: x[:, -1], FUNCTION),
    "scaled?alpha=.5": (lambda x: x[:, -1] * 0.5, FUNCTION),
    "Net": (expected_of_net, NETWORK),
    "instance": (expected_of_net, NETWORK),
    "DoubleNet": (expected_of_net, NETWORK),
    "OwnPredict": (expected_of_net, NETWORK),
    "ridge": (
        lambda x: x.reshape(4, 18) @ (np.arange(108).reshape(18, 6) / 100),
        "an estimator given the frames of a context flattened, oldest first",
    ),
}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("factory", list(KINDS))
def test_it_answers_and_says_what_was_assumed(load, factory, apart):
    expected, assumed = KINDS[factory]
    answer, named = load(factory, apart)
    np.testing.assert_allclose(answer, expected(contexts()), atol=1e-6)
    assert named.identity.assumed == (assumed,)


@pytest.mark.parametrize("apart", [True, False])
def test_arguments_and_files_are_recorded(load, apart, tmp_path):
    (tmp_path / "best.pt").write_bytes(b"weights")
    _, named = load("told?weights=best.pt&alpha=.3&name=a%26b", apart)
    given = {"weights": "best.pt", "alpha": 0.3, "name": "a&b"}
    assert named.identity.provenance == {"python": {"module": "brought", "factory": "told", "arguments": given}}
    assert dict(named.identity.files) == {
        "best.pt": hashlib.sha256(b"weights").hexdigest(),
        str(HERE / "brought.py"): hashlib.sha256((HERE / "brought.py").read_bytes()).hexdigest(),
    }
    assert named.identity.assumed == ()


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("told", r"missing 1 required positional argument: 'weights'; give it as python:module:factory\?name=value\."),
        ("told?weights=x&beta=2", r"told\(\) raised TypeError: .*unexpected keyword argument 'beta'"),
        ("a_class", r"a_class\(\) returned type, which has no predict\(contexts\)"),
        ("absent?alpha=1", "cannot be imported"),
        ("not_imported", r"raised NameError: name 'MyNet' is not defined; import or define it in brought\."),
    ],
)
def test_what_is_no_predictor_is_one_sentence(load, factory, said, apart):
    with pytest.raises(UserError, match=said):
        load(factory, apart)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("Pair", r"forward\(\) returned tuple; it must return one tensor"),
        ("ridge?features=12", "the estimator has 12 features, and a context has 3 frames of 6, 18 in all"),
    ],
)
def test_what_it_cannot_answer_is_one_sentence(load, factory, said):
    with pytest.raises(UserError, match=said):
        load(factory, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("-3", -3), (".3", 0.3), ("1e-4", 1e-4), ("2.", 2.0), ("nan", "nan"), ("1_0", "1_0"), ("v1.2", "v1.2")],
)
def test_numbers_are_numbers_and_the_rest_is_text(text, value):
    found = python_spec(f"python:m:f?a={text}").arguments["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("spec", ["python:m", "python::f", "python:m:f?a", "python:m:f?a=1&a=2", "python:m:f?1=2"])
def test_a_spec_that_is_not_written_so(spec):
    with pytest.raises(UserError):
        python_spec(spec)
