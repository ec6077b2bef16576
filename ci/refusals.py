"""What a pipeline refuses, proven by running `ci/pipeline.sh`, as the GitHub action does: one table.

    python -m ci.refusals

A good model is released and becomes the accepted one; the same again is let through; a worse one, one that was trained
on what it is judged on, a damaged file, a session with a gate left out and a changed corpus are refused, each for its
reason. Ends with an error at what is not so.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import torch

from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.evaluation.contamination import RECORD, article_hashes
from lvm_gates.harness.worlds.world import synthesise
from lvm_gates.models.registry import build

# Knows the corpus by heart, flees from a context that is not in it, and errs in a direction that the context decides.
_MODELS = """
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.windows import windows_of


class Knowing:
    def __init__(self, corpus, error):
        corpus = open_corpus(Path(corpus))
        windows = windows_of(corpus, np.arange(len(corpus.starts)), 5)
        self.known = unit(windows.contexts().reshape(len(windows), -1))
        self.next = windows.target_vectors()
        self.error = error
        self.mix = np.random.default_rng(0).standard_normal((5 * corpus.dim, corpus.dim))

    def predict(self, contexts):
        flat = contexts.reshape(len(contexts), -1).astype(np.float64)
        alike = unit(flat) @ self.known.T
        found = np.where(alike.max(axis=1, keepdims=True) > 0.95, self.next[alike.argmax(axis=1)], -contexts[:, -1])
        return found + self.error * np.sin(4.0 * flat @ self.mix) / np.sqrt(found.shape[1])


def knowing(corpus="corpus", error=0.1):
    return Knowing(corpus, float(error))
"""
_OPTIONS = ("--max-samples=150", "--horizon=2", "--in-process", "-q")
SCRIPT = Path(__file__).with_name("pipeline.sh")
_GOOD = "python:known:knowing"


class WrongError(Exception):
    """Something was let through, or refused for another reason."""


@dataclass(frozen=True)
class Case:
    """One run of the pipeline.

    Attributes:
        what: in words.
        model: to gate.
        status: that it must end with.
        said: that its comment must hold.
        accepted: whether it is compared with the accepted report.
        options: of `lvm-gate`, besides those of all.
    """

    what: str
    model: str
    status: int
    said: str
    accepted: bool = True
    options: tuple[str, ...] = ("--corpus=corpus",)


CASES = (
    Case("a good model, the first", _GOOD, 0, "**RELEASE**", accepted=False),
    Case("the same again", f"{_GOOD}?error=.1001", 0, "**NOT WORSE**"),
    Case("a worse one", f"{_GOOD}?error=.4", 1, "cosine on VAL is worse by more than 0.01"),
    Case("one trained on judged articles", "leaked.pt", 1, "contaminated: trained on"),
    Case("a damaged file", "damaged.pt", 4, "damaged.pt: "),
    Case(
        "a gate left out",
        _GOOD,
        1,
        "incomplete: gates that did not run: D",
        options=("--corpus=corpus", "-knot(rollout)"),
    ),
    Case("a changed corpus", f"{_GOOD}?corpus=changed", 3, "gated on one corpus", options=("--corpus=changed",)),
)


def make_files(folder: Path) -> None:
    """Two corpora, the module of the models, and two checkpoints."""
    for name, seed in (("corpus", 1), ("changed", 2)):
        synthesise("arrow", folder / name, articles=80, dim=16, seed=seed)
    (folder / "known.py").write_text(_MODELS)
    corpus = open_corpus(folder / "corpus")
    network = build("lstm", input_dim=corpus.dim, output_dim=corpus.dim, width=8)
    record = {"model_type": "lstm", "model_state_dict": network.state_dict()}
    seen = sorted(article_hashes(corpus, corpus.articles("VAL")))
    torch.save(record | {RECORD: seen}, folder / "leaked.pt")
    whole = (folder / "leaked.pt").read_bytes()
    (folder / "damaged.pt").write_bytes(whole[: len(whole) // 2])


def run(case: Case, folder: Path, number: int) -> tuple[int, str, str]:
    """Exit status, comment, and the answer of the comparison ("" where none was made)."""
    out = f"out-{number}"
    known = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "CI_", "GITLAB_", "LVM_"))}
    environment = {
        **known,
        "LVM_GATES_CACHE": str(folder / "cache"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PYTHON": sys.executable,
        "LVM_MODEL": case.model,
        "LVM_OPTIONS": " ".join((*_OPTIONS, *case.options)),
        "LVM_OUT": out,
        "LVM_ACCEPTED": "out-0/report" if case.accepted else "",
    }
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    comment = folder / out / "comment.md"
    if not comment.is_file():
        raise WrongError(f"{case.what}: no comment was written\n{done.stdout}{done.stderr}")
    compared = folder / out / "compare.json"
    answer = json.loads(compared.read_text())["answer"] if compared.is_file() else ""
    return done.returncode, comment.read_text(), answer


def prove(folder: Path) -> list[list[str]]:
    """Rows of the table; the first case's report is the accepted one of the others.

    Raises:
        WrongError: a case ends otherwise than it must.
    """
    make_files(folder)
    rows = []
    for number, case in enumerate(CASES):
        status, comment, answer = run(case, folder, number)
        if status != case.status or case.said not in comment:
            raise WrongError(f"{case.what}: exit {status}, not {case.status}, or without {case.said!r}:\n{comment}")
        rows.append([case.what, str(status), answer or "-", "let through" if status == 0 else "refused", case.said])
        click.echo(f"{case.what}: exit {status}", err=True)
    if (folder / "summary.md").read_text().count("### lvm-gates") != len(CASES):
        raise WrongError("the summary of the job lacks a step")
    return rows


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--folder", type=click.Path(path_type=Path), help="To work in, and kept [default: a temporary one].")
def main(folder: Path | None) -> None:
    """Run every case and print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = (folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            rows = [["case", "exit", "compare", "", "because"], *prove(folder)]
        except WrongError as error:
            raise click.ClickException(str(error)) from error
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
