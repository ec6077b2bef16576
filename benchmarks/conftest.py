"""One thread, and a way to time two things in turns: speed is reported only as a ratio within one process."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from chunks import CONTEXT, HORIZON, random_units
from threadpoolctl import threadpool_limits

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import sample_windows, windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Several threads would time how many other processes the machine runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def time_ratio(benchmark: Any) -> Callable[..., None]:
    """How many times as long something takes as a reference: called with (measured, reference, rounds=N, runs=(S, R)).

    The reference is timed right before each round, so that a busy moment slows both, and the ratio is the median over
    rounds. A round is S runs of what is measured and R of the reference, chosen so that the two last about as long: a
    pause of the machine would otherwise fall into the longer one only. The ratio, of one run to one run, lands in
    ``extra_info["ratio"]``, which `ci/compare_benchmarks.py` reads.
    """

    def measure(
        measured: Callable[[], Any], reference: Callable[[], Any], *, rounds: int, runs: tuple[int, int] = (1, 1)
    ) -> None:
        if not benchmark.enabled:
            pytest.fail("benchmarks are off here; run them alone: `make benchmark`", pytrace=False)
        before: list[float] = []

        def repeat(operation: Callable[[], Any], times: int) -> None:
            for _ in range(times):
                operation()

        def time_reference() -> None:
            begin = time.perf_counter()
            repeat(reference, runs[1])
            before.append(time.perf_counter() - begin)

        benchmark.pedantic(
            lambda: repeat(measured, runs[0]), setup=time_reference, rounds=rounds, iterations=1, warmup_rounds=1
        )
        taken = benchmark.stats.stats.data
        ratios = [own / other for own, other in zip(taken, before[-len(taken) :], strict=True)]
        benchmark.extra_info["ratio"] = statistics.median(ratios) * runs[1] / runs[0]

    return measure


@pytest.fixture
def evaluation(tmp_path):
    """A warmed-up evaluation set over random chunks: call it with (articles, length, dim, windows)."""

    def make(articles, length, dim, windows):
        corpus = write_corpus(
            tmp_path / "corpus",
            random_units(articles * length, dim),
            np.full(articles, length),
            splits=np.full(articles, "VAL"),
            meta={"kind": "benchmark"},
        )
        found = sample_windows(windows_of(corpus, np.arange(articles), CONTEXT), windows, 0)
        made = EvaluationSet("VAL", found, np.arange(articles), 0, HORIZON)
        # Made once a session and shared by all predictors, so no part of what one of them costs.
        _ = made.labels, made.bank_vectors, made.target_spread
        return made

    return make
