"""How time and memory grow with what is judged: a size doubled again and again, and the exponent of a power law.

    python -m ci.growth                                # prints a table; --plot FILE draws it

Seconds are those of one core (CPU time), so that a busy machine counts as an idle one. An exponent of 1 says that twice
the work takes twice as long; nothing is to grow faster than its work.
"""

import tempfile
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from threadpoolctl import threadpool_limits

from ci.speed import CONTEXT, HORIZON, LENGTH, asked_of, random_corpus
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.near_duplicates import near_duplicates
from lvm_gates.harness.corpus.windows import sample_windows, windows_of
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observe import observe_together
from lvm_gates.harness.leaks.chunks import chunks_of
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import Basis, Family, family_of, score_rivals
from lvm_gates.harness.statistics.frontier import Frontier

DIM = 384
SIZES = (1, 2, 4, 8)


class Growth(NamedTuple):
    """Of one kind of work with one size.

    Attributes:
        what: grows.
        sizes: it had.
        seconds: of one core.
        megabytes: at the peak, beyond what was there before.
    """

    what: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    megabytes: Sequence[float]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Of the power law through the points: the slope of the line of least squares through their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(costs, 1e-9)), 1)[0])


def measured(what: str, works: Mapping[int, Callable[[], object]]) -> Growth:
    """Each work once for its time, once more for its memory, after one that warms up."""
    next(iter(works.values()))()
    seconds, megabytes = [], []
    for work in works.values():
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
        tracemalloc.start()
        work()
        megabytes.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    return Growth(what, list(works), seconds, megabytes)


def split_of(corpus: Corpus, windows: int) -> EvaluationSet:
    """A split of some windows, what all predictors share already made."""
    articles = np.arange(len(corpus.starts))
    found = EvaluationSet(
        "VAL", sample_windows(windows_of(corpus, articles, CONTEXT), windows, 0), articles, 0, HORIZON
    )
    _ = found.bank.vectors, found.target_spread
    return found


def of_windows(folder: Path, unit_size: int) -> Growth:
    """A control over more windows of one split."""
    corpus = random_corpus(folder, 8 * unit_size + 500, 1, DIM)
    splits = {unit_size * k: split_of(corpus, unit_size * k) for k in SIZES}
    return measured("windows", {n: lambda s=s: _observe(1, s) for n, s in splits.items()})


def of_models(folder: Path, unit_size: int) -> Growth:
    """More predictors over the same windows."""
    split = split_of(random_corpus(folder, 4 * unit_size, 2, DIM), unit_size)
    return measured("predictors", {k: lambda k=k: _observe(k, split) for k in SIZES})


def of_dimensions(folder: Path, unit_size: int) -> Growth:
    """A control over windows of wider embeddings."""
    splits = {96 * k: split_of(random_corpus(folder / str(k), 4 * unit_size, 3, 96 * k), unit_size) for k in SIZES}
    return measured("dimensions", {d: lambda s=s: _observe(1, s) for d, s in splits.items()})


def of_banks(folder: Path, unit_size: int) -> Growth:
    """The same windows ranked among more chunks."""
    corpus = random_corpus(folder, 8 * 8 * unit_size + LENGTH, 4, DIM)
    windows, predictions = asked_of(corpus, unit_size)
    banks = {8 * unit_size * k: Bank(corpus, np.arange(8 * unit_size * k)) for k in SIZES}
    return measured("candidates", {m: lambda b=b: b.ranks([predictions], windows) for m, b in banks.items()})


def of_rivals(folder: Path, unit_size: int) -> Growth:
    """More rivals over the same windows."""
    split, whole = split_of(random_corpus(folder, 4 * unit_size, 5, DIM), unit_size), family_of(CONTEXT)
    families = {88 * k: Family(whole.names[: 88 * k], whole.weights[: 88 * k]) for k in SIZES}
    basis = Basis(unit(np.ones(DIM)).astype(np.float32))
    return measured("rivals", {k: lambda f=f: score_rivals(split, f, basis) for k, f in families.items()})


def of_articles(folder: Path, unit_size: int) -> Growth:
    """The frontier without each of more articles, 700 rivals."""
    rng, works = np.random.default_rng(6), {}
    for k in SIZES:
        clusters = np.repeat(np.arange(30 * k), 20)
        scores = rng.random((2, len(clusters), 701))
        frontier = Frontier.of(scores[0, :, 1:], scores[1, :, 1:], clusters)
        works[30 * k] = lambda f=frontier, s=scores: f.gains(s[0, :, 0], s[1, :, 0])
    return measured("articles", works)


def of_training_chunks(folder: Path, unit_size: int) -> Growth:
    """The search for leaked windows and near-duplicate targets in more training text."""
    corpus, judged = (random_corpus(folder / name, size, seed, DIM) for name, size, seed in (
        ("train", 8 * 4 * unit_size + 600, 7), ("judged", unit_size, 8)))  # fmt: skip
    windows = windows_of(judged, np.arange(len(judged.starts)), CONTEXT)
    works = {}
    for k in SIZES:
        articles = np.arange(4 * unit_size * k // int(corpus.lengths[0]))
        training, reference = windows_of(corpus, articles, CONTEXT), chunks_of(corpus, articles)
        queries = chunks_of(judged, np.arange(len(judged.starts)))
        works[len(reference)] = lambda t=training, r=reference, q=queries: (
            near_duplicates(windows, [t]),
            find_leaks(q, windows.targets - 1, r),
        )
    return measured("training chunks", works)


def _observe(predictors: int, split: EvaluationSet) -> object:
    asked = [NamedPredictor(Identity(f"control:{i}"), Ewma(0.8), only_reads=True) for i in range(predictors)]
    return observe_together(asked, split, batch_size=256)


KINDS = (of_windows, of_models, of_dimensions, of_banks, of_rivals, of_articles, of_training_chunks)


def plot(found: Sequence[Growth], file: Path) -> None:
    """Seconds and megabytes against size, each beside a line of exponent 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axes, label, costs in zip(figure.subplots(1, 2), ("CPU seconds", "megabytes"), (2, 3), strict=True):
        for growth in found:
            sizes = np.array(growth.sizes) / growth.sizes[0]
            axes.loglog(sizes, np.array(growth[costs]) / growth[costs][0], "o-", label=growth.what)
        axes.loglog(SIZES, SIZES, "k:", label="as its work")
        axes.set_xlabel("size, of the smallest")
        axes.set_ylabel(f"{label}, of the smallest")
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=110)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--unit", "unit_size", default=1000, show_default=True, help="Windows of the smallest size.")
@click.option("--plot", "file", type=click.Path(path_type=Path), help="Draw what was measured.")
def main(unit_size: int, file: Path | None) -> None:
    """Measure, and print a Markdown table."""
    click.echo("| grows | from, to | CPU s | exponent | peak, MB | exponent |\n|---|---|---|---:|---|---:|")
    found = []
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        for kind in KINDS:
            found.append(growth := kind(Path(name) / kind.__name__, unit_size))
            cells = [growth.what, f"{growth.sizes[0]:,}, {growth.sizes[-1]:,}"]
            for costs in (growth.seconds, growth.megabytes):
                cells += [f"{costs[0]:.3g}, {costs[-1]:.3g}", f"{exponent(growth.sizes, costs):.2f}"]
            click.echo(f"| {' | '.join(cells)} |")
    if file:
        plot(found, file)


if __name__ == "__main__":
    main()
