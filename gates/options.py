"""The options of a gate run: one table, from which pytest's and `lvm-gate`'s are made. A new option is an entry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import click
    import pytest

NO_MODEL = (
    "no --model: nothing would be gated, and a run that gates nothing must not pass; "
    "give --model=best_model.pt, --model=control:oracle or --model=python:package.module:factory."
)
NOT_GATED = (
    "--model was given, but not every required gate ran, so nothing is released and this is no success: leave out the "
    "pytest options that list, select or plan tests (PYTEST_ADDOPTS may hold some)."
)


@dataclass(frozen=True)
class Option:
    """One option; what its value may be is checked when the session starts.

    Attributes:
        flags: as typed; the first one that starts with two dashes names the value, unless ``name`` does.
        help: in one line.
        type: of the value.
        default: None for none.
        kind: of which there is one, any number, or none because it is a switch, perhaps one that counts.
        name: of the value, where it is not that of the flag.
    """

    flags: tuple[str, ...]
    help: str
    type: type = str
    default: Any = None
    kind: Literal["value", "values", "switch", "count"] = "value"
    name: str = ""

    @property
    def dest(self) -> str:
        """The name of the value in Python."""
        return self.name or next(f for f in self.flags if f.startswith("--")).removeprefix("--").replace("-", "_")


OPTIONS = (
    Option(
        ("--model",), "file, control:NAME or python:package.module:factory?name=value; may be repeated", kind="values"
    ),
    Option(
        ("--corpus",), "corpus folder (made by lvm-data), or a file of vectors with --val-articles and --ood-articles"
    ),
    Option(("--articles-npz",), "article NPZ in the original format"),
    Option(("--val-articles",), "article ids of VAL, such as 0-29, or @FILE with one a line"),
    Option(("--ood-articles",), "article ids of OOD, such as 30-59, or @FILE with one a line"),
    Option(("--val-npz",), "sequence NPZ in the original format with the VAL windows"),
    Option(("--ood-npz",), "sequence NPZ in the original format with the OOD windows"),
    Option(
        ("--train-corpus",), "what fitted controls learn from: folder or article NPZ; may be repeated", kind="values"
    ),
    Option(
        ("--bank",),
        "candidates of set global: chunks of the split (default 10000), all, another corpus, or faiss:INDEX",
    ),
    Option(("--profile",), "5cat (default), 5cat-published or skill", default="5cat"),
    Option(("--task",), "of profile skill: frontier (default), retrieval or decoding", default="frontier"),
    Option(("--require",), "release rule: strict (default), production or stage-a", default="strict"),
    Option(("--max-samples",), "windows a split at most (default 5000)", int, 5000),
    Option(
        ("--sequential",),
        "judge a growing part of the windows and stop when the verdict on all of them is known",
        default=False,
        kind="switch",
    ),
    Option(("--sequential-unit",), "what --sequential draws: articles (default) or windows", default="articles"),
    Option(("--horizon",), "steps of the closed-loop rollout (default 5)", int, 5),
    Option(("--context",), "frames of context C (default: the model's, else 5)", int),
    Option(("--seed",), "of every random choice (default 0)", int, 0),
    Option(("--device",), "where checkpoints run: cpu (default), cuda or mps", default="cpu"),
    Option(("--batch-size",), "contexts a predictor reads at once (default 256)", int, 256),
    Option(
        ("--timeout", "--batch-timeout"),
        "seconds that a python: model may take for a batch (default 120)",
        float,
        120.0,  # BATCH_SECONDS of harness.predictors.isolation.predictor; not imported: --help stays quick
        name="batch_timeout",
    ),
    Option(("--python",), "interpreter for python: models, such as .venv/bin/python (default: this one)"),
    Option(("--in-process",), "run python: models in this process, to debug them", default=False, kind="switch"),
    Option(
        ("--dry-run",), "load each model and ask it a little; judges and releases nothing", default=False, kind="switch"
    ),
    Option(("--gate",), "a gate from outside, python:package.module:name; may be repeated", kind="values"),
    Option(("--control",), "a control from outside, python:package.module:name; may be repeated", kind="values"),
    Option(("--audit",), "a data audit from outside, python:package.module:name; may be repeated", kind="values"),
    Option(("--report",), "folder for scorecard.json, samples.npz and scorecard.html"),
)
OPTION_NAMES = tuple(option.dest for option in OPTIONS)

SESSION_OPTIONS = (
    Option(("-n", "--numprocesses"), "worker processes: a number or auto"),
    Option(("-q", "--quiet"), "say less", kind="count"),
    Option(("-v", "--verbose"), "say more: one line a test", kind="count"),
    Option(("-x", "--exitfirst"), "stop at the first failure", kind="switch"),
    Option(("-k",), "only tests whose names match; a gate that is left out is not passed", name="keyword"),
    Option(("-r",), "say the reasons of: (f)ailed, (s)kipped, (x)failed, (A)ll", name="reasons"),
    Option(("--tb",), "tracebacks: auto, long, short, line, native or no"),
    Option(("--color",), "yes, no or auto"),
    Option(("--junit-xml", "--junitxml"), "write a JUnit report to this file"),
)
"""Of pytest itself, for `lvm-gate`: what concerns one session and no repository."""


def add_options(parser: "pytest.Parser", *, timeout_is_taken: bool = False) -> None:
    """Declare every option to pytest.

    Args:
        parser: of this pytest.
        timeout_is_taken: pytest-timeout is there, whose ``--timeout`` is of tests; ours is ``--batch-timeout`` then.
    """
    group = parser.getgroup("lvm", "release gates for next-embedding predictors")
    for option in OPTIONS:
        flags = [flag for flag in option.flags if not (timeout_is_taken and flag == "--timeout")]
        how: dict[str, Any] = {"type": option.type}
        if option.kind == "switch":
            how = {"action": "store_true"}
        elif option.kind == "values":
            how = {"action": "append"}
        group.addoption(*flags, dest=option.dest, help=option.help, default=option.default, **how)


def click_option(option: Option) -> "click.Option":
    """The same option for a Click command; its value is None, or empty, where it was not given."""
    import click

    how: dict[str, Any] = {"type": option.type}
    if option.kind in ("switch", "count"):
        how = {"is_flag": True} if option.kind == "switch" else {"count": True}
    elif option.kind == "values":
        how["multiple"] = True
    return click.Option([*option.flags, option.dest], help=option.help, **how)


def as_arguments(option: Option, value: Any) -> list[str]:
    """What `click_option` read, as pytest reads it: in one word each, so that a value may begin with a dash."""
    flag = option.flags[-1]
    if option.kind == "count":
        return [flag] * value
    if option.kind == "switch":
        return [flag] if value else []
    values = value if option.kind == "values" else [] if value is None else [value]
    return [f"{flag}={one}" if flag.startswith("--") else f"{flag}{one}" for one in values]
