"""A small corpus with text, a network, a report that releases it, and a server over them in this process."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from msgspec.structs import replace

from lvm_gates.gates.options import OPTION_NAMES
from lvm_gates.gates.session import open_run
from lvm_gates.harness.base.atomic import write_json
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.chunk_text import TEXT, write_chunk_text
from lvm_gates.harness.corpus.corpus import open_corpus, write_corpus
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.report import write
from lvm_gates.harness.results.model import Arguments
from lvm_gates.harness.results.scorecard import build_scorecard
from lvm_gates.harness.text.chunking import Chunker
from lvm_gates.models.registry import build
from lvm_gates.serving.app import create_app
from lvm_gates.serving.passage import Reader
from lvm_gates.serving.settings import Settings
from lvm_gates.serving.start import start

DIM, CONTEXT, ARTICLES, LENGTH = 16, 5, 24, 20
WORDS = "Row {}."


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing a test unpacks or draws lands in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Articles on a few subjects, each chunk beside its words."""
    rng = np.random.default_rng(0)
    subject = unit(rng.standard_normal((6, DIM)))
    vectors = unit(np.repeat(subject[np.arange(ARTICLES) % 6], LENGTH, axis=0) + 0.2 * rng.standard_normal((480, DIM)))
    folder = tmp_path_factory.mktemp("served") / "corpus"
    splits = np.resize(["TRAIN", "VAL", "OOD"], ARTICLES)
    write_corpus(folder, vectors, np.full(ARTICLES, LENGTH), splits=splits, meta={"kind": "test"}, dtype="float32")
    meta = read_json(folder / "corpus.json", 1 << 20)
    write_json(folder / "corpus.json", meta | {TEXT: write_chunk_text(folder, map(WORDS.format, range(480)))})
    write_json(folder / "titles.json", [f"Article {n}" for n in range(ARTICLES)])
    return open_corpus(folder)


@dataclass
class StubEncoder:
    """Knows the words of the corpus; anything else has a direction far from all of it."""

    vectors: Any
    name: str = "stub"
    dim: int = DIM
    identity: dict[str, Any] = field(default_factory=dict)

    def encode(self, texts):
        return np.array([self._one(text) for text in texts], dtype=np.float32)

    def truncated(self, texts):
        return 0

    def _one(self, text):
        if text.startswith("Row "):
            return self.vectors[int(text[4:].rstrip("."))]
        return np.full(DIM, np.nan) if text == "Nothing." else -self.vectors[:240].mean(axis=0)


@pytest.fixture(scope="session")
def reader(corpus):
    """Cuts at full stops, and embeds as the corpus was."""
    split = lambda paragraph: [f"{one.strip()}." for one in paragraph.split(".") if one.strip()]  # noqa: E731
    return Reader(Chunker("sentence", split, "full stops"), StubEncoder(corpus.vectors(np.arange(480))))


def make_network(path, seed=0):
    torch.manual_seed(seed)
    torch.save(build("gru", input_dim=DIM, output_dim=DIM, width=16).state_dict(), path)
    return path


def report_on(model, corpus, folder, verdict):
    """A report of a real session, with another verdict written over its own."""
    options = {"profile": "5cat", "task": "frontier", "require": "strict", "max_samples": 60, "horizon": 2, "seed": 0}
    options |= {
        "device": "cpu",
        "batch_size": 256,
        "batch_timeout": 60.0,
        "corpus": str(corpus),
        "model": [str(model)],
    }
    work = folder.parent / f"work-{folder.name}"
    work.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "render_html", lambda card: f'<meta name="report-id" content="{card.report_id}">')
        run = open_run(dict.fromkeys(OPTION_NAMES) | options, work, Path.cwd())
        card = build_scorecard(run, Arguments(), {})
        judged = [replace(each, verdict=verdict, reasons=[f"said to be {verdict}"]) for each in card.models]
        write.write_report(replace(card, models=judged), run, folder)


@pytest.fixture(scope="session")
def shelf(corpus, tmp_path_factory):
    """Folder with `good.pt`, released by `good-report/`; `held.pt`, held by `held-report/`; `new.pt`, never judged."""
    root = tmp_path_factory.mktemp("shelf")
    for seed, (name, verdict) in enumerate([("good", "release"), ("held", "hold")]):
        report_on(make_network(root / f"{name}.pt", seed), corpus.path, root / f"{name}-report", verdict)
    make_network(root / "new.pt", 2)
    return root


@pytest.fixture(scope="session")
def settings(shelf, corpus):
    """settings(**changes): of a server of `good.pt` that looks for nothing new."""

    def make(model="good.pt", **changes):
        return Settings(**{"model": str(shelf / model), "corpus": corpus.path, "watch_s": 0.0} | changes)

    return make


@pytest.fixture(scope="session")
def make_server(settings, reader):
    """make_server(**changes of settings): with the stub for an encoder."""

    def make(*, text=True, **changes):
        server = start(settings(**changes))
        if text:
            server.reader = reader
        return server

    return make


@contextmanager
def client_of(server):
    with TestClient(create_app(server), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(make_server):
    """A client of a server of a released model."""
    with client_of(make_server()) as client:
        yield client


@pytest.fixture
def serve():
    """`client_of`, for tests with a server of their own."""
    return client_of
