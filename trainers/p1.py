"""P1, the baseline: the published transformer under MSE alone, five epochs (seed facts 2)."""

from typing import Any

import click

from trainers.options import check_flags, open_training_corpus, run_options, size_options


@click.command("p1")
@run_options("p1", epochs=5, batch_size=64)
@size_options(width=512, layers=4, heads=8)
def p1(**options: Any) -> None:
    """Baseline: the published transformer, MSE loss only."""
    check_flags(options)
    from trainers.config import RunConfig
    from trainers.loop import Step, train
    from trainers.losses import mse_loss

    def objective(step: Step) -> Any:
        return mse_loss(step.raw, step.target)

    config = RunConfig(
        recipe="p1",
        model_type="transformer",
        model={"width": options["width"], "depth": options["layers"], "heads": options["heads"]},
        context=options["context"],
        epochs=options["epochs"],
        batch_size=options["batch_size"],
        lr=options["lr"],
        seed=options["seed"],
        device=options["device"],
        threads=options["threads"],
    )
    corpus = open_training_corpus(options["corpus"])
    train(
        config,
        corpus,
        options["out"],
        objective,
        resume=options["resume"],
        overwrite=options["overwrite"],
    )
