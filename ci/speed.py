"""What a verdict costs beside the work it cannot do without, as a Markdown table: docs/speed.md.

    python -m ci.speed                                 # minutes, on an idle machine
    python -m ci.speed --windows 5000 --bank 584545    # at full size, half an hour

Each row times ours and its floor in turns in one run and gives the median ratio, so a busy moment slows both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import faiss
import numpy as np
import torch
from jaxtyping import Float

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.corpus import Corpus, write_corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.candidates import Ranking
from lvm_gates.harness.evaluation.evaluation_set import BANK_SIZE, EvaluationSet
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.checkpoint import save_checkpoint
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.harness.rivals import Basis, family_of, score_rivals
from lvm_gates.harness.worlds.world import synthesise
from lvm_gates.models.registry import build

CONTEXT, HORIZON, DIM, LENGTH = 5, 5, 768, 69
# Intact, shuffled, reversed, C times leave-one-out, last repeated, foreign last, and horizons 2 to H.
PASSES = 1 + 2 + CONTEXT + 2 + HORIZON - 1
GATES = Path(__file__).resolve().parents[1] / "gates"


class Row(NamedTuple):
    """One line of the table."""

    work: str
    floor: str
    floor_seconds: float
    seconds: float
    ratio: float


def in_turns(work: str, floor: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> Row:
    """Median of the ratios of ``ours`` to ``theirs``, each timed right after the other."""
    taken = [(_seconds(theirs), _seconds(ours)) for _ in range(rounds + 1)][1:]  # the first one warms up
    floors, own = zip(*taken, strict=True)
    ratio = statistics.median(mine / other for other, mine in taken)
    return Row(work, floor, statistics.median(floors), statistics.median(own), ratio)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def random_corpus(folder: Path, chunks: int, seed: int, dim: int | None = None) -> Corpus:
    """Articles of random chunks around a topic each, float16."""
    dim = dim or DIM
    rng = np.random.default_rng(seed)
    articles = chunks // LENGTH
    vectors = np.empty((articles * LENGTH, dim), dtype=np.float16)
    for article in range(articles):
        drawn = 0.6 * rng.standard_normal(dim) + 0.8 * rng.standard_normal((LENGTH, dim))
        vectors[article * LENGTH : (article + 1) * LENGTH] = unit(drawn)
    lengths, splits = np.full(articles, LENGTH), np.full(articles, "VAL")
    return write_corpus(folder, vectors, lengths, splits=splits, meta={"kind": "speed"}, dtype="float16")


def asked_of(corpus: Corpus, count: int) -> tuple[Windows, Float[np.ndarray, "n d"]]:
    """Some windows, and what a mean of their frames predicts."""
    windows = sample_windows(windows_of(corpus, np.arange(len(corpus.starts)), CONTEXT), count, 0)
    return windows, unit(Ewma(0.8).predict(windows.contexts()))


def ranking(folder: Path, rounds: int) -> Row:
    """Exact ranks in all three candidate sets."""
    corpus = random_corpus(folder, BANK_SIZE + LENGTH, 1)
    windows, predictions = asked_of(corpus, 256)
    judged = EvaluationSet("VAL", windows, np.arange(len(corpus.starts)), 0, HORIZON)
    asked, bank, single = Ranking(windows, judged), judged.bank.vectors, predictions.astype(np.float32)
    return in_turns(
        f"exact ranks of 256 windows, {BANK_SIZE:,} candidates",
        "float32 product with the candidates",
        lambda: asked.ranks(predictions),
        lambda: single @ bank.T,
        10 * rounds,
    )


def streaming(folder: Path, chunks: int, queries: int, rounds: int) -> Iterator[Row]:
    """A bank that is larger than one would hold, against the bare product and against faiss."""
    corpus = random_corpus(folder, chunks, 2)
    windows, predictions = asked_of(corpus, queries)
    bank, single = Bank(corpus, np.arange(corpus.size)), predictions.astype(np.float32)
    work = f"exact ranks of {len(windows):,} windows, {corpus.size:,} candidates in a float16 file"
    block = corpus.vectors(np.arange(min(16_384, corpus.size)))

    def product() -> None:
        for begin in range(0, corpus.size, len(block)):
            for first in range(0, len(single), 256):
                _ = single[first : first + 256] @ block[: corpus.size - begin].T

    def ranks() -> object:
        return bank.ranks([predictions], windows)

    yield in_turns(work, "float32 product, blocks in memory", ranks, product, rounds)
    index = faiss.IndexFlatIP(DIM)
    for begin in range(0, corpus.size, len(block)):
        index.add(corpus.vectors(np.arange(begin, min(begin + len(block), corpus.size))))
    nearest = "faiss.IndexFlatIP, 100 nearest, index in memory"
    yield in_turns(work, nearest, ranks, lambda: index.search(single, 100), rounds)


def rivals(folder: Path, rounds: int) -> Row:
    """Everything trivial, against one of the controls."""
    corpus = random_corpus(folder, 3_000, 3)
    windows, _ = asked_of(corpus, 1_000)
    judged = EvaluationSet("VAL", windows, np.arange(len(corpus.starts)), 0, HORIZON)
    climatology = unit(corpus.vectors(np.arange(corpus.size)).sum(axis=0, dtype=np.float64)).astype(np.float32)
    family, basis = family_of(CONTEXT), Basis(climatology)
    one = NamedPredictor(Identity("control:ewma"), Ewma(0.8), only_reads=True)
    return in_turns(
        f"cosine and rank of {len(family.names)} rivals, 1,000 windows",
        "one control, all its passes",
        lambda: score_rivals(judged, family, basis),
        lambda: observe(one, judged, batch_size=256),
        3 * rounds,
    )


def session(model: str, folder: Path, windows: int) -> None:
    """`pytest gates/` over dataset `wiki`, from its start to its exit; what is fitted is kept in ``folder``."""
    command = [sys.executable, "-m", "pytest", str(GATES), f"--model={model}", f"--corpus={folder / 'wiki'}"]
    command += [f"--max-samples={windows}", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "LVM_GATES_CACHE": str(folder / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise click.ClickException(done.stdout + done.stderr)


def sessions(folder: Path, windows: int, rounds: int) -> Iterator[Row]:
    """Whole sessions: without a network, and with the original transformer."""
    torch.manual_seed(0)
    network = build("transformer", input_dim=DIM, output_dim=DIM).eval()
    predictor = TorchPredictor("speed", network, DIM, torch.device("cpu"))
    contexts = np.random.default_rng(0).standard_normal((256, CONTEXT, DIM)).astype(np.float32)
    save_checkpoint(
        folder / "transformer.pt",
        model_type="transformer",
        model_state=network.state_dict(),
        model_config={},
        optimizer_state={},
        epoch=1,
        val_loss=0.0,
        val_cosine=0.0,
        args={},
        context=CONTEXT,
        dim=DIM,
        recipe="p1",
        corpus={},
    )

    def passes(count: int, batch: int) -> None:
        for begin in range(0, count, batch):
            predictor.predict(contexts[: min(batch, count - begin)])

    synthesise("wiki", folder / "wiki", articles=max(60, 5 * windows // 50), dim=DIM)
    asked = 2 * windows
    yield in_turns(
        f"a session without a network, {asked:,} windows",
        "python -c 'import torch, scipy.special'",
        lambda: session("control:oracle", folder, windows),
        lambda: subprocess.run([sys.executable, "-c", "import torch, scipy.special"], check=True),
        rounds,
    )
    yield in_turns(
        f"a session with the original transformer, {asked:,} windows",
        f"its {PASSES} forward passes a window, batches of 256",
        lambda: session(str(folder / "transformer.pt"), folder, windows),
        lambda: passes(PASSES * asked, 256),
        rounds,
    )
    few = max(1, asked // 100)
    alone = in_turns("", "", lambda: passes(PASSES * few, 256), lambda: passes(PASSES * few, 1), rounds)
    yield Row(
        f"the same passes, {few} windows, in batches",
        "one window at a time, as the original battery asked",
        alone.floor_seconds,
        alone.seconds,
        alone.ratio,
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--windows", default=1000, show_default=True, help="Of each split in a session.")
@click.option("--bank", default=60_000, show_default=True, help="Candidates of the bank that streams.")
@click.option("--queries", default=5000, show_default=True, help="Windows ranked among them.")
@click.option("--rounds", default=5, show_default=True, help="Of which the median is taken.")
def main(windows: int, bank: int, queries: int, rounds: int) -> None:
    """Measure, and print a Markdown table."""
    click.echo(f"{os.cpu_count()} cores, {DIM} dimensions, median of {rounds} rounds\n")
    click.echo("| work | floor, in the same run | floor, s | ours, s | ratio |\n|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def rows() -> Iterator[Row]:
            yield ranking(folder / "ranking", rounds)
            yield from streaming(folder / "bank", bank, queries, rounds)
            yield rivals(folder / "rivals", rounds)
            yield from sessions(folder, windows, rounds)

        for row in rows():
            click.echo(f"| {row.work} | {row.floor} | {row.floor_seconds:.3g} | {row.seconds:.3g} | {row.ratio:.2f} |")


if __name__ == "__main__":
    main()
