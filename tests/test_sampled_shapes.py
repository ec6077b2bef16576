"""A wrong shape is found in the first calls of a test, and later too."""

import numpy as np
import pytest
import sampled_shapes
from beartype import beartype
from jaxtyping import Float, TypeCheckError
from sampled_shapes import FIRST, ONE_IN, begin, sampled

GOOD, BAD = np.ones((2, 3)), np.ones((2, 3, 4))


@pytest.fixture
def halved():
    begin()

    @sampled(typechecker=beartype)
    def halve(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Half."""
        return values / 2 if values.any() else values[:1] / 2

    return halve


def test_a_wrong_argument_and_a_wrong_answer_are_found(halved):
    assert (halved(GOOD) == 0.5).all()
    with pytest.raises(TypeCheckError):
        halved(BAD)
    with pytest.raises(TypeCheckError, match="return value"):
        halved(0 * GOOD)
    assert halved.__doc__ == "Half."


def test_of_many_calls_the_first_and_one_in_so_many_are_checked(halved):
    found = []
    for call in range(1, FIRST + 3 * ONE_IN + 1):
        try:
            halved(BAD)
        except TypeCheckError:
            found.append(call)
    assert found == [*range(1, FIRST + 1), *range(ONE_IN, FIRST + 3 * ONE_IN + 1, ONE_IN)]
    begin()
    with pytest.raises(TypeCheckError):
        halved(BAD)


def test_a_method_and_a_property_of_a_class_are_checked(monkeypatch):
    monkeypatch.setattr("jaxtyping._decorator.jaxtyped", sampled)
    begin()

    class Holder:
        @sampled(typechecker=beartype)
        def taken(self, values: Float[np.ndarray, " n"]) -> float:
            return float(values.sum())

        def _held(self) -> Float[np.ndarray, " n"]:
            return GOOD

        held = sampled(property(_held), typechecker=beartype)

    with pytest.raises(TypeCheckError):
        _ = Holder().held
    assert Holder().taken(np.ones(4)) == 4
    with pytest.raises(TypeCheckError):
        Holder().taken(GOOD)


def test_a_function_inside_another_one_is_counted_as_one():
    begin()
    made = []

    def counting(function):
        made.append(function)
        return beartype(function)

    def inner():
        @sampled(typechecker=counting)
        def one(value: int) -> int:
            return value

        return one

    for _ in range(FIRST + 10):
        inner()(1)
    before = len(made)
    inner()(1)
    assert len(made) == before > FIRST
    assert len(sampled_shapes._calls) == 1
