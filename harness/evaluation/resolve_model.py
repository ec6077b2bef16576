"""``--model`` to a predictor: a file, ``control:NAME`` or ``python:package.module:factory``."""

import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.imported import PYTHON
from lvm_gates.harness.controls import control_name
from lvm_gates.harness.evaluation.python_spec import python_spec
from lvm_gates.harness.predictors.formats.kind import kind_of
from lvm_gates.harness.predictors.isolation.factory import RefusedError, make_predictor
from lvm_gates.harness.predictors.isolation.predictor import IsolatedPredictor, Isolation
from lvm_gates.harness.predictors.predictor import Identity, InBatches, NamedPredictor, Predictor

CONTROL = "control:"


def is_control(spec: str) -> bool:
    """Whether ``spec`` names a control; controls are built per split, by `harness.controls`."""
    return spec.startswith(CONTROL)


def check_spec(spec: str, added: Collection[str] = ()) -> str:
    """The spec in its one spelling.

    Args:
        spec: as given to ``--model``.
        added: names of controls from outside.

    Raises:
        UserError: empty, or an unknown control.
    """
    if not spec.strip():
        raise UserError("--model is empty; give a checkpoint file, control:NAME or python:package.module:factory.")
    if is_control(spec) and spec.removeprefix(CONTROL) not in added:
        return CONTROL + control_name(spec.removeprefix(CONTROL))
    return spec


def is_python(spec: str) -> bool:
    """Whether ``spec`` names code of the user's."""
    return spec.startswith(PYTHON)


def load_named(
    spec: str,
    *,
    device: str = "cpu",
    root: Path | None = None,
    isolation: Isolation | None = None,
) -> NamedPredictor:
    """Load a checkpoint or a Python predictor.

    Args:
        spec: as given to ``--model``; not a control.
        device: for checkpoints: cpu, cuda or mps.
        root: folder that relative paths and ``python:`` modules are looked up in; default the current one.
        isolation: how a ``python:`` predictor gets a process of its own, which starts when it is first asked; None
            loads it here and now.

    Raises:
        UserError: it cannot be loaded, in one sentence.
    """
    if is_python(spec):
        return _from_python(spec, root or Path.cwd(), isolation)
    from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
    from lvm_gates.harness.predictors.formats.load import load_graph

    path = (root or Path.cwd()) / spec
    kind = kind_of(path)
    if kind not in ("checkpoint", "safetensors"):
        return load_graph(spec, path, kind, device)
    checkpoint = load_checkpoint(path)
    return NamedPredictor(
        Identity(spec, checkpoint.sha256, dict(checkpoint.metadata), checkpoint.assumed),
        torch_predictor(checkpoint, device=device),
        context=checkpoint.context,
        dim=checkpoint.dim,
        trained_on=checkpoint.trained_on,
    )


def load_predictor(spec: str, *, device: str = "cpu", batch_size: int = 256) -> Predictor:
    """A predictor ready for ``predict(contexts)``; oracles need a corpus and are not among them.

    A ``python:`` predictor is loaded into this process: who calls this runs code of their own anyway.

    Args:
        spec: as given to ``--model``.
        device: for checkpoints: cpu, cuda or mps.
        batch_size: contexts it reads at once, however many it is asked for.

    Raises:
        UserError: it cannot be loaded, needs a corpus, or should read fewer than one context at once.
    """
    if batch_size < 1:
        raise UserError(f"a batch size of {batch_size} is too small; use 1 or more.")
    spec = check_spec(spec)
    if is_control(spec):
        raise UserError(
            f"{spec}: controls are built for a corpus; use lvm_gates.harness.controls.build_control, or gate it."
        )
    predictor = load_named(spec, device=device).predictor
    assert isinstance(predictor, Predictor)  # noqa: S101 - only controls are oracles
    return InBatches(predictor, batch_size)


def _from_python(spec: str, root: Path, isolation: Isolation | None) -> NamedPredictor:
    asked = python_spec(spec)
    identity = Identity(spec, None, {"python": asked.record}, files=tuple(asked.files(root).items()))
    if isolation is not None:
        isolated = IsolatedPredictor(spec, asked.module, asked.factory, root, isolation, asked.arguments)
        return NamedPredictor(identity, isolated, only_reads=True)  # what the code spoils is a copy, over there
    # The same modules as `python -c` would find in that folder; pytest itself does not put it on the path.
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        made = make_predictor(asked.module, asked.factory, dict(asked.arguments))
    except RefusedError as error:
        raise UserError(f"{spec}: {error}") from error
    return NamedPredictor(_told_more(identity, made.assumed, made.files, root), made.predictor)


def identified(named: NamedPredictor, root: Path) -> NamedPredictor:
    """A model with what the process of its own, once it is ready, has told of it."""
    if not isinstance(named.predictor, IsolatedPredictor):
        return named
    told = named.predictor
    return replace(named, identity=_told_more(named.identity, told.assumed, told.files, root))


def _told_more(identity: Identity, assumed: str, files: Mapping[str, str], root: Path) -> Identity:
    own = {(os.path.relpath(one, root) if Path(one).is_relative_to(root) else one): sha for one, sha in files.items()}
    return replace(identity, assumed=(assumed,) if assumed else (), files=tuple((dict(identity.files) | own).items()))
