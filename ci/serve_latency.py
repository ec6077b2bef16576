"""Latency and throughput of a server at 1, 16 and 64 clients, beside the bare forward pass.

    python -m ci.serve_latency runs/demo/best_model.pt

The forward pass is timed in this process on the same machine, in turns with the clients; ratios are what can be
compared between machines.
"""

import argparse
import statistics
import sys
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


def main(given: list[str] | None = None) -> int:
    """Print the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options = parser.parse_args(given)
    torch.set_num_threads(1)
    columns = ["clients", "forward of as many, ms", "p50, ms", "p95, ms", "p99, ms", "p50 beyond it, ms", "a second"]
    click.echo(f"| {' | '.join(columns)} |\n|{'---:|' * len(columns)}")
    with serving(str(options.model), "--watch=0", "--concurrent=128", environment=ONE_THREAD) as served:
        about = served.ask("/v1/verdict")[1]["corpus"]
        one = np.random.default_rng(0).standard_normal((1, about["context"], about["dim"])).astype(np.float32)
        body: dict[str, object] = {"contexts": one.tolist()}
        latencies(served, 4, 1.0, body, "/v1/predict")  # the first requests find everything cold
        for clients in CLIENTS:
            # Alone on the cores it uses, then the clients: with both at once neither would be what it claims.
            bare = forward(options.model, np.repeat(one, clients, axis=0), options.seconds / 5)
            taken = sorted(latencies(served, clients, options.seconds, body, "/v1/predict"))
            p50, p95, p99 = (float(np.quantile(taken, q)) * 1e3 for q in (0.5, 0.95, 0.99))
            click.echo(
                f"| {clients} | {bare * 1e3:.2f} | {p50:.2f} | {p95:.2f} | {p99:.2f} | {p50 - bare * 1e3:.2f} "
                f"| {len(taken) / options.seconds:.0f} |"
            )
        chat = [served.ask("/chat", {"row": 40, "steps": 3})[1]["milliseconds"] for _ in range(30)]
        rest, model = (statistics.median(each[part] for each in chat) for part in ("rest", "model"))
        click.echo(f"\n/chat of 3 steps (medians of 30): model {model:.2f} ms, neither model nor encoder {rest:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
