"""Shape checks that leave time for the tests: of each function, the first calls in a test and then one in so many.

A check by jaxtyping and beartype takes .1 ms a call, and milliseconds for a function that is defined inside another
one: three quarters of a session of the gates, whose smallest functions are called thousands of times. Which shapes a
function gets is decided by who calls it and with what, and the first calls of a test show that; what differs from one
call to the next, such as the last block of many, has its own tests. ``EVERY_SHAPE=1`` checks all calls.
"""

import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import jaxtyping
import jaxtyping._decorator

# As many first calls as Hypothesis has examples in a test.
FIRST, ONE_IN = 25, 50
_always = jaxtyping.jaxtyped
_calls: dict[CodeType, int] = {}


def begin() -> None:
    """A test begins: first calls are first again."""
    _calls.clear()


def install() -> None:
    """Whatever is imported from now on is checked so."""
    jaxtyping.jaxtyped = sampled  # which the import hook writes above each function and class
    jaxtyping._decorator.jaxtyped = sampled  # which comes back here with the functions of properties and the like


def sampled(fn: Any = None, *, typechecker: Any) -> Any:
    """Takes the place of `jaxtyping.jaxtyped`."""
    if fn is None:
        return functools.partial(sampled, typechecker=typechecker)
    return _now_and_then(fn, typechecker) if isinstance(fn, FunctionType) else _always(fn, typechecker=typechecker)


def _now_and_then(function: FunctionType, typechecker: Any) -> Callable[..., Any]:
    # By code, of which functions that are defined inside another one have one for all.
    code, checked = function.__code__, None

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal checked
        count = _calls[code] = _calls.get(code, 0) + 1
        if count > FIRST and count % ONE_IN:
            return function(*arguments, **named)
        if checked is None:
            checked = _always(function, typechecker=typechecker)
        return checked(*arguments, **named)

    return call
