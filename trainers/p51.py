"""P5.1: P5 with position ramp, attention bias, corrupted last frame, micro-ranking, stage gate.

Source: docs/sources.md, "P5.1".
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.trainers.command import History, Options, run, sizes
from lvm_gates.trainers.curriculum import curriculum_options, select_windows
from lvm_gates.trainers.launched import as_started
from lvm_gates.trainers.options import apply, as_published, refuse_beside, run_options, size_options
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.schedule import Schedule

if TYPE_CHECKING:
    from lvm_gates.models.biased_transformer import BiasedTransformer

NAME = "p51"
# The original scale counts epochs from 0 and ends its ramp at 3, the auxiliary term at 6.
POSITION = Schedule({1: (0.0, 0.10), 5: 0.10})
RANKING = Schedule({1: (0.0, 0.001), 8: 0.001})
BIAS = Schedule({1: (0.0, 0.6), 5: 0.6})
CORRUPTED = 0.15
STAGE_A_EPOCHS = 4
# What a retry of stage A adds, and how many there are before P6 is tried instead (docs/sources.md, "P5.1").
RETRIES = 2
MORE_POSITION = 0.05
MORE_BIAS = 0.2


@click.command(NAME, short_help="Stage A of P5 with micro-ranking, a bias against the last slot, and a stage gate.")
@apply(
    [
        *curriculum_options("advantage"),
        click.option("--retries", type=click.IntRange(min=0), default=RETRIES, show_default=True),
        as_published("the bias reaches no attention, stage A is the top 30 % by similarity, its gate only prints"),
    ]
)
@size_options(width=512, layers=4, heads=8)
@run_options(NAME, epochs=STAGE_A_EPOCHS, batch_size=32, select="val_cos")
def p51(**given: Any) -> History:
    """Stage A of P5, its last frame corrupted and biased against, with a ramped position channel and micro-ranking.

    Stage A must pass its gate (margin, R@5, rollout, cosine); if it does not, it is trained again with more position
    and more bias, at most --retries times, in attempt-2, attempt-3, ... inside --out. Stages B and C follow with
    --epochs 20. The original code computed the bias but never applied it, and its gate stopped nothing.
    """
    if given["sentinel"] == "off":
        raise click.UsageError("--sentinel off leaves nobody to judge stage A; give --sentinel watch.")
    from rich.console import Console

    from lvm_gates.harness.base.processes import ranks
    from lvm_gates.trainers.progress import say
    from lvm_gates.trainers.saved import resumable

    given = as_started(given)
    # A grid asks for silence.
    console = click.get_current_context().find_object(Console) or ranks().console()
    published = given["as_published"]
    if published:
        refuse_beside("--as-published", "score", "stages", "retries")
        given |= {"score": "corrected", "retries": 0}
    for attempt in range(given["retries"] + 1):
        folder: Path = given["out"] if attempt == 0 else given["out"] / f"attempt-{attempt + 1}"
        options = given | {
            "attempt": attempt,
            "epochs": min(given["epochs"], STAGE_A_EPOCHS),
            # An attempt killed before it saved left nothing to resume.
            "resume": given["resume"] and (attempt == 0 or resumable(folder)),
        }
        whole = options | {"epochs": given["epochs"], "resume": True, "overwrite": False}
        if options["resume"] and _begun(folder):
            return run(NAME, recipe, whole, folder)
        history = run(NAME, recipe, options, folder)
        missed = _missed(history)
        verdict = f"misses its gate: {'; '.join(missed)}" if missed else "passes its gate"
        say(console, f"{folder}: stage A {verdict}")
        if not missed or published:
            if given["epochs"] > STAGE_A_EPOCHS:
                history = run(NAME, recipe, whole, folder)
            return history
    if given["epochs"] > STAGE_A_EPOCHS:
        raise click.ClickException(
            f"{given['out']}: stage A missed its gate in all {given['retries'] + 1} attempts, so stages B and C "
            "were not trained; the documents go on to P6."
        )
    return history


def recipe(given: Options) -> Recipe:
    """The recipe of one attempt, counted from 0."""
    from lvm_gates.trainers.augment import corrupt_last
    from lvm_gates.trainers.losses import micro_ranking
    from lvm_gates.trainers.objective import Term, weighted

    published, attempt = given["as_published"], given["attempt"]
    bias = BIAS.plus(MORE_BIAS * attempt)

    def set_bias(model: "BiasedTransformer", epoch: int) -> None:
        model.set_last_slot_bias(bias.at(epoch))

    return Recipe(
        objective=weighted(
            Term(
                "ranking",
                RANKING,
                lambda s: micro_ranking(s.prediction, s.target, s.read[:, -1] if published else s.last),
            )
        ),
        model_type="transformer" if published else "biased-transformer",
        model=sizes(given),
        position_scale=POSITION.plus(MORE_POSITION * attempt),
        augment=lambda context, epoch: corrupt_last(context, CORRUPTED),
        tune=None if published else set_bias,
        select_windows=select_windows(given["score"], given["stages"]),
        schedules={"position": POSITION, "ranking": RANKING} | ({} if published else {"bias": bias}),
    )


def _begun(folder: Path) -> bool:
    """Whether the stages after A were begun there, so that its gate was passed."""
    from lvm_gates.trainers.saved import HISTORY

    try:
        return len(json.loads((folder / HISTORY).read_text())["history"]) > STAGE_A_EPOCHS
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _missed(history: list[dict[str, Any]]) -> list[str]:
    """What stage A lacks, by the sentinel's reading after its last epoch."""
    from lvm_gates.trainers.sentinel_rules import StageGate
    from lvm_gates.trainers.watch import readings

    last = next(reading for reading in readings(history) if reading.epoch == min(len(history), STAGE_A_EPOCHS))
    return StageGate.documented().misses(last)
