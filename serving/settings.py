"""What an operator decides: limits, the bank, and what may be said in logs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

BankKind = Literal["flat", "ivf", "hnsw"]
BANK_KINDS: tuple[BankKind, ...] = ("flat", "ivf", "hnsw")


@dataclass(frozen=True)
class Limits:
    """What a request may ask for, and how many may ask at once.

    Attributes:
        body_bytes: largest body; 413 beyond.
        characters: longest text of ``/chat``; 422 beyond.
        contexts: most contexts of one request; 422 beyond.
        steps: most steps of a rollout; 422 beyond.
        neighbours: most chunks that are told a step; 422 beyond.
        concurrent: requests that are worked on at once; 429 beyond.
        deadline_s: seconds a request may take; 504 beyond.
        batch: contexts that the model reads at once.
    """

    body_bytes: int = 8 << 20
    characters: int = 20_000
    contexts: int = 256
    steps: int = 20
    neighbours: int = 50
    concurrent: int = 64
    deadline_s: float = 30.0
    batch: int = 64


@dataclass(frozen=True)
class Settings:
    """How a model is served.

    Attributes:
        model: as `lvm-gate` takes it: a file or ``python:module:factory``.
        corpus: folder or article file whose chunks answer; None for the embedded synthetic dataset.
        reports: report folders in which its release is looked for.
        allow_blocked: serve it without a release, and say so in every answer.
        encoder: of ``/chat``; the one that the corpus records by default.
        bank: kind of FAISS index.
        decoder: turns vectors into words, by entry point.
        device: of a checkpoint.
        watch_s: seconds between looks for a newly released model; 0 for none.
        token: what a client must bear; None for anybody.
        log_text: whether texts may stand in logs.
        limits: of requests.
    """

    model: str
    corpus: Path | None = None
    reports: tuple[Path, ...] = ()
    allow_blocked: bool = False
    encoder: str | None = None
    bank: BankKind = "flat"
    decoder: str = "nearest"
    device: str = "cpu"
    watch_s: float = 5.0
    token: str | None = None
    log_text: bool = False
    limits: Limits = field(default_factory=Limits)
