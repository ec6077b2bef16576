"""What the intervals cover, by simulation: a table in Markdown for docs/intervals.md.

Every cell is the share of samples whose 95 % interval holds the truth, now and before; fixed seeds, so that the table
can be made again: python -m ci.coverage > table.md (a quarter of an hour on one core).
"""

from collections.abc import Iterator, Sequence

import click
import numpy as np

from ci import coverage_draws as draws
from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES

ARTICLES = (2, 3, 5, 10, 20, 30, 60)
SEED = 20_260
GAIN = 0.01

METRICS: dict[str, draws.Draw] = {
    "mean, no article effect": draws.mean_of(0.0),
    "mean, article effect .2": draws.mean_of(0.2),
    "mean, skewed article effect .2": draws.mean_of(0.2, skewed=True),
    "paired difference, article effect .02": draws.mean_of(0.02),
    "share of .16, article effect .05": draws.share_of(0.16, 0.05),
    "share of .01, article effect .05": draws.share_of(0.01, 0.05),
    "share of .999, article effect .05": draws.share_of(0.999, 0.05),
    "PAR, a ratio of means": draws.par,
    "gate E, a difference to 30 other articles": draws.delta,
    "retained, a ratio to 30 other articles": draws.retained,
    "F at the frontier": draws.frontier(0.0),
    "F, .01 above it": draws.frontier(GAIN),
}


def simulate(draw: draws.Draw, articles: int, *, unequal: bool, samples: int) -> Iterator[draws.Drawn]:
    """Samples of one cell; each from a stream of its own, so that more of them extend the fewer."""
    for i in range(samples):
        rng = np.random.default_rng([SEED, articles, int(unequal), i])
        yield draw(rng, draws.draw_sizes(rng, articles, unequal=unequal))


def covered(samples: Sequence[draws.Drawn]) -> tuple[float, float]:
    """Share of the samples whose interval holds the truth, now and before; NaN where there is no interval."""
    rates = []
    for which in ("now", "before"):
        pairs = [(one.truth, getattr(one, which)) for one in samples]
        inside = [e.low <= truth <= e.high for truth, e in pairs if np.isfinite(e.low)]
        rates.append(float(np.mean(inside)) if inside else float("nan"))
    return rates[0], rates[1]


def above_zero(samples: Sequence[draws.Drawn]) -> tuple[float, float]:
    """Share of the samples whose lower bound is above zero, now and before."""
    return float(np.mean([s.now.low > 0 for s in samples])), float(np.mean([s.before.low > 0 for s in samples]))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--samples", default=2_000, show_default=True, help="A cell; a fourth of it below ten articles.")
@click.option("--only", multiple=True, help="Metrics to make; all by default.")
def main(samples: int, only: tuple[str, ...]) -> None:
    """Print the coverage table."""
    for unequal in (False, True):
        click.echo(f"\n**{'Log-normal' if unequal else 'Equal'} article sizes**\n")
        click.echo("| metric | " + " | ".join(f"{g} articles" for g in ARTICLES) + " |")
        click.echo("|---|" + "---|" * len(ARTICLES))
        for name, draw in METRICS.items():
            if only and name not in only:
                continue
            found = [
                list(simulate(draw, g, unequal=unequal, samples=samples // (4 if g < MINIMUM_ARTICLES else 1)))
                for g in ARTICLES
            ]
            _row(name, [covered(one) for one in found])
            if name.startswith("F"):
                _row(f"{name}: lower bound > 0", [above_zero(one) for one in found])


def _row(name: str, rates: Sequence[tuple[float, float]]) -> None:
    cells = [f"{_rate(now)} ({_rate(before)})" for now, before in rates]
    click.echo(f"| {name} | " + " | ".join(cells) + " |")


def _rate(rate: float) -> str:
    return "–" if np.isnan(rate) else f"{rate:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
