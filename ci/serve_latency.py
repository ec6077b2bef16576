"""Latency and throughput of a server at 1, 16 and 64 clients, beside the bare forward pass.

    python -m ci.serve_latency runs/demo/best_model.pt

The forward pass is timed in this process on the same machine, in turns with the clients; ratios are what can be
compared between machines.
"""

import statistics
import threading
import time
from contextlib import closing
from pathlib import Path

import click
import numpy as np

from ci.served import Served, ask, serving
from lvm_gates.harness import load_predictor

CLIENTS = (1, 16, 64)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def latencies(served: Served, clients: int, seconds: float, body: dict[str, object], route: str) -> list[float]:
    """Seconds of each request that was answered."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def client() -> None:
        with closing(served.connect()) as connection:
            while time.monotonic() < end:
                began = time.perf_counter()
                status, _ = ask(connection, route, body)
                if status == 200:
                    taken.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return taken


def forward(model: Path, contexts: "np.ndarray", seconds: float) -> float:
    """Median seconds of one forward pass."""
    predictor = load_predictor(str(model))
    taken, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        predictor.predict(contexts)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@click.command(help=__doc__)
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--corpus", help="Whose chunks answer [default: the embedded dataset].")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Of each measurement.")
def main(model: Path, corpus: str | None, seconds: float) -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    more = [f"--corpus={corpus}"] if corpus else []
    columns = ["clients", "forward of as many, ms", "p50, ms", "p95, ms", "p99, ms", "p50 beyond it, ms", "a second"]
    click.echo(f"| {' | '.join(columns)} |\n|{'---:|' * len(columns)}")
    with serving(str(model), "--watch=0", "--concurrent=128", *more, environment=ONE_THREAD) as served:
        about = served.ask("/v1/verdict")[1]["corpus"]
        one = np.random.default_rng(0).standard_normal((1, about["context"], about["dim"])).astype(np.float32)
        body: dict[str, object] = {"contexts": one.tolist()}
        latencies(served, 4, 1.0, body, "/v1/predict")  # the first requests find everything cold
        for clients in CLIENTS:
            # Alone on the cores it uses, then the clients: with both at once neither would be what it claims.
            bare = forward(model, np.repeat(one, clients, axis=0), seconds / 5)
            taken = sorted(latencies(served, clients, seconds, body, "/v1/predict"))
            p50, p95, p99 = (float(np.quantile(taken, q)) * 1e3 for q in (0.5, 0.95, 0.99))
            click.echo(
                f"| {clients} | {bare * 1e3:.2f} | {p50:.2f} | {p95:.2f} | {p99:.2f} | {p50 - bare * 1e3:.2f} "
                f"| {len(taken) / seconds:.0f} |"
            )
        # The first row that follows a whole context.
        row = next(row for row in range(1000) if served.ask("/chat", {"row": row})[0] == 200)
        chat = [served.ask("/chat", {"row": row, "steps": 3})[1]["milliseconds"] for _ in range(30)]
        rest, own = (statistics.median(each[part] for each in chat) for part in ("rest", "model"))
        click.echo(f"\n/chat of 3 steps (medians of 30): model {own:.2f} ms, neither model nor encoder {rest:.2f} ms")


if __name__ == "__main__":
    main()
