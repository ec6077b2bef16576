"""``scorecard.json``, typed: what is written is made of these, and reading gives them back."""

from typing import Any, Final, Literal

import msgspec

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import Count, Finite, Record
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.judging.card import CardRecord, ControlRecord
from lvm_gates.harness.judging.early_verdict import Sequential

SCHEMA_VERSION: Final = 1


class Arguments(Record, frozen=True, kw_only=True):
    """Of the session: as typed, and each option as it was understood."""

    given: list[str] = msgspec.field(default_factory=list)
    resolved: dict[str, Any] = msgspec.field(default_factory=dict)


class SplitSize(Record, frozen=True, kw_only=True):
    """How much a split holds.

    Attributes:
        articles: of the split.
        chunks: in them.
        windows: that models are judged on.
        bank: what candidate set `global` is, in words; null in reports of earlier versions.
    """

    articles: Count | None = None
    chunks: Count | None = None
    windows: Count | None = None
    bank: str | None = None


class CorpusRecord(Record, frozen=True, kw_only=True):
    """What was judged on.

    Attributes:
        path: name of the file or folder.
        fingerprint: SHA-256 of its content; models are compared on one corpus only.
        dim: of the embeddings.
        chunks: of all articles.
        articles: of all splits.
        kind: "synthetic" for a synthetic dataset.
        world: its name.
        encoder: that embedded the text.
        licence: of the text.
        controls_fitted_on: in words.
        splits: VAL and OOD.
    """

    path: str | None = None
    fingerprint: str | None = None
    dim: Count | None = None
    chunks: Count | None = None
    articles: Count | None = None
    kind: str | None = None
    world: str | None = None
    encoder: Any = None
    licence: Any = None
    controls_fitted_on: str | None = None
    splits: dict[str, SplitSize] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, inputs: Inputs) -> "CorpusRecord":
        """What a session judges on."""
        corpus, meta = inputs.corpus, inputs.corpus.meta
        return cls(
            path=corpus.path.name,
            fingerprint=corpus.fingerprint,
            dim=corpus.dim,
            chunks=corpus.size,
            articles=len(corpus.starts),
            kind=meta.get("kind", "folder"),
            world=meta.get("world"),
            encoder=meta.get("encoder"),
            licence=meta.get("licence"),
            controls_fitted_on=inputs.training_note,
            splits={
                split: SplitSize(
                    articles=len(evaluation.articles),
                    chunks=len(evaluation.rows),
                    windows=len(evaluation.windows),
                    bank=evaluation.bank_name,
                )
                for split, evaluation in inputs.evaluation.items()
            },
        )


class Revision(Record, frozen=True, kw_only=True):
    """Commit of the code that judged, and whether it had been changed since; null outside its own checkout."""

    commit: str | None = None
    dirty: bool | None = None


class ThresholdRecord(Record, frozen=True, kw_only=True):
    """One row of the profile; see `harness.judging.profile.Threshold`."""

    gate: str
    label: str
    comparison: str
    limits: dict[str, Finite]
    source: str


class AuditRecord(Record, frozen=True, kw_only=True):
    """What an audit of the data found.

    Attributes:
        name: of the audit.
        status: "pass", "fail" or "not checkable".
        detail: one sentence with the metrics.
        metrics: by name.
        required: whether a release needs it checked.
        blocks: whether it stands in the way of every release; null in reports of earlier versions, in which all did.
    """

    name: str
    status: str
    detail: str
    metrics: dict[str, Estimate] = msgspec.field(name="figures", default_factory=dict)
    required: bool = True
    blocks: bool | None = None

    @classmethod
    def of(cls, found: Audit) -> "AuditRecord":
        """What is written of an audit."""
        return cls(
            name=found.name,
            status=found.status,
            detail=found.detail,
            metrics=found.metrics,
            required=found.required,
            blocks=found.blocks,
        )

    @property
    def in_the_way(self) -> bool:
        """Whether no model may be released because of it."""
        return self.status != "pass" if self.blocks is None else self.blocks


class GateText(Record, frozen=True, kw_only=True):
    """What a gate is about.

    Attributes:
        name: as cards and thresholds call it.
        title: a few words.
        question: what it asks, in plain words.
    """

    name: str
    title: str
    question: str


class Scorecard(Record, frozen=True, kw_only=True):
    """Everything a session found.

    Attributes:
        schema_version: of this format; fields are added within a version, none is renamed.
        report_id: the same in all files of a report; null before it is written.
        created: UTC, ISO 8601.
        profile: whose thresholds decide.
        profile_version: of that profile's file; null in reports from before profiles had one.
        task: of profile `skill`.
        require: the release rule.
        arguments: of the session.
        corpus: what was judged on.
        revision: of the code.
        packages: name -> version.
        thresholds: every row of the profile.
        gates: of this and other profiles, what each asks; empty in reports from before they said so.
        audits: of the data.
        models: in the order given.
        controls: judged by the same code on the same windows.
        sequential: where a session with ``--sequential`` stopped, and why; null of one without.
    """

    schema_version: Literal[1]
    report_id: str | None = None
    created: str = "unknown"
    profile: str
    profile_version: Count | None = None
    task: str | None = None
    require: str
    arguments: Arguments = Arguments()
    corpus: CorpusRecord = CorpusRecord()
    revision: Revision = Revision()
    packages: dict[str, str | None] = msgspec.field(default_factory=dict)
    thresholds: list[ThresholdRecord] = msgspec.field(default_factory=list)
    gates: list[GateText] = msgspec.field(default_factory=list)
    audits: list[AuditRecord] = msgspec.field(default_factory=list)
    models: list[CardRecord]
    controls: list[ControlRecord]
    sequential: Sequential | None = None
