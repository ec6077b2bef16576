"""A user's code made into something with ``predict``: what is imported, called, and how its answers are read.

Needs Python 3.9 and numpy, and nothing of this project: `worker.py` loads it by its path, and may run under another
interpreter. torch and sklearn are not imported, only recognised if the user's code did.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import sys
from typing import Any, NamedTuple

_LONGEST = 300  # characters of a user's exception that are reported
# What a function of contexts calls them; any other argument is one that a factory needs.
CONTEXTS = ("contexts", "context", "x", "X", "frames", "inputs", "embeddings", "batch")


class RefusedError(Exception):
    """A factory that cannot be used, in words."""


class Made(NamedTuple):
    """A predictor, and what is to be said of it.

    Attributes:
        predictor: has ``predict``.
        assumed: what was taken to be so, in words; empty for what has ``predict(contexts)`` of its own.
        files: SHA-256 of the files that the module and the factory are written in, by path.
    """

    predictor: Any
    assumed: str
    files: dict[str, str]


def told(error: BaseException) -> str:
    """An exception as part of a sentence: ``ValueError: no weights``, on one line and safe to print."""
    name = type(error).__name__
    try:
        text = printable(str(error))
    except Exception:  # its text may raise another
        text = ""
    return f"{name}: {text}" if text else name


def printable(text: str) -> str:
    """One line of bounded length without control characters."""
    line = " ".join(text.split())
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"


def make_predictor(module: str, factory: str, arguments: dict[str, Any]) -> Made:
    """Import ``module`` and call its ``factory(**arguments)``, unless that is a predictor or a function of contexts.

    Raises:
        RefusedError: anything wrong with either, as the end of a sentence about the model.
    """
    _asarray()
    # Not KeyboardInterrupt: in the session's own process (--in-process) that is somebody pressing Ctrl-C.
    try:
        found = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise RefusedError(f"cannot be imported ({printable(str(error))}); check the module and the name.") from error
    except (Exception, SystemExit) as error:
        raise RefusedError(f"importing {module} raised {told(error)}.") from error
    files = _files(module, found)
    if _reads_contexts(found, arguments):
        return Made(Function(functools.partial(found, **arguments)), "a function of contexts", files)
    try:
        ready = not isinstance(found, type) and (_is_network(found) or callable(getattr(found, "predict", None)))
        made = found if ready and not arguments else found(**arguments)
    except (Exception, SystemExit) as error:
        lacking = isinstance(error, TypeError) and "required" in str(error)
        way = "; give it as python:module:factory?name=value" if lacking else ""
        way = f"; import or define it in {module}" if isinstance(error, NameError) else way
        raise RefusedError(f"{factory}() raised {told(error)}{way}.") from error
    predictor, assumed = adapted(made, factory)
    return Made(predictor, assumed, files)


def adapted(made: Any, factory: str) -> tuple[Any, str]:
    """What a factory returned as something with ``predict``, and what that took for granted.

    Raises:
        RefusedError: it is nothing that could predict.
    """
    own = callable(getattr(made, "predict", None)) and not isinstance(made, type)
    if _is_network(made):
        made.eval()
        return Network(made, made.predict if own else None), "a network in eval mode, asked without gradients"
    # Every fitted estimator of sklearn, and what follows its conventions, counts its features so.
    if own and callable(getattr(made, "fit", None)) and hasattr(made, "n_features_in_"):
        return Estimator(made), "an estimator given the frames of a context flattened, oldest first"
    if own:
        return made, ""
    if callable(made) and not isinstance(made, type):
        return Function(made), "a function of contexts"
    raise RefusedError(f"{factory}() returned {type(made).__name__}, which has no predict(contexts).")


class Function:
    """A function of contexts."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def predict(self, contexts: Any) -> Any:
        return as_array(self._function(contexts))


class Network:
    """A ``torch.nn.Module``: contexts as a tensor of its own type, where it is; or as they are, to its own predict."""

    def __init__(self, network: Any, predict: Any) -> None:
        self._network, self._predict = network, predict

    def predict(self, contexts: Any) -> Any:
        torch = sys.modules["torch"]
        with torch.inference_mode():
            if self._predict is not None:
                return as_array(self._predict(contexts))
            like = next((p for p in self._network.parameters() if p.is_floating_point()), torch.zeros(()))
            answer = self._network(torch.from_numpy(contexts).to(like))
        if not isinstance(answer, torch.Tensor):
            raise TypeError(f"forward() returned {type(answer).__name__}; it must return one tensor")
        return as_array(answer)


class Estimator:
    """Something with sklearn's ``predict`` of (B, features)."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, contexts: Any) -> Any:
        rows, frames, dim = contexts.shape
        wanted = self._estimator.n_features_in_
        if wanted != frames * dim:
            raise ValueError(
                f"the estimator has {wanted} features, and a context has {frames} frames of {dim}, {frames * dim} in "
                "all"
            )
        return as_array(self._estimator.predict(contexts.reshape(rows, frames * dim)))


def as_array(answer: Any) -> Any:
    """An answer as a NumPy array, tensors of torch included."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu()
        answer = (answer.float() if answer.dtype == torch.bfloat16 else answer).numpy()
    return _asarray()(answer)


@functools.lru_cache(maxsize=1)
def _asarray() -> Any:
    """NumPy's, bound before a user's code could patch it; not at import, which comes before the worker forks."""
    import numpy as np

    return np.asarray


def _is_network(made: Any) -> bool:
    torch = sys.modules.get("torch.nn")
    return torch is not None and isinstance(made, torch.Module)


def _reads_contexts(found: Any, arguments: dict[str, Any]) -> bool:
    """Whether what was named is the function of contexts itself: all that it lacks is an argument called so."""
    if isinstance(found, type) or not inspect.isroutine(found):
        return False
    try:
        given = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    lacking = [p.name for p in given if p.default is p.empty and p.kind in named and p.name not in arguments]
    return len(lacking) == 1 and lacking[0] in CONTEXTS


def _files(module: str, found: Any) -> dict[str, str]:
    names = {getattr(sys.modules.get(one), "__file__", None) for one in (module, getattr(found, "__module__", module))}
    digests = {}
    for name in sorted(one for one in names if isinstance(one, str)):
        try:
            with open(name, "rb") as stream:  # noqa: PTH123 - pathlib costs 10 ms of a start
                digests[name] = hashlib.sha256(stream.read()).hexdigest()
        except OSError:
            continue
    return digests
