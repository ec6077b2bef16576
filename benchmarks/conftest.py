"""One thread, and a way to time two things in turns: speed is reported only as a ratio within one process.

With ``--model`` a model of the user's is timed, and nothing else: docs/latency.md.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chunks import CONTEXT, HORIZON, random_units
from threadpoolctl import threadpool_limits

from lvm_gates.gates.plugin import RUN
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import sample_windows, windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.latency.measure import SECONDS, Asked, Bench

HERE = Path(__file__).parent
GATES = HERE.parent / "gates"

OF_A_MODEL = "test_model.py"
TIMED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lvm-benchmarks", "latency of a model")
    group.addoption("--accepted", help="model that each --model is timed in turns with")
    group.addoption("--dim", type=int, help="width of the embeddings, where the model does not say it")
    group.addoption("--seconds", type=float, default=SECONDS, help="that a batch size takes, about")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Here ``--model`` names what is timed; the plugin of the gates, which is configured next, would gate it."""
    if RUN in config.stash:  # `pytest . --model=...` finds this file when it gates already
        return
    config.stash[TIMED] = config.option.model or []
    if config.stash[TIMED] and any(Path(arg.partition("::")[0]).resolve() == GATES for arg in config.args):
        raise pytest.UsageError("pytest gates/ benchmarks/: gate a model and time it in two commands.")
    config.option.model = None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With a model, only its benchmarks; without one, only those of the engine."""
    if collection_path.parent != HERE or not collection_path.name.startswith("test_"):
        return None
    return True if (collection_path.name == OF_A_MODEL) != bool(config.stash.get(TIMED, [])) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "timed_model" in metafunc.fixturenames:
        metafunc.parametrize("timed_model", metafunc.config.stash[TIMED], scope="session")


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, timed_model: str) -> Bench:
    """The model, and the accepted one beside it, loaded."""
    option = request.config.getoption
    asked = Asked(
        context=option("context"),
        dim=option("dim"),
        device=option("device"),
        root=request.config.invocation_params.dir,
        seconds=option("seconds"),
    )
    try:
        return Bench(timed_model, option("accepted"), asked)
    except UserError as error:
        sentence = str(error)
    pytest.fail(sentence, pytrace=False)


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
        _ = made.bank.vectors, made.target_spread
        return made

    return make
