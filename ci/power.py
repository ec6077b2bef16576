"""How much gain profile `skill` needs to see: share of draws released, by planted gain and number of articles.

    python -m ci.power --dim 384 >> docs/power.md

Dataset `prose` has the cosines and ranks of text and an optimum that follows a planted share of each chunk, which no
linear map does; the best linear map stands in for ridge, as one fitted on endless data. The model is the optimum with
an error of its own. Articles are drawn once for each share, and every VAL and OOD is a random choice of them; released
is what gains at least `WORTH` with its lower bound above zero on both. What a share is worth is F on all articles.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.predictors.predictor import Predictor
from lvm_gates.harness.rivals.basis import Basis
from lvm_gates.harness.rivals.family import Family, family_of
from lvm_gates.harness.rivals.scores import RivalScores, score_rivals
from lvm_gates.harness.statistics.frontier import Frontier
from lvm_gates.harness.worlds.articles import draw_article
from lvm_gates.harness.worlds.optimum import BayesPredictor
from lvm_gates.harness.worlds.parameters import WorldLaw, prose

CONTEXT = 5
# Articles drawn for each share.
ARTICLES_SCORED = 240
ARTICLES = (10, 20, 30, 60, 120)
# Of each article that are judged: all, or so many.
WINDOWS = (None, 30)
SHARES = (0.0015, 0.002, 0.003, 0.004, 0.006, 0.01)
# Of the model, relative to its prediction (`_Learnt`). F on 30 articles then has an interval of +-.0023, as trained
# networks have it on text (+-.0021 on half of the Wikipedia articles); without an error of its own it has +-.0012.
ERROR = 0.1
# The smallest effect worth having, as the profile has it.
(WORTH,) = (t.limits["VAL"] for t in load_profile("skill").of_gate("frontier") if t.comparison == "at_least")


@dataclass(frozen=True)
class _LinearOptimum:
    """The best linear map, as long as ridge's predictions are on text (norm .5): blends weigh them as they come."""

    best: BayesPredictor

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return 0.5 * self.best.predict(contexts)


class _Learnt:
    """The optimum with an error of its own: a network that has learnt what there is, and not exactly.

    The error is a fixed, rough function of the context, spread over directions as the chunks themselves are.
    """

    def __init__(self, best: BayesPredictor, dim: int, error: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.best = best
        self.error = error * np.sqrt(np.repeat(best.law.profile(dim), 2))
        self.mix = 4.0 * rng.standard_normal((CONTEXT * dim, dim))

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        flat = contexts.reshape(len(contexts), -1).astype(np.float64)
        return unit(self.best.predict(contexts) + self.error * np.sin(flat @ self.mix))


@dataclass(frozen=True)
class _AndModel(Basis):
    """A basis with the model's own prediction as its last vector, so that the model is scored as its rivals are."""

    model: Predictor = field(kw_only=True)

    def of(
        self, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, "b c_plus_3 d"]:
        return np.concatenate([super().of(contexts, rows), self.model.predict(contexts)[:, None]], axis=1)


@dataclass(frozen=True)
class ScoredArticles:
    """Scores on all articles of one dataset, summed over the windows of each.

    Attributes:
        windows: (A,) of each article.
        cosine: (A, 1 + K) of the model, then of its rivals.
        mrr: the same.
    """

    windows: Float[np.ndarray, " a"]
    cosine: Float[np.ndarray, "a k"]
    mrr: Float[np.ndarray, "a k"]

    @classmethod
    def of(cls, scores: RivalScores, article: Int[np.ndarray, " n"], most: int | None, seed: int) -> "ScoredArticles":
        """Of all windows, or of ``most`` of each article chosen at random."""
        rng = np.random.default_rng([seed, 2])
        rows = [rng.permutation(np.flatnonzero(article == a))[:most] for a in np.unique(article)]
        sums = [np.stack([s[mine].sum(axis=0) for mine in rows]) for s in (scores.cosine, scores.reciprocal_rank)]
        return cls(np.array([float(len(mine)) for mine in rows]), *sums)

    def gains(self, articles: Int[np.ndarray, " a"]) -> tuple[Estimate, Estimate]:
        """F, and the excess of the model's cosine, on some of the articles."""
        cosine, mrr = self.cosine[articles], self.mrr[articles]
        # A frontier works on sums by article, so an article may stand for its windows.
        frontier = Frontier(np.arange(len(articles)), self.windows[articles], cosine[:, 1:], mrr[:, 1:])
        return frontier.gains(cosine[:, 0], mrr[:, 0])

    def passes(self, articles: Int[np.ndarray, " a"]) -> bool:
        """Whether the frontier gate passes on these articles."""
        return any(gain.low > 0 and gain.value >= WORTH for gain in self.gains(articles))


def score(law: WorldLaw, dim: int, articles: int, seed: int) -> dict[int | None, ScoredArticles]:
    """Draw articles, score the model and every rival on all their windows, and sum over each number in `WINDOWS`."""
    mean = law.mean(dim, seed)
    parts = [draw_article(law, mean, "VAL", index, seed) for index in range(articles)]
    with tempfile.TemporaryDirectory() as folder:
        lengths, splits = np.array([len(part) for part in parts]), np.repeat("VAL", articles)
        corpus = write_corpus(Path(folder), np.concatenate(parts), lengths, splits=splits, meta={})
        positions = np.arange(articles)
        windows = windows_of(corpus, positions, CONTEXT)
        family = family_of(CONTEXT)
        rivals = np.pad(family.weights, [(0, 0), (0, 1)])
        own = np.eye(rivals.shape[1])[-1:]
        scores = score_rivals(
            EvaluationSet("VAL", windows, positions, seed, 1),
            Family(("model", *family.names), np.concatenate([own, rivals])),
            _AndModel(
                unit(mean),
                _LinearOptimum(BayesPredictor(law, mean, follows=0.0)),
                model=_Learnt(BayesPredictor(law, mean), dim, ERROR, seed),
            ),
        )
    return {most: ScoredArticles.of(scores, windows.clusters, most, seed) for most in WINDOWS}


def released(scored: ScoredArticles, articles: int, draws: int, seed: int) -> float:
    """Share of draws of VAL and OOD, each of so many articles, on both of which the gate passes."""
    # With replacement: these articles are the population, whose gain is known. Without, VAL and OOD of 120 articles
    # would be each other's complement among 240, and never both above its gain.
    rng = np.random.default_rng([seed, articles])
    chosen = rng.integers(len(scored.windows), size=(draws, 2, articles))
    return float(np.mean([scored.passes(val) and scored.passes(ood) for val, ood in chosen]))


class Row(NamedTuple):
    """One planted share: what the model gains with it on all articles, and how often that is released."""

    planted: float
    gain: Estimate
    excess: Estimate
    released: Sequence[float]


def table(rows: Sequence[Row], heading: str) -> str:
    """Markdown, one line a planted share."""
    head = ["planted", "F", "excess cosine", *(f"{n} articles" for n in ARTICLES)]
    cells = [
        [
            f"{row.planted:g}",
            *(f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]" for gain in (row.gain, row.excess)),
            *(f"{share:.2f}" for share in row.released),
        ]
        for row in rows
    ]
    lines = [" | ".join(line) for line in [head, ["---"] * len(head), *cells]]
    return "\n".join([f"**{heading}**", "", *(f"| {line} |" for line in lines), ""])


@click.command()
@click.option("--dim", type=int, default=384, show_default=True)
@click.option("--draws", type=int, default=200, show_default=True, help="Draws of VAL and OOD for each metric.")
@click.option("--articles", type=int, default=ARTICLES_SCORED, show_default=True, help="Articles to choose them from.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(dim: int, draws: int, articles: int, seed: int) -> None:
    """Print the share of draws released, as Markdown."""
    rows: dict[int | None, list[Row]] = {most: [] for most in WINDOWS}
    for planted in SHARES:
        for most, scored in score(prose(planted), dim, articles, seed).items():
            shares = [released(scored, n, draws, seed) for n in ARTICLES]
            rows[most].append(Row(planted, *scored.gains(np.arange(articles)), shares))
            click.echo(f"{rows[most][-1]}", err=True)
    for most, found in rows.items():
        size = "every window (120 an article)" if most is None else f"{most} windows an article"
        click.echo(table(found, f"{dim}-d, {size}, {draws} draws from {articles} articles"))


if __name__ == "__main__":
    main()
