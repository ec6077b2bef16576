"""The scorecard of a session: everything that a run found, gathered."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging.card import CardRecord, ControlRecord
from lvm_gates.harness.judging.control_checks import Conduct
from lvm_gates.harness.judging.early import SequentialRun
from lvm_gates.harness.judging.gates import ABSOLUTE, SKILL
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.results.breakdowns import breakdowns
from lvm_gates.harness.results.model import (
    SCHEMA_VERSION,
    Arguments,
    AuditRecord,
    CorpusRecord,
    GateText,
    Revision,
    Scorecard,
    ThresholdRecord,
)

_PACKAGE = "lvm_gates"
_PACKAGES = ("lvm-gates", "torch", "numpy", "scipy", "faiss-cpu", "pytest", "pytest-xdist")


def build_scorecard(run: GateRun, arguments: Arguments, incomplete: Mapping[str, list[str]]) -> Scorecard:
    """Everything of one run (docs/specification.md, "Reports": fields are added freely, none renamed).

    Args:
        run: with all observations made.
        arguments: of the session.
        incomplete: model -> required gates that did not run; such a model is never released.
    """
    profile = run.settings.profile
    return Scorecard(
        schema_version=SCHEMA_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=profile.name,
        profile_version=profile.version,
        task=run.settings.task,
        require=run.settings.rule,
        arguments=arguments,
        corpus=CorpusRecord.of(run.inputs),
        revision=_revision(),
        packages=_versions(),
        thresholds=[
            ThresholdRecord(gate=t.gate, label=t.label, comparison=t.comparison, limits=t.limits, source=t.source)
            for t in profile.thresholds
        ],
        gates=[
            GateText(name=gate.name, title=gate.title, question=gate.question)
            for gate in (*ABSOLUTE, *SKILL, *run.settings.additions.gates)
        ],
        audits=[AuditRecord.of(audit) for audit in run.audits],
        models=[_withhold(_model(run, name), incomplete.get(name, [])) for name in run.settings.models],
        controls=[_control(run, name) for name in run.control_names],
        sequential=run.sequential if isinstance(run, SequentialRun) else None,
    )


def _model(run: GateRun, name: str) -> CardRecord:
    return msgspec.structs.replace(run.card(name).record(), breakdown=breakdowns(run, name))


def _withhold(card: CardRecord, missing: list[str]) -> CardRecord:
    if not missing:
        return card
    reasons = [f"incomplete: gates that did not run: {', '.join(missing)}", *card.reasons]
    verdict = "hold" if card.verdict == "release" else card.verdict
    return msgspec.structs.replace(card, verdict=verdict, reasons=reasons, not_run=missing)


def _control(run: GateRun, name: str) -> ControlRecord:
    card: dict[str, Any] = msgspec.structs.asdict(run.control_card(name).record())
    found = run.conducts.get(name) or Conduct(name, (), (), ())
    return ControlRecord(
        **card,
        failed_checks=list(found.failed_checks),
        unusual=list(found.unusual),
        open_gates=list(found.open_gates),
    )


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
            arrays[f"{split}/near_duplicate"] = run.findings.near_duplicates_of(split)
        names = [*run.settings.models, *(f"control:{c}" for c in run.control_names)]
        for name in dict.fromkeys(names):
            stored = run.observations(name, split).arrays()
            for field, values in stored.items():
                if field not in ("rows", "clusters", "index_sample", "spread", "target_spread", "rank_without"):
                    arrays[member_name(split, name, field)] = values
            if name in run.settings.models:
                arrays[member_name(split, name, "leaked")] = run.left_out_of(name)[split]
    return arrays


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _revision() -> Revision:
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
            return Revision()
        return Revision(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain")))
    except (OSError, subprocess.SubprocessError):
        return Revision()
