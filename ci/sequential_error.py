"""How often an early verdict is wrong, and how many windows it takes: tables in Markdown for docs/sequential.md.

    python -m ci.sequential_error errors --sessions 2000
    python -m ci.sequential_error corpora wiki.npz brown.npz --sessions 2000
    python -m ci.sequential_error windows --sessions 40

A session of the first two is one check, a mean against a limit. A *null* is a model whose mean is at the limit: that of
the articles it was drawn from (`population`), or that of its own sample, which falls short by a hair (`sample`).
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import cluster_mean
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, Spread
from lvm_gates.harness.evaluation.draw_order import SHARES, UNITS, DrawOrder, Unit
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.window_facts import WindowFacts
from lvm_gates.harness.judging.early_checks import Seen, cautious, cautious_share
from lvm_gates.harness.judging.early_verdict import LEVEL, early_verdict
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.verdict import make_card
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.harness.rivals.family import ewma_weights
from lvm_gates.harness.statistics.confidence_sequence import Draws, log_capital

CORRELATIONS = (0.1, 0.3, 0.5, 0.7)
ARTICLES, WINDOWS = 60, 130
METRICS = ("cosine", "hits")
LIMIT, SPREAD = 0.5, 0.15
HIT_RATE = 0.95
# A sample's own mean falls short of the limit by so little.
_HAIR = 1e-6


class Stream(NamedTuple):
    """A metric of every window of a sample, in reading order, and the limit of its check."""

    values: Float[np.ndarray, " n"]
    clusters: Int[np.ndarray, " n"]
    limit: float
    hits: bool = False

    @property
    def passes(self) -> bool:
        """What the whole sample says."""
        return float(self.values.mean()) >= self.limit


class Stop(NamedTuple):
    """Where a rule stopped.

    Attributes:
        passed: its verdict, None where it needed the whole sample.
        share: of the windows.
    """

    passed: bool | None
    share: float


Rule = Callable[[Stream, np.random.Generator], Stop]


def ours(by: Unit) -> Rule:
    """What `--sequential` does with one check."""

    def rule(stream: Stream, rng: np.random.Generator) -> Stop:
        order = DrawOrder.of(stream.clusters, by, rng)
        everywhere, last = np.ones(len(stream.values), dtype=bool), len(SHARES) - 2
        totals, counts = order.sums(stream.values[order.seen(last)], everywhere, last)
        draws = Draws(totals, counts, order.weights, 0.0 if stream.hits else -1.0, 1.0)
        # What `exceeds` asks at every look, for all looks at once.
        above, below = (
            np.maximum.accumulate(log_capital(one, np.array([limit]))[0]) >= -np.log(LEVEL)
            for one, limit in ((draws, stream.limit), (draws.mirrored, -stream.limit))
        )
        for look in range(last + 1):
            seen, drawn = order.seen(look), order.cuts[look] - 1
            known = stream.values[seen], stream.clusters[seen]
            if below[drawn]:
                return Stop(False, len(seen) / len(stream.values))
            if above[drawn]:
                low = cautious_share(*known) if stream.hits else cautious(cluster_mean(*known))[0]
                if low >= stream.limit:
                    return Stop(True, len(seen) / len(stream.values))
        return Stop(None, 1.0)

    return rule


def mixture_sprt(*, shuffled: bool) -> Rule:
    """What tools do: Robbins' mixture of normals, windows independent, the variance plugged in, a look at each window.

    The mixture has the variance of a window; .1 or .01 of it ships more (docs/sequential.md).
    """

    def rule(stream: Stream, rng: np.random.Generator) -> Stop:
        values = rng.permutation(stream.values) if shuffled else stream.values
        n = np.arange(1, len(values) + 1)
        mean = np.cumsum(values - stream.limit) / n
        variance = np.maximum(np.cumsum((values - stream.limit) ** 2) / n - mean**2, 1e-12) * n / np.maximum(n - 1, 1)
        z = mean * np.sqrt(n / variance)
        evidence = 0.5 * (z**2 * n / (1 + n) - np.log1p(n))
        crossed = np.flatnonzero((evidence >= -np.log(LEVEL)) & (n >= 30) & (n < len(values)))
        if not len(crossed):
            return Stop(None, 1.0)
        return Stop(bool(mean[crossed[0]] > 0), float(n[crossed[0]] / len(values)))

    return rule


RULES: Mapping[str, Rule] = {
    "by articles": ours("articles"),
    "by windows": ours("windows"),
    "windows as independent, shuffled": mixture_sprt(shuffled=True),
    "windows as independent, in order": mixture_sprt(shuffled=False),
}


def simulated(rng: np.random.Generator, metric: str, correlation: float, kind: str) -> Stream:
    """A null whose windows correlate so much within an article."""
    clusters = np.repeat(np.arange(ARTICLES), WINDOWS)
    if metric == "hits":
        size = 1.0 / correlation - 1.0
        rate = rng.beta(HIT_RATE * size, (1.0 - HIT_RATE) * size, ARTICLES)
        return _null(
            (rng.random(len(clusters)) < rate[clusters]).astype(np.float64), clusters, HIT_RATE, kind, hits=True
        )
    between = rng.normal(0.0, np.sqrt(correlation), ARTICLES)[clusters]
    values = LIMIT + SPREAD * (between + rng.normal(0.0, np.sqrt(1 - correlation), len(clusters)))
    return _null(np.clip(values, -1.0, 1.0), clusters, LIMIT, kind)


def _null(
    values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"], truth: float, kind: str, *, hits: bool = False
) -> Stream:
    return Stream(values, clusters, truth if kind == "population" else float(values.mean()) + _HAIR, hits)


class Rates(NamedTuple):
    """Shares of sessions.

    Attributes:
        shipped: called passed before the whole sample was seen.
        wrong: given a verdict then that the whole sample contradicts.
        whole: passed by the whole sample.
    """

    shipped: float
    wrong: float
    whole: float


def rates(streams: Iterator[Stream], rule: Rule, seed: int) -> Rates:
    """How often a rule ships, and how often it is wrong."""
    found = []
    for i, stream in enumerate(streams):
        stop = rule(stream, np.random.default_rng([seed, 1, i]))
        found.append((stop.passed is True, stop.passed is not None and stop.passed != stream.passes, stream.passes))
    return Rates(*np.mean(found, axis=0).tolist())


def cosines_by_article(path: Path) -> dict[str, tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]]:
    """Cosine of persistence and of EWMA .8 to the target, in every window of a corpus, and the article of each."""
    corpus = read_articles(path)
    windows = windows_of(corpus, np.arange(len(corpus.starts)), 5)
    weights = {"persistence": np.eye(5)[-1], "EWMA .8": ewma_weights(0.8, 5)}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in weights}
    for batch in windows.batches(2048):
        contexts, targets = batch.contexts(), batch.target_vectors()
        for name, frames in weights.items():
            answer = unit(np.einsum("bcd,c->bd", contexts, frames))
            parts[name].append(np.einsum("bd,bd->b", answer, targets))
    return {name: (np.concatenate(found).astype(np.float64), windows.clusters) for name, found in parts.items()}


def resampled(
    values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"], sessions: int, kind: str, seed: int
) -> Iterator[Stream]:
    """Nulls of real articles: as many as in the simulation, drawn with replacement; their windows stay in order."""
    _, first, sizes = np.unique(clusters, return_index=True, return_counts=True)
    for i in range(sessions):
        chosen = np.random.default_rng([seed, i]).integers(len(first), size=ARTICLES)
        rows = np.concatenate([np.arange(first[a], first[a] + sizes[a]) for a in chosen])
        yield _null(values[rows], np.repeat(np.arange(ARTICLES), sizes[chosen]), float(values.mean()), kind)


class Model(NamedTuple):
    """Means that a model has on the whole sample, in the order of profile `5cat`."""

    cosine: float
    margin: float
    first: float
    harm: float
    rollout: float


MODELS: Mapping[str, Model] = {
    "clear pass": Model(0.92, 0.42, 0.989, -0.35, 0.81),
    "small effects": Model(0.55, 0.16, 0.80, -0.19, 0.52),
    "clear fail": Model(0.47, -0.53, 0.0, 0.0, 0.47),
}
SIZES = {60: 83, 120: 42, 300: 17, 1000: 5}
_HEALTHY = Spread(300.0, 300.0, 0.9, 512)


def observations(model: Model, articles: int, rng: np.random.Generator, correlation: float = 0.1) -> Observations:
    """What a model of profile `5cat` does on one split of 5,000 windows, a third of them in gate E's bin."""
    clusters = np.repeat(np.arange(articles), SIZES[articles])
    n, share = len(clusters), np.sqrt(correlation)

    def noise(spread: float, columns: int) -> Float[np.ndarray, "n c"]:
        between = rng.normal(0.0, share, (articles, columns))[clusters]
        return spread * (between + rng.normal(0.0, np.sqrt(1 - correlation), (n, columns)))

    cosine = model.cosine + noise(0.07, 1)[:, 0]
    offset = (model.cosine - model.margin) - 0.1 * np.abs(np.arange(-3, 4)) + noise(0.1, 7)
    offset[:, 4] = cosine
    hit = rng.random(n) < model.first
    rank = np.where(hit, 1.0, rng.choice([2.0, 3.0, 4.0, 9.0], n, p=[0.4, 0.3, 0.25, 0.05]) if model.first else 40.0)
    harm = np.array([model.harm] * 2 + [model.harm / 6] * 4 + [model.harm, -0.02, 2 * model.harm])
    return Observations(
        rows=np.arange(n),
        clusters=clusters,
        cosine=np.clip(cosine, -1, 1),
        coherence=rng.choice([0.4, 0.5, 0.6], n),
        nearest_context=np.full(n, 0.6),
        nearest_reference=np.full(n, 0.6),
        offset=np.clip(offset, -1, 1),
        offset_exists=np.ones(n, dtype=bool),
        rank=np.tile(rank[:, None], 3),
        pool_size=np.full((n, 3), 120),
        ablation=np.clip(harm + noise(0.12, 9), -2, 2),
        cross_exists=np.ones(n, dtype=bool),
        index_sample=np.full((n, 2), np.nan),
        rollout=np.clip(model.rollout + noise(0.1, 5), -1, 1),
        rollout_exists=np.ones(n, dtype=bool),
        finite=np.ones(n, dtype=bool),
        spread=_HEALTHY,
        target_spread=_HEALTHY,
        rank_without=np.full((RANK_GROUPS, 3), np.nan),
    )


def share_used(model: Model, articles: int, by: Unit, seed: int) -> tuple[str, float]:
    """Outcome of one session of profile `5cat`, and the share of the windows that it took."""
    rng = np.random.default_rng([seed, articles])
    profile = load_profile("5cat")
    whole = {split: observations(model, articles, rng) for split in ("VAL", "OOD")}
    orders = {split: DrawOrder.of(one.clusters, by, rng) for split, one in whole.items()}
    nothing = np.zeros(len(whole["VAL"]), dtype=bool)
    for look in range(len(SHARES) - 1):
        observed = {split: one.take(orders[split].seen(look)) for split, one in whole.items()}
        seen = {
            split: Seen(
                observed[split],
                WindowFacts(one.offset_exists, one.rollout_exists, one.cross_exists, one.coherence),
                ~nothing,
                nothing,
                one.clusters,
                orders[split],
                look,
            )
            for split, one in whole.items()
        }
        own = make_card(Identity("m"), observed, profile, "strict", skill_inputs=None, task="frontier")
        found = early_verdict(seen, profile, profile.rule("strict"), own, ())  # type: ignore[arg-type]
        if found.outcome != "open":
            return found.outcome, len(observed["VAL"]) / len(nothing)
    return "whole sample", 1.0


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _table(head: list[str], rows: list[list[str]]) -> None:
    click.echo("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        click.echo("| " + " | ".join(row) + " |")
    click.echo()


def _cells(found: Rates, kind: str) -> str:
    return f"{_number(found.shipped)} ({_number(found.wrong)})" if kind == "population" else _number(found.shipped)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Errors of early verdicts, and the windows that they take."""


@main.command()
@click.option("--sessions", default=2_000, show_default=True, help="Of each cell.")
@click.option("--seed", default=0, show_default=True)
def errors(sessions: int, seed: int) -> None:
    """Simulated nulls."""
    for kind in ("population", "sample"):
        rows = []
        for metric, correlation in product(METRICS, CORRELATIONS):
            cells = []
            for rule in RULES.values():
                streams = (
                    simulated(np.random.default_rng([seed, int(10 * correlation), i]), metric, correlation, kind)
                    for i in range(sessions)
                )
                found = rates(streams, rule, seed)
                cells.append(_cells(found, kind))
            rows.append(
                [
                    f"{metric}, {_number(correlation)[:2]}",
                    *cells,
                    *([_number(found.whole)] if kind == "population" else []),
                ]
            )
        click.echo(f"**Null of the {kind}, {sessions:,} sessions a cell**\n")
        _table(["metric, correlation", *RULES, *(["whole sample"] if kind == "population" else [])], rows)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--sessions", default=2_000, show_default=True, help="Of each cell.")
@click.option("--seed", default=0, show_default=True)
def corpora(paths: tuple[Path, ...], sessions: int, seed: int) -> None:
    """Nulls of real articles, from article NPZ files."""
    streams = {path.stem: cosines_by_article(path) for path in paths}
    for kind in ("population", "sample"):
        rows = []
        for corpus, by_name in streams.items():
            for name, (values, clusters) in by_name.items():
                found = [
                    rates(resampled(values, clusters, sessions, kind, seed), rule, seed) for rule in RULES.values()
                ]
                whole = [_number(found[0].whole)] if kind == "population" else []
                rows.append([f"{corpus}, {name}", *(_cells(one, kind) for one in found), *whole])
        click.echo(f"**Null of the {kind}, {sessions:,} sessions a cell**\n")
        _table(["corpus", *RULES, *(["whole sample"] if kind == "population" else [])], rows)


@main.command()
@click.option("--sessions", default=40, show_default=True, help="Of each cell.")
@click.option("--seed", default=0, show_default=True)
def windows(sessions: int, seed: int) -> None:
    """Share of the windows that sessions of profile `5cat` take."""
    rows = []
    for name, model in MODELS.items():
        for by in UNITS:
            cells = []
            for articles in SIZES:
                found = [share_used(model, articles, by, seed + i) for i in range(sessions)]
                outcomes = [outcome for outcome, _ in found]
                early = np.mean([outcome != "whole sample" for outcome in outcomes])
                cells.append(f"{np.mean([share for _, share in found]):.2f} ({early:.2f})".replace("0.", "."))
            rows.append([f"{name}, by {by}", *cells])
    _table(["model", *(f"{a} articles" for a in SIZES)], rows)


if __name__ == "__main__":
    main()
