"""Encoders of the user's own, by name, and prefixes."""

import numpy as np
import pytest
from fake_encoder import FakeEncoder

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.text.own_encoder import OwnEncoder, Prefixed

MODULE = """
import numpy as np

def letters(texts):
    return np.array([[len(t), 1.0, 2.0] for t in texts])

class Encoder:
    def encode(self, texts):
        return letters(texts)

encoder = Encoder()
def factory(seed=0):
    return Encoder()
def lost():
    return 5
def broken(texts):
    raise KeyError("weights")
def flat(texts):
    return [1.0] * len(texts)
def changing(texts):
    return np.ones((len(texts), len(texts) + 1))
number = 5
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "my_encoders.py").write_text(MODULE)
    yield tmp_path
    __import__("sys").modules.pop("my_encoders", None)


@pytest.mark.parametrize("name", ["letters", "Encoder", "encoder", "factory"])
def test_functions_objects_and_factories_encode(root, name):
    encoder = OwnEncoder(f"python:my_encoders:{name}", root)
    assert encoder.dim == 3
    assert encoder.encode(["abc", "d"]).tolist() == [[3, 1, 2], [1, 1, 2]]
    assert len(encoder.identity["module_sha256"]) == 64
    assert encoder.truncated(["x"]) == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lost", "is no function and has no method encode"),
        ("number", "is no function and has no method encode"),
        ("nothing", "cannot be imported"),
        ("broken", r"raised KeyError \('weights'\) for 1 texts"),
        ("flat", r"gave \(1,\) for 1 texts; it must give one vector a text"),
    ],
)
def test_what_does_not_encode_is_one_sentence(root, name, said):
    with pytest.raises(UserError, match=rf"python:my_encoders:{name}: {said}"):
        OwnEncoder(f"python:my_encoders:{name}", root)


def test_a_width_that_changes_is_refused(root):
    encoder = OwnEncoder("python:my_encoders:changing", root)
    with pytest.raises(UserError, match=r"gave \(2, 3\) for 2 texts"):
        encoder.encode(["a", "b"])


def test_a_prefix_stands_before_every_chunk_and_in_the_record():
    inner = FakeEncoder(limit=12)
    encoder = Prefixed(inner, "passage: ")
    np.testing.assert_array_equal(encoder.encode(["a", "b"]), FakeEncoder().encode(["passage: a", "passage: b"]))
    assert encoder.truncated(["abc", "abcd"]) == 1
    assert (encoder.dim, encoder.identity["prefix"]) == (8, "passage: ")
    assert "prefix" not in inner.identity
