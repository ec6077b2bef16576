"""Which windows a curriculum trains on in which epoch: the top of a ranking, more of it from stage to stage."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lvm_gates.trainers.options import Command
from lvm_gates.trainers.settings import setting

if TYPE_CHECKING:
    from lvm_gates.harness.corpus.windows import Windows


@dataclass(frozen=True)
class Stages:
    """First epochs (docs/sources.md, "P5"); shares of the windows are those of `harness.corpus.curriculum.STAGES`."""

    b: int = setting(5, "first epoch of stage B, on 70 % of the windows", low=1)
    c: int = setting(11, "first epoch of stage C, on all of them", low=1)

    def at(self, epoch: int) -> str:
        """The stage that ``epoch`` belongs to."""
        return "c" if epoch >= self.c else "b" if epoch >= self.b else "a"


def curriculum_options(score: str) -> list[Callable[[Command], Command]]:
    """Options of a recipe with a curriculum."""
    # Spelled out: `harness.corpus.curriculum` imports numpy, and --help must be instant. A test compares.
    scores = ["as-run", "plan", "corrected", "advantage"]
    return [
        click.option(
            "--score",
            type=click.Choice(scores),
            default=score,
            show_default=True,
            help="What orders the windows; `lvm-data score` shows what each selects.",
        ),
        click.option(
            "--stages",
            type=click.Path(path_type=Path),
            help="Folder written by `lvm-data score`, in place of --score.",
        ),
    ]


def select_windows(score: str, stages: Path | None, first: Stages = Stages()) -> "Callable[[Windows, int], Windows]":
    """The function that picks the windows of an epoch; the ranking is made once, when it is first asked.

    Args:
        score: key of `harness.corpus.curriculum.DEFINITIONS`.
        stages: folder of stage files to read instead.
        first: epoch of each stage.

    Raises:
        UserError (when called): stages of another corpus or context.
    """
    selected: dict[str, Windows] = {}

    def select(windows: "Windows", epoch: int) -> "Windows":
        letter = first.at(epoch)
        if letter not in selected:
            if stages is None:
                selected.update(_rank(score, windows))
            else:
                selected[letter] = _read(stages, letter, windows)
        return selected[letter]

    return select


def _rank(score: str, windows: "Windows") -> "dict[str, Windows]":
    from lvm_gates.harness.corpus.curriculum import STAGES, ranking, similarities, stage

    order = ranking(score, similarities(windows))
    return {letter: windows.take(stage(order, share)) for letter, share in STAGES.items()}


def _read(folder: Path, letter: str, windows: "Windows") -> "Windows":
    import numpy as np

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.corpus.curriculum_files import read_stage

    found = read_stage(folder, letter, windows.corpus)
    if found.context != windows.context or not np.isin(found.targets, windows.targets).all():
        raise UserError(
            f"{folder}: stage {letter} was scored for a context of {found.context} and holds windows that are not "
            f"training windows of context {windows.context}, or the splits have changed since; score the corpus again "
            "with `lvm-data score`."
        )
    return found
