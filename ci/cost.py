"""What a session costs on corpora that are not here: constants measured on one core, a model, a table and a plot.

    python -m ci.cost --plot docs/cost.png             # docs/cost.md, "Constants" and "Cost"

Rates are of CPU time, one thread, so that a busy machine counts as an idle one. What they are multiplied with is the
work of the code as it is; what the model says is no measurement.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ci.growth import split_of
from ci.speed import CONTEXT, DIM, PASSES, asked_of, random_corpus
from lvm_gates.harness.controls import STANDARD_CONTROLS
from lvm_gates.harness.controls.linear import MAX_WINDOWS
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.near_duplicates import near_duplicates
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.observe import observe_together
from lvm_gates.harness.leaks.chunks import chunks_of
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.models.registry import build

WINDOWS = 10_000
"""Of VAL and OOD together: `--max-samples` of each, however large the corpus."""
SIZES = tuple(10**power for power in range(5, 10))
ACCELERATOR = 40e12
"""Float32 operations a second of an accelerator that is not here: a round number below what vendors name."""
# Of a corpus in memory, int64 each: its chunk numbers, and article, begin and end of run of each chunk; the rows of a
# bank of all of it, and those that a process ranks are a view of.
BYTES_A_CHUNK = 5 * 8


@dataclass(frozen=True)
class Constants:
    """Of one core.

    Attributes:
        product: float32 operations a second of a matrix product that stays in cache.
        reading: bytes a second of a float16 file that become float32 unit vectors.
        ranks: time of exact ranks in a streamed bank over that of their product.
        search: the same of the searches for leaks and near duplicates, over one product of windows and chunks.
        forward: seconds of the published transformer for one window, in batches of 256.
        control: seconds of one control for one window, all that is asked of it.
    """

    product: float
    reading: float
    ranks: float
    search: float
    forward: float
    control: float


class Cost(NamedTuple):
    """Of a session over a corpus of some size: ``--bank=all``, everything else training text.

    Attributes:
        chunks: of the corpus.
        asking: core seconds of the model and of controls, but for the bank.
        ranking: core seconds in the bank.
        searching: core seconds of leaks and near duplicates.
        held: bytes in each process beside the mapping.
        read: bytes that all processes read of the corpus.
        sent: bytes that each process sends or receives, at most.
    """

    chunks: int
    asking: float
    ranking: float
    searching: float
    held: float
    read: float
    sent: float

    @property
    def seconds(self) -> float:
        """Of one core."""
        return self.asking + self.ranking + self.searching


def cost(chunks: int, of: Constants, *, processes: int = 64) -> Cost:
    """Of a session with one model at 768 dimensions."""
    controls = len(STANDARD_CONTROLS)
    predictors, per_product = controls + 1, 2 * WINDOWS * chunks * DIM / of.product
    # It is checked once; each split streams the bank twice, for the model and for the controls; the searches read the
    # training text twice.
    reads = 7 * chunks * DIM * 2
    predictions = WINDOWS * DIM * 8
    return Cost(
        chunks=chunks,
        asking=WINDOWS * (PASSES * of.forward + controls * of.control) + ridge(of),
        ranking=per_product * predictors * of.ranks + 5 * chunks * DIM * 2 / of.reading,
        searching=per_product * of.search,
        held=BYTES_A_CHUNK * chunks + 2 * 16_384 * DIM * 4 + predictors * predictions / 2,
        read=reads,
        sent=predictors * (predictions + 2 * np.log2(processes) * 4 * WINDOWS * 8),
    )


def ridge(of: Constants) -> float:
    """Seconds of fitting ridge three times, on part of the training windows and on all: as many as it takes at most."""
    return 2 * 2 * MAX_WINDOWS * (CONTEXT * DIM) * (CONTEXT * DIM + DIM) / of.product


def measure(folder: Path, windows: int, chunks: int, rounds: int) -> Constants:
    """Medians over rounds."""
    corpus = random_corpus(folder / "corpus", chunks, 1)
    asked, predictions = asked_of(corpus, windows)
    bank, single = Bank(corpus, np.arange(corpus.size)), predictions[:256].astype(np.float32)
    tile = corpus.vectors(np.arange(2048))
    rows, split = np.arange(corpus.size), split_of(corpus, windows)
    training, reference = (
        windows_of(corpus, np.arange(len(corpus.starts)), CONTEXT),
        chunks_of(corpus, np.arange(len(corpus.starts))),
    )
    network = build("transformer", input_dim=DIM, output_dim=DIM).eval()
    contexts = torch.zeros(256, CONTEXT, DIM)
    named = [NamedPredictor(Identity("control:ewma"), Ewma(0.8), only_reads=True)]

    def searches() -> None:
        near_duplicates(asked, [training])
        find_leaks(reference, asked.targets - 1, reference)

    def passes() -> None:
        with torch.inference_mode():
            network(contexts)

    def seconds(work: Callable[[], object], times: int = 1) -> float:
        taken = []
        for _ in range(rounds + 1):  # the first warms up
            begin = time.process_time()
            for _ in range(times):
                work()
            taken.append((time.process_time() - begin) / times)
        return float(np.median(taken[1:]))

    product = 2 * len(single) * len(tile) * DIM / seconds(lambda: single @ tile.T, 20)
    floor = 2 * len(asked) * corpus.size * DIM / product
    reading = seconds(lambda: corpus._scaled(rows))
    return Constants(
        product=product,
        reading=corpus.size * DIM * 2 / reading,
        ranks=max(seconds(lambda: bank.ranks([predictions], asked)) - reading, 0.0) / floor,
        search=seconds(searches) / floor,
        forward=seconds(passes) / 256,
        control=seconds(lambda: observe_together(named, split, batch_size=256)) / windows,
    )


def table(found: Sequence[Cost], of: Constants) -> str:
    """In Markdown."""
    lines = [
        "| chunks | asking, core h | ranking, core h | searching, core h | accelerator h | held a process, GB | "
        "read, all, TB | sent a process, GB |",
        "|" + "---:|" * 8,
    ]
    for one in found:
        quick = one.seconds * of.product / ACCELERATOR
        cells = [f"{s / 3600:.3g}" for s in (one.asking, one.ranking, one.searching, quick)]
        cells += [f"{one.held / 1e9:.2g}", f"{one.read / 1e12:.2g}", f"{one.sent / 1e9:.2g}"]
        lines.append(f"| {one.chunks:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(found: Sequence[Cost], file: Path) -> None:
    """Computing, memory and network against chunks."""
    from matplotlib.figure import Figure

    figure, sizes = Figure(figsize=(10, 3.6), layout="constrained"), [one.chunks for one in found]
    left, middle, right = figure.subplots(1, 3)
    for name in ("asking", "ranking", "searching"):
        left.loglog(sizes, [getattr(one, name) / 3600 for one in found], "o-", label=name)
    left.set_ylabel("core hours")
    left.legend(fontsize="small")
    middle.loglog(sizes, [one.held / 1e9 for one in found], "o-")
    middle.set_ylabel("GB held by each process")
    right.loglog(sizes, [one.read / 1e9 for one in found], "o-", label="read from the corpus, all together")
    right.loglog(sizes, [one.sent / 1e9 for one in found], "s-", label="sent by each process")
    right.set_ylabel("GB")
    right.legend(fontsize="small")
    for axes in (left, middle, right):
        axes.set_xlabel("chunks")
    figure.savefig(file, dpi=80)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--windows", default=1024, show_default=True, help="That constants are measured with.")
@click.option("--chunks", default=20_000, show_default=True, help="The same, of the corpus.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--plot", "file", type=click.Path(path_type=Path), help="Draw what the model says.")
def main(windows: int, chunks: int, rounds: int, file: Path | None) -> None:
    """Measure the constants, and print them and what they come to."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
            of = measure(Path(name), windows, chunks, rounds)
    finally:
        torch.set_num_threads(threads)
    click.echo(
        f"one core: products {of.product / 1e9:.3g} GFLOP/s, reading {of.reading / 1e9:.2g} GB/s; ranks "
        f"{of.ranks:.2f} and searches {of.search:.2f} of a product; a window {of.forward * 1e3:.2f} ms of the "
        f"transformer, {of.control * 1e3:.2f} ms of a control\n"
    )
    found = [cost(size, of) for size in SIZES]
    click.echo(table(found, of))
    if file is not None:
        plot(found, file)


if __name__ == "__main__":
    main()
