"""The scorecard: one dictionary that holds everything a run found, and the files it is written to."""

import importlib.metadata
import math
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.session_data import describe
from lvm_gates.harness.judging.session import GateRun

SCHEMA_VERSION = 1
_PACKAGE = "lvm_gates"
_PACKAGES = ("lvm-gates", "torch", "numpy", "scipy", "faiss-cpu", "pytest", "pytest-xdist")


def build_scorecard(run: GateRun, arguments: Mapping[str, Any], incomplete: Mapping[str, list[str]]) -> dict[str, Any]:
    """Everything of one run, ready for JSON (docs/specification.md, "Reports": fields are added freely, none renamed).

    Args:
        run: with all observations made.
        arguments: "given" (as typed) and "resolved".
        incomplete: model -> required gates that did not run; such a model is never released.
    """
    models = [_withhold(run.card(name).as_dict(), incomplete.get(name, [])) for name in run.settings.models]
    controls = [run.control_card(name).as_dict() | _conduct(run, name) for name in run.control_names]
    card: dict[str, Any] = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "profile": run.settings.profile.name,
            "task": run.settings.task,
            "require": run.settings.rule,
            "arguments": arguments,
            "corpus": describe(run.inputs),
            "revision": _revision(),
            "packages": {"python": platform.python_version()} | _versions(),
            "thresholds": [
                {"gate": t.gate, "label": t.label, "comparison": t.comparison, "limits": t.limits, "source": t.source}
                for t in run.settings.profile.thresholds
            ],
            "audits": [a.as_dict() for a in run.audits],
            "models": models,
            "controls": controls,
        }
    )
    return card


def plain(value: Any) -> Any:
    """Only what JSON knows: `Estimate` becomes VALUE, NaN and infinity become null, numpy scalars become Python's."""
    if isinstance(value, Estimate):
        return {name: plain(figure) for name, figure in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _withhold(card: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    if missing and card["verdict"] == "release":
        card["verdict"] = "hold"
    if missing:
        card["reasons"] = [f"incomplete: gates that did not run: {', '.join(missing)}", *card["reasons"]]
    return card


def _conduct(run: GateRun, name: str) -> dict[str, Any]:
    found = run.conducts.get(name)
    if found is None:
        return {"misbehaved": [], "unusual": [], "open_gates": []}
    return {
        "misbehaved": list(found.misbehaved),
        "unusual": list(found.unusual),
        "open_gates": list(found.open_gates),
    }


def samples_of(run: GateRun) -> dict[str, np.ndarray]:
    """The arrays of ``samples.npz``, one row a window, by `member_name`; ``SPLIT/article`` and so on name it."""
    from lvm_gates.harness.results.samples import member_name

    arrays: dict[str, np.ndarray] = {}
    for split in JUDGED:
        corpus, windows = run.inputs.corpus, run.inputs.evaluation[split].windows
        arrays[f"{split}/article"] = corpus.article_ids[windows.clusters]
        arrays[f"{split}/chunk"] = corpus.chunk_index[windows.targets]
        arrays[f"{split}/leaked"] = run.leaks.left_out(split)
        if not run.published:
            arrays[f"{split}/near_duplicate"] = run.near_duplicates_of(split)
        names = [*run.settings.models, *(f"control:{c}" for c in run.control_names)]
        for name in dict.fromkeys(names):
            stored = run.observations(name, split).arrays()
            for field, values in stored.items():
                if field not in ("rows", "clusters", "spread", "target_spread", "rank_without"):
                    arrays[member_name(split, name, field)] = values
    return arrays


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _revision() -> dict[str, Any]:
    """Commit of the code that judged, and whether it had been changed since; null where it is not our own checkout.

    An installed package may lie inside anybody's repository, whose commits say nothing of the gates: there the version
    of the package, among ``packages``, says which they are.
    """
    root = Path(__file__).resolve().parents[2]
    own = root / "src" / _PACKAGE / "harness"

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        if not own.is_dir() or Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return {"commit": None, "dirty": None}
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
