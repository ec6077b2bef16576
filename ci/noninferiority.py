"""How often `compare` finds what it says it finds, by simulation: tables in Markdown for docs/comparing.md.

    python -m ci.noninferiority

Articles of a design have fixed lengths, equal or log-normal; two models differ by a normal amount on each article and
window. The same functions as in a comparison say what is detectable, what is decided, and how many articles would.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import click
import numpy as np
from jaxtyping import Float

from ci.coverage_draws import draw_sizes
from lvm_gates.harness.base.clusters import cluster_error
from lvm_gates.harness.base.estimate import Estimate, t_quantile
from lvm_gates.harness.results.noninferiority import articles_to_decide, judge
from lvm_gates.harness.results.paired import Difference, detectable_errors
from lvm_gates.harness.results.policy import MetricRule

ARTICLES = (10, 20, 30, 60, 120)
# Share of the variance of a difference that lies between articles.
BETWEEN = (0.02, 0.2)
# Draws of a design that are judged one by one.
JUDGED = 50
_HEAD = (
    "articles",
    "between",
    "found at the detectable difference",
    '"not worse" at the margin',
    '"worse" at the margin',
    "decided by the articles named",
)


@dataclass(frozen=True)
class Design:
    """Articles, each of so many windows, and a metric that varies between and within them.

    Attributes:
        sizes: windows of each article.
        between: share of the variance that lies between articles; the rest lies between windows.
    """

    sizes: Float[np.ndarray, " g"]
    between: float

    def draw(
        self, rng: np.random.Generator, draws: int
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], float]:
        """Means of a difference that is truly zero, their standard errors, and the degrees of freedom of all."""
        shape = (draws, len(self.sizes))
        means = np.sqrt(self.between) * rng.standard_normal(shape)
        means += np.sqrt((1.0 - self.between) / self.sizes) * rng.standard_normal(shape)
        weight = self.sizes / self.sizes.sum()
        overall = means @ weight
        errors, df = cluster_error(weight * (means - overall[:, None]), np.broadcast_to(self.sizes, shape))
        return overall, errors, float(df[0])


@dataclass(frozen=True)
class Rates:
    """Shares of draws, of one design.

    Attributes:
        found: a true difference of the size that is printed on average differs from zero.
        not_worse: a candidate that is truly worse by the margin is called not worse.
        worse: and worse.
        decided: a candidate worse by half the margin is called not worse on as many articles as are named.
    """

    found: float
    not_worse: float
    worse: float
    decided: float


def rates(rng: np.random.Generator, articles: int, between: float, draws: int, *, unequal: bool) -> Rates:
    """Of one design drawn at random; its margin is the difference that is detectable on average."""
    design = Design(draw_sizes(rng, articles, unequal=unequal).astype(np.float64), between)
    value, error, df = design.draw(rng, draws)
    detectable = float(np.mean(detectable_errors(df) * error))
    found = float(np.mean(value + detectable > t_quantile(df) * error))
    rule = MetricRule(metric="cosine", tier="critical", margin=detectable)
    judged = zip(value[:JUDGED] - detectable, error[:JUDGED], strict=True)
    outcomes = [_judged(v, e, df, articles, rule) for v, e in judged]
    typical = _estimate(-detectable / 2, float(error.mean()), df, articles)
    wanted = articles_to_decide(typical, detectable / 2)
    assert wanted is not None  # noqa: S101 - half the margin away, hundreds decide
    more = Design(draw_sizes(rng, wanted, unequal=unequal).astype(np.float64), between)
    value, error, df = more.draw(rng, draws)
    decided = float(np.mean(value - detectable / 2 - t_quantile(df) * error > -detectable))
    return Rates(found, *(outcomes.count(each) / len(outcomes) for each in ("not worse", "worse")), decided)


def _judged(value: float, error: float, df: float, articles: int, rule: MetricRule) -> str:
    return judge(Difference("cosine", 0.0, value, _estimate(value, error, df, articles)), "VAL", rule).outcome


def _estimate(value: float, error: float, df: float, articles: int) -> Estimate:
    half = t_quantile(df) * error
    return Estimate(float(value), float(value - half), float(value + half), articles, articles, df)


def table(designs: int, draws: int, seed: int, *, unequal: bool) -> Iterator[str]:
    """Lines of Markdown, one a number of articles and share between them."""
    yield "| " + " | ".join(_HEAD) + " |"
    yield "|" + "---|" * len(_HEAD)
    for articles in ARTICLES:
        for between in BETWEEN:
            rng = np.random.default_rng([seed, articles, int(unequal), round(100 * between)])
            made = [rates(rng, articles, between, draws, unequal=unequal) for _ in range(designs)]
            means = [
                np.mean([getattr(one, name) for one in made]) for name in ("found", "not_worse", "worse", "decided")
            ]
            cells = [str(articles), f"{between:g}".removeprefix("0"), *(f"{m:.3f}".removeprefix("0") for m in means)]
            yield "| " + " | ".join(cells) + " |"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--designs", default=200, show_default=True, help="Sets of article lengths for each row.")
@click.option("--draws", default=400, show_default=True, help="Samples of each.")
@click.option("--seed", default=0, show_default=True)
def main(designs: int, draws: int, seed: int) -> None:
    """Print both tables."""
    for unequal in (False, True):
        click.echo(f"\n**{'Log-normal' if unequal else 'Equal'} article lengths**\n")
        for line in table(designs, draws, seed, unequal=unequal):
            click.echo(line)


if __name__ == "__main__":
    main()
