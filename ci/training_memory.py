"""Memory and speed of the trainer beside a plain loop over tensors in memory, at the size of the original data.

Two processes train the same network on the same windows in turns, a few steps each, so that a busy moment slows both:
one with all windows as float32 tensors, (N, C, D) and (N, D), the other as `lvm-train` does, from the memory-mapped
corpus. Peak memory is what the operating system counts, mapped pages of the corpus among it.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import torch
from torch.optim import AdamW

from lvm_gates.harness.corpus.corpus import Corpus, open_corpus, write_corpus
from lvm_gates.models.registry import build
from lvm_gates.trainers.batches import training_windows
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.epoch import Run, train_epoch
from lvm_gates.trainers.losses import mse_loss
from lvm_gates.trainers.network import Network
from lvm_gates.trainers.objective import weighted
from lvm_gates.trainers.recipe import Recipe

CONTEXT, BATCH = 5, 64
# As long as the original articles are on average: a quarter of the chunks have no full context.
LENGTH = 20
LOOPS = ("plain", "ours")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--windows", default=438_568, show_default=True, help="Of the training split.")
@click.option("--dim", default=768, show_default=True)
@click.option("--width", default=512, show_default=True)
@click.option("--layers", default=4, show_default=True)
@click.option("--heads", default=8, show_default=True)
@click.option("--steps", default=10, show_default=True, help="In one turn.")
@click.option("--turns", default=9, show_default=True)
@click.option("--loop", type=click.Choice(LOOPS), hidden=True, help="Be one of the two processes.")
@click.option("--corpus", type=click.Path(path_type=Path), hidden=True)
def main(
    windows: int,
    dim: int,
    width: int,
    layers: int,
    heads: int,
    steps: int,
    turns: int,
    loop: str | None,
    corpus: Path | None,
) -> None:
    """Print peak memory and seconds a step of both loops, and the ratios."""
    sizes = {"width": width, "depth": layers, "heads": heads}
    if loop is not None and corpus is not None:
        serve(loop, open_corpus(corpus), windows, sizes, steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        made = make_corpus(Path(folder) / "corpus", windows, dim)
        arguments = ["--corpus", made.path, *_options(windows=windows, width=width, layers=layers, heads=heads)]
        click.echo(json.dumps(measure([*map(str, arguments), "--steps", str(steps)], turns), indent=2))


def make_corpus(folder: Path, windows: int, dim: int) -> Corpus:
    """Random unit vectors as float16, written block by block."""
    articles = -(-windows // (LENGTH - CONTEXT)) + 1
    folder.mkdir(parents=True)
    vectors = np.lib.format.open_memmap(folder / "raw.npy", "w+", np.float16, (articles * LENGTH, dim))
    rng = np.random.default_rng(0)
    for begin in range(0, len(vectors), 16_384):
        block = rng.standard_normal((len(vectors[begin : begin + 16_384]), dim), dtype=np.float32)
        vectors[begin : begin + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    splits = np.array(["TRAIN"] * (articles - 1) + ["VAL"])
    made = write_corpus(
        folder / "made", vectors, np.full(articles, LENGTH), splits=splits, meta={"kind": "benchmark"}, dtype="float16"
    )
    (folder / "raw.npy").unlink()
    return made


def measure(arguments: list[str], turns: int) -> dict[str, float]:
    """Run both loops in turns."""
    command = [sys.executable, "-m", "ci.training_memory", *arguments, "--loop"]
    processes = {
        loop: subprocess.Popen([*command, loop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for loop in LOOPS
    }
    seconds: dict[str, list[float]] = {loop: [] for loop in LOOPS}
    peak = dict.fromkeys(LOOPS, 0.0)
    # The first turn is to warm up.
    for _ in range(turns + 1):
        for loop, process in processes.items():
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a loop has no pipes")
            process.stdin.write("go\n")
            process.stdin.flush()
            taken, peak[loop] = json.loads(process.stdout.readline())
            seconds[loop].append(taken)
    for process in processes.values():
        process.communicate()
    ratios = [ours / plain for ours, plain in zip(seconds["ours"][1:], seconds["plain"][1:], strict=True)]
    medians = {f"{loop}, seconds a step": statistics.median(seconds[loop][1:]) for loop in LOOPS}
    peaks = {f"{loop}, peak GB": peak[loop] for loop in LOOPS}
    return {
        **medians,
        "ratio of seconds": statistics.median(ratios),
        **peaks,
        "ratio of memory": peak["ours"] / peak["plain"],
    }


def serve(loop: str, corpus: Corpus, windows: int, sizes: dict[str, int], steps: int) -> None:
    """Take a turn for every line that comes in; answer with the seconds a step and the peak memory so far."""
    torch.set_num_threads(1)
    turn = (plain if loop == "plain" else ours)(corpus, windows, sizes, steps)
    for number, _ in enumerate(sys.stdin, 1):
        begin = time.perf_counter()
        turn(number)
        taken = (time.perf_counter() - begin) / steps
        # Kilobytes on Linux.
        click.echo(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9]))


def plain(corpus: Corpus, windows: int, sizes: dict[str, int], steps: int) -> Callable[[int], None]:
    """Everything in memory, and nothing in the loop but what training is."""
    found = training_windows(corpus, CONTEXT)[0].take(slice(0, windows))
    contexts, targets = torch.empty(len(found), CONTEXT, corpus.dim), torch.empty(len(found), corpus.dim)
    for begin in range(0, len(found), 4096):
        part = found.take(slice(begin, begin + 4096))
        contexts[begin : begin + len(part)] = torch.from_numpy(part.contexts())
        targets[begin : begin + len(part)] = torch.from_numpy(part.target_vectors())
    model, optimizer = network(corpus.dim, sizes)

    def turn(number: int) -> None:
        order = torch.from_numpy(np.random.default_rng(number).permutation(len(found))[: steps * BATCH])
        model.train()
        for chosen in order.split(BATCH):
            optimizer.zero_grad()
            mse_loss(model.raw(contexts[chosen]), targets[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return turn


def ours(corpus: Corpus, windows: int, sizes: dict[str, int], steps: int) -> Callable[[int], None]:
    """The loop of `lvm-train`."""
    found = training_windows(corpus, CONTEXT)[0].take(slice(0, windows))
    model, optimizer = network(corpus.dim, sizes)
    config = RunConfig(recipe="benchmark", epochs=1, batch_size=BATCH, context=CONTEXT)
    run = Run(config, Recipe(weighted()), model, optimizer, found, torch.device("cpu"), Network(model))

    def turn(number: int) -> None:
        chosen = np.random.default_rng(number).permutation(len(found))[: steps * BATCH]
        train_epoch(run, number, found.take(chosen), lambda *_: None, auxiliary=True)

    return turn


def network(dim: int, sizes: dict[str, int]) -> tuple[torch.nn.Module, AdamW]:
    """The original transformer and its optimiser."""
    torch.manual_seed(0)
    model = build("transformer", input_dim=dim, output_dim=dim, **sizes)
    return model, AdamW(model.parameters(), lr=1e-4, fused=True)


def _options(**given: int) -> list[str]:
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


if __name__ == "__main__":
    main()
