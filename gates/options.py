"""Command-line options of the gates (docs/specification.md, "Interface")."""

from typing import Any

import pytest

NO_MODEL = (
    "no --model: nothing would be gated, and a run that gates nothing must not pass; "
    "give --model=best_model.pt, --model=control:oracle or --model=python:package.module:factory."
)
NOT_GATED = (
    "--model was given, but not every required gate ran, so nothing is released and this is no success: leave out the "
    "pytest options that list, select or plan tests (PYTEST_ADDOPTS may hold some)."
)


def add_options(parser: pytest.Parser, *, timeout_is_taken: bool = False) -> None:
    """Declare every option; values are checked when the session starts.

    Args:
        parser: of this pytest.
        timeout_is_taken: pytest-timeout is there, whose ``--timeout`` is of tests; ours is ``--batch-timeout`` then.
    """
    group = parser.getgroup("lvm", "release gates for next-embedding predictors")

    def option(name: str, text: str, **more: Any) -> None:
        group.addoption(name, help=text, **more)

    option("--model", "checkpoint, control:NAME or python:package.module:factory; may be repeated", action="append")
    option("--corpus", "corpus folder (made by lvm-data) or article NPZ with splits")
    option("--articles-npz", "article NPZ in the original format")
    option("--val-articles", "article ids of VAL, such as 0-29")
    option("--ood-articles", "article ids of OOD, such as 30-59")
    option("--val-npz", "sequence NPZ in the original format with the VAL windows")
    option("--ood-npz", "sequence NPZ in the original format with the OOD windows")
    option("--train-corpus", "what fitted controls learn from: folder or article NPZ; may be repeated", action="append")
    option("--profile", "5cat (default), 5cat-published or skill", default="5cat")
    option("--task", "of profile skill: frontier (default), retrieval or decoding", default="frontier")
    option("--require", "release rule: strict (default), production or stage-a", default="strict")
    option("--max-samples", "windows a split at most (default 5000)", type=int, default=5000)
    option("--horizon", "steps of the closed-loop rollout (default 5)", type=int, default=5)
    option("--context", "frames of context C (default: the model's, else 5)", type=int, default=None)
    option("--seed", "of every random choice (default 0)", type=int, default=0)
    option("--device", "where checkpoints run: cpu (default), cuda or mps", default="cpu")
    option("--batch-size", "contexts a predictor reads at once (default 256)", type=int, default=256)
    group.addoption(
        *(["--batch-timeout"] if timeout_is_taken else ["--timeout", "--batch-timeout"]),
        dest="batch_timeout",
        help="seconds that a python: model may take for a batch (default 120)",
        type=float,
        default=120.0,  # BATCH_SECONDS of harness.predictors.isolation.predictor; not imported: --help stays quick
    )
    option("--python", "interpreter for python: models, such as .venv/bin/python (default: this one)")
    option("--in-process", "run python: models in this process, to debug them", action="store_true", default=False)
    option("--gate", "a gate from outside, python:package.module:name; may be repeated", action="append")
    option("--control", "a control from outside, python:package.module:name; may be repeated", action="append")
    option("--audit", "a data audit from outside, python:package.module:name; may be repeated", action="append")
    option("--report", "folder for scorecard.json, samples.npz and scorecard.html")


OPTION_NAMES = (
    "model",
    "corpus",
    "articles_npz",
    "val_articles",
    "ood_articles",
    "val_npz",
    "ood_npz",
    "train_corpus",
    "profile",
    "task",
    "require",
    "max_samples",
    "horizon",
    "context",
    "seed",
    "device",
    "batch_size",
    "batch_timeout",
    "python",
    "in_process",
    "gate",
    "control",
    "audit",
    "report",
)
