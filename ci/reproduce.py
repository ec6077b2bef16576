"""Train every documented recipe on one corpus, gate them all, and set what was reported beside what came out.

The original network takes minutes an epoch on a CPU; --width makes every row smaller alike, and the table says so.
Interrupted anywhere, the same command goes on: finished runs and gate sessions are not repeated.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ci.reproduction_corpora import corpus_folder
from ci.reproduction_table import Row, by_epoch, table
from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.report.reported import FILE as REPORTED
from lvm_gates.trainers.cli import main as recipes
from lvm_gates.trainers.p7 import EPOCHS
from lvm_gates.trainers.saved import BEST, FINAL

ROOT = Path(__file__).resolve().parent.parent
PROFILES = ("5cat", "skill")


@dataclass(frozen=True)
class Plan:
    """What is asked of every row."""

    corpus: Path
    out: Path
    sizes: tuple[str, ...]
    max_epochs: int | None
    max_samples: int
    jobs: int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--corpus", required=True, help="A folder with TRAIN, VAL and OOD, or wiki-768, wiki-64 or text, made in --out."
)
@click.option(
    "--train-text", type=click.Path(path_type=Path, exists=True), multiple=True, help="Of text: for TRAIN and VAL."
)
@click.option("--ood-text", type=click.Path(path_type=Path, exists=True), multiple=True, help="Of text: for OOD.")
@click.option(
    "--rows", type=click.Path(path_type=Path, exists=True), default=REPORTED, help="Rows, as in ci/reported.toml."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Runs, reports and table.md.")
@click.option("--width", default=512, show_default=True)
@click.option("--layers", default=4, show_default=True)
@click.option("--heads", default=8, show_default=True)
@click.option("--lr", default=5e-4, show_default=True)
@click.option("--batch-size", type=int, help="[default: each recipe's own]")
@click.option("--max-epochs", type=int, help="Stop every run here [default: each recipe's own end].")
@click.option("--device", default="cpu", show_default=True)
@click.option("--max-samples", default=2000, show_default=True, help="Windows a split that the gates judge.")
@click.option("--jobs", default=1, show_default=True, help="Runs at a time, one thread each.")
@click.option("--only", multiple=True, help="Names of the rows to make; all by default.")
@click.option("--terms", is_flag=True, help="Show epoch by epoch what P6b's term does, too.")
def main(
    corpus: str,
    train_text: Sequence[Path],
    ood_text: Sequence[Path],
    rows: Path,
    out: Path,
    width: int,
    layers: int,
    heads: int,
    lr: float,
    batch_size: int | None,
    max_epochs: int | None,
    device: str,
    max_samples: int,
    jobs: int,
    only: Sequence[str],
    terms: bool,
) -> None:
    """Make the table of reported against reproduced metrics."""
    known = {one["name"]: one for one in tomllib.loads(rows.read_text())["recipe"]}
    for name in only:
        if name not in known:
            raise click.UsageError(f"--only {name}: no such row; {did_you_mean(name, known)}.")
    reported = [known[name] for name in known if not only or name in only]
    sizes = (f"--width={width}", f"--layers={layers}", f"--heads={heads}", f"--lr={lr}", f"--device={device}")
    if batch_size:
        sizes += (f"--batch-size={batch_size}",)
    folder = corpus_folder(corpus, out / "corpora", train_text, ood_text)
    plan = Plan(folder.resolve(), out.resolve(), sizes, max_epochs, max_samples, jobs)
    with ThreadPoolExecutor(jobs) as pool:
        folders = list(pool.map(lambda one: train(plan, one), reported))
    gated = [(one, run, run / name) for one, run in zip(reported, folders, strict=True) for name in checkpoints_of(one)]
    cards = {profile: gate(plan, [model for *_, model in gated], profile) for profile in PROFILES}
    made = [
        Row(
            one,
            history(run),
            {profile: card_of(card, model) for profile, card in cards.items()},
            best=model.name == BEST,
        )
        for one, run, model in gated
    ]
    parts = [by_epoch([row for row in made if row.best])] if terms else []
    text = "\n".join([*parts, table(made, cards, folder.name, describe(sizes, max_epochs))])
    with atomic_write(out / "table.md") as stream:
        stream.write(text.encode())
    click.echo(text)


def checkpoints_of(reported: dict[str, Any]) -> list[str]:
    """Which checkpoints of a row are gated: the recipe's own choice and, where the row asks, the last epoch's."""
    return [BEST, FINAL] if reported.get("last") else [BEST]


def describe(sizes: Sequence[str], max_epochs: int | None) -> str:
    """In what our runs differ from the original ones, in words."""
    words = [size.removeprefix("--").replace("-", " ").replace("=", " ") for size in sizes]
    return ", ".join([*words, *([f"at most {max_epochs} epochs"] if max_epochs else [])])


def train(plan: Plan, reported: dict[str, Any]) -> Path:
    """Run one recipe to its end, however far it was; returns its folder."""
    folder = plan.out / reported["name"].replace(" ", "-")
    command = [Path(sys.executable).parent / "lvm-train", *reported["command"], *plan.sizes]
    command += ["--corpus", plan.corpus, "--out", folder]
    epochs = planned_epochs(reported["command"])
    if plan.max_epochs is not None and plan.max_epochs < epochs:
        command.append(f"--epochs={plan.max_epochs}")
    if (folder / FINAL).is_file():
        command.append("--resume")
    plan.out.mkdir(parents=True, exist_ok=True)
    with (plan.out / f"{folder.name}.log").open("a") as log:
        run([str(part) for part in command], log=log)
    click.echo(f"{reported['name']}: {len(history(folder))} epochs")
    return folder


def planned_epochs(command: Sequence[str]) -> int:
    """How many epochs a recipe takes as documented, with the options it is given."""
    recipe, *options = command
    with recipes.commands[recipe].make_context(recipe, list(options)) as context:
        given = context.params["epochs"]
    return int(EPOCHS[context.params["option"]] if given is None else given)


def gate(plan: Plan, models: Sequence[Path], profile: str) -> dict[str, Any]:
    """Gate checkpoints under one profile; returns the scorecard."""
    report = plan.out / f"report-{profile}"
    scorecard = report / "scorecard.json"
    given = ["gates/", f"--corpus={plan.corpus}", f"--profile={profile}", *(f"--model={model}" for model in models)]
    given += [f"--max-samples={plan.max_samples}", f"--report={report}", "-q"]
    if scorecard.is_file():
        found = json.loads(scorecard.read_text())
        fingerprint = json.loads((plan.corpus / "corpus.json").read_text())["fingerprint"]
        same = found["arguments"]["given"] == given and found["corpus"]["fingerprint"] == fingerprint
        if same and scorecard.stat().st_mtime > max(model.stat().st_mtime for model in models):
            return dict(found)
        # A session that ends without a scorecard must not leave this one to be read.
        scorecard.unlink()
    command = [sys.executable, "-m", "pytest", *given]
    with (plan.out / f"report-{profile}.log").open("w") as log:
        # 1: a gate failed, which is what the table is about.
        run(command, log=log, allowed=(0, 1))
    return dict(json.loads(scorecard.read_text()))


def run(command: Sequence[str], *, log: Any, allowed: Sequence[int] = (0,)) -> None:
    """Run a command from the project's root.

    Raises:
        ClickException: it failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=environment).returncode
    if code not in allowed:
        raise click.ClickException(f"{' '.join(command)}: exit code {code}; see {log.name}.")


def history(folder: Path) -> list[dict[str, Any]]:
    """The epochs of a run."""
    return list(json.loads((folder / "training_history.json").read_text())["history"])


def card_of(scorecard: dict[str, Any], model: Path) -> dict[str, Any]:
    """A model's card in a scorecard."""
    return next(dict(card) for card in scorecard["models"] if card["name"] == str(model))


if __name__ == "__main__":
    main()
