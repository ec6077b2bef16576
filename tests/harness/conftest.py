"""Small corpora with known faults, predictors with known behaviour, and observations made by hand."""

import itertools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, Spread
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.judging.additions import NOTHING_ADDED
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.worlds.world import synthesise

HEALTHY = Spread(300.0, 300.0, 0.9, 512)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Nothing a test unpacks or draws lands in the user's cache."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def fresh_folder(tmp_path_factory):
    """A new empty folder at each call, for tests that make many corpora."""
    root, count = tmp_path_factory.mktemp("fresh"), itertools.count()

    def make():
        folder = root / str(next(count))
        folder.mkdir()
        return folder

    return make


@pytest.fixture(scope="session")
def make_corpus(fresh_folder):
    """Writes a corpus of random unit vectors.

    make_corpus(lengths, dim=8, splits="VAL", seed=0, jumps={row: step}, copies={row: source row}, vectors=None, ...):
    ``jumps`` sets the step of chunk_index into a row (1 is contiguous), ``copies`` makes rows equal to others.
    """

    def make(
        lengths,
        dim=8,
        splits="VAL",
        *,
        seed=0,
        jumps=None,
        copies=None,
        vectors=None,
        article_ids=None,
        dtype="float32",
        meta=None,
        folder=None,
    ):
        lengths = np.asarray(lengths)
        total = int(lengths.sum())
        if vectors is None:
            vectors = unit(np.random.default_rng(seed).standard_normal((total, dim)))
        vectors = np.array(vectors, dtype=np.float32)
        for row, source in (copies or {}).items():
            vectors[row] = vectors[source]
        chunk_index = []
        row = 0
        for length in lengths:
            at = 0
            for position in range(length):
                if position:
                    at += (jumps or {}).get(row, 1)
                chunk_index.append(at)
                row += 1
        splits = [splits] * len(lengths) if isinstance(splits, str) else splits
        return write_corpus(
            folder or fresh_folder(),
            vectors,
            lengths,
            splits=np.array(splits, dtype="<U5"),
            article_ids=article_ids,
            chunk_index=np.array(chunk_index),
            meta={"kind": "test"} if meta is None else meta,
            dtype=dtype,
        )

    return make


@pytest.fixture(scope="session")
def make_set():
    """The evaluation set of one split: make_set(corpus, split="VAL", context=3, seed=0, horizon=3)."""

    def make(corpus, split="VAL", *, context=3, seed=0, horizon=3):
        articles = corpus.articles(split)
        return EvaluationSet(split, windows_of(corpus, articles, context), articles, seed, horizon)

    return make


@pytest.fixture(scope="session")
def as_named():
    """Wrap something with predict() or predict_knowing() as a `NamedPredictor`."""
    return lambda predictor, name="test": NamedPredictor(Identity(name), predictor)


@dataclass
class Scrambler:
    """A predictor without any symmetry: every frame and its place matter, and so does feeding outputs back."""

    context: int
    dim: int

    def predict(self, contexts):
        rng = np.random.default_rng([self.context, self.dim])
        weights = rng.standard_normal((self.context, self.dim, self.dim))
        # One row at a time, so that not even rounding depends on the batch.
        rows = [np.tanh(np.einsum("cd,cde->e", one.astype(np.float64), weights)) for one in contexts]
        return np.array(rows).reshape(len(contexts), self.dim)


@pytest.fixture(scope="session")
def scrambler():
    """scrambler(context, dim): a deterministic predictor that depends on every frame and on order."""
    return Scrambler


@dataclass
class Peek:
    """Returns the chunk at offset k, indexed here and not by the engine; the target where that row does not exist."""

    corpus: Any
    k: int

    def predict_knowing(self, contexts, rows):
        wanted = rows - 1 + self.k
        inside = (wanted >= 0) & (wanted < self.corpus.size)
        return self.corpus.vectors(np.where(inside, wanted, rows))


@pytest.fixture(scope="session")
def peek():
    """peek(corpus, k): an oracle of the chunk at offset k."""
    return Peek


@pytest.fixture(scope="session")
def make_observations():
    """Observations by hand: make_observations(n, clusters=..., cosine=..., context=5, horizon=5, **columns).

    Columns not given are those of a healthy, perfect model.
    """

    def make(n=60, *, context=5, horizon=5, spread=HEALTHY, target_spread=HEALTHY, rank_without=None, **given):
        columns = {
            "rows": np.arange(n),
            "clusters": np.arange(n) % 12,
            "cosine": np.ones(n),
            "coherence": np.full(n, 0.5),
            "nearest_context": np.full(n, 0.5),
            "nearest_reference": np.full(n, 0.5),
            "offset": np.tile([0.1, 0.2, 0.3, 0.4, 1.0, 0.4, 0.3], (n, 1)),
            "offset_exists": np.ones(n, dtype=bool),
            "rank": np.ones((n, 3)),
            "pool_size": np.full((n, 3), 50),
            "ablation": np.tile([-0.5] * (2 + context) + [0.0, 0.0], (n, 1)),
            "cross_exists": np.ones(n, dtype=bool),
            "index_sample": np.full((n, 2), np.nan),
            "rollout": np.ones((n, horizon)),
            "rollout_exists": np.ones(n, dtype=bool),
            "finite": np.ones(n, dtype=bool),
        }
        unknown = given.keys() - columns.keys()
        assert not unknown, unknown
        columns |= {name: np.asarray(value) for name, value in given.items()}
        if rank_without is None:
            rank_without = np.full((RANK_GROUPS, 3), np.nan)
        assert set(columns) | {"spread", "target_spread", "rank_without"} == {f.name for f in fields(Observations)}
        return Observations(**columns, spread=spread, target_spread=target_spread, rank_without=rank_without)

    return make


@pytest.fixture(scope="session")
def make_run(tmp_path_factory):
    """A `GateRun` over a corpus folder: make_run(corpus, profile="5cat", models=(), max_samples=400, ...)."""

    def make(
        corpus,
        profile="5cat",
        models=(),
        *,
        context=5,
        max_samples=400,
        horizon=5,
        seed=0,
        additions=NOTHING_ADDED,
        **arguments,
    ):
        rows = [row for gate in additions.gates for row in gate.thresholds]
        settings = Settings(
            models=tuple(models),
            profile=load_profile(profile).with_thresholds(rows),
            task="frontier",
            rule="strict",
            seed=seed,
            batch_size=256,
            additions=additions,
        )
        inputs = resolve(
            CorpusArguments(corpus=corpus.path, **arguments),
            context=context,
            max_samples=max_samples,
            horizon=horizon,
            seed=seed,
            first_in_file=settings.profile.protocol == "published",
        )
        return GateRun(settings, inputs, [], tmp_path_factory.mktemp("run"))

    return make


@pytest.fixture(scope="session")
def wiki(tmp_path_factory):
    """A small world whose similarity decays as on Wikipedia."""
    return synthesise("wiki", tmp_path_factory.mktemp("wiki"), articles=60, dim=64)


@pytest.fixture(scope="session")
def arrow(tmp_path_factory):
    """A small world whose future is predictable and unlike the present."""
    return synthesise("arrow", tmp_path_factory.mktemp("arrow"), articles=60, dim=64)


@pytest.fixture(scope="session")
def switch(tmp_path_factory):
    """A small world whose future no linear map predicts: the embedded default in little."""
    return synthesise("switch", tmp_path_factory.mktemp("switch"), articles=100)
