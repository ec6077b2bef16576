"""Which windows a curriculum trains on in which epoch: the top of a ranking, more of it from stage to stage."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lvm_gates.trainers.options import Command

if TYPE_CHECKING:
    from lvm_gates.harness.corpus.windows import Windows

# First epoch of each stage (docs/sources.md, "P5"); shares of the windows are those of
# `harness.corpus.curriculum.STAGES`.
STAGE_FROM = {1: "a", 5: "b", 11: "c"}


def stage_at(epoch: int, first: Mapping[int, str]) -> str:
    """The stage that ``epoch`` belongs to."""
    return first[max(start for start in first if start <= epoch)]


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


def select_windows(
    score: str, stages: Path | None, first: Mapping[int, str] = STAGE_FROM
) -> "Callable[[Windows, int], Windows]":
    """The function that picks the windows of an epoch; the ranking is made once, when it is first asked.

    Args:
        score: key of `harness.corpus.curriculum.DEFINITIONS`.
        stages: folder of stage files to read instead.
        first: first epoch of each stage.

    Raises:
        UserError (when called): stages of another corpus or context.
    """
    selected: dict[str, Windows] = {}

    def select(windows: "Windows", epoch: int) -> "Windows":
        letter = stage_at(epoch, first)
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
