"""`embed_corpus` with an encoder of its own: what is written, and what a kill leaves."""

import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fake_encoder import FakeEncoder

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.chunk_text import open_chunk_text
from lvm_gates.harness.corpus.corpus import content_fingerprint, open_corpus
from lvm_gates.harness.text.build import WORK, can_resume, embed_corpus, split_articles
from lvm_gates.harness.text.chunking import Chunker
from lvm_gates.harness.text.sources import open_source

PARAGRAPHS = Chunker("paragraph", lambda paragraph: [paragraph], "blank lines")


def write_text(folder, articles=20, chunks=7):
    folder.mkdir(exist_ok=True)
    for a in range(articles):
        text = "\n\n".join(f"Article {a} says {c}{' at length' * (c * a % 5)}." for c in range(chunks))
        (folder / f"{a:03d}.txt").write_text(text + "\n\n----\n")
    return folder


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "text")


def embed(text, out, encoder=None, **more):
    options = {"shard_chunks": 21, "how": "test"} | more
    chunker = options.pop("chunker", PARAGRAPHS)
    return embed_corpus(open_source(str(text)), chunker, encoder or FakeEncoder(), out, **options)


def content(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_corpus_holds_each_chunk_in_reading_order(text, tmp_path):
    encoder = FakeEncoder()
    corpus = embed(text, tmp_path / "out", encoder, dtype="float32")
    expected = encoder.encode([f"Article 3 says {c}{' at length' * (c * 3 % 5)}." for c in range(7)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(corpus.raw(corpus.rows_of(np.array([3]))), expected, atol=1e-6)
    assert corpus.lengths.tolist() == [7] * 20
    assert corpus.chunk_index.tolist() == list(range(7)) * 20
    assert json.loads((tmp_path / "out" / "titles.json").read_text())[3] == "003.txt"
    files = ["articles.npz", "corpus.json", "texts.npy", "texts.utf8", "titles.json", "vectors.npy"]
    assert sorted(content(tmp_path / "out")) == files
    text = open_chunk_text(tmp_path / "out")
    assert [text[row] for row in range(len(text))] == [
        f"Article {a} says {c}{' at length' * (c * a % 5)}." for a in range(20) for c in range(7)
    ]


def test_the_record_says_how_it_was_made(text, tmp_path):
    (text / "empty.md").write_text("----\n\n12\n")
    corpus = embed(text, tmp_path / "out")
    meta = corpus.meta
    assert meta["fingerprint"] == content_fingerprint(corpus)
    assert (meta["dropped_chunks"], meta["empty_articles"], meta["articles"], meta["chunks"]) == (22, 1, 20, 140)
    assert meta["truncated_chunks"] == sum("at length at length at length" in t for t in _all_chunks(text))
    assert meta["encoder"]["name"] == "fake"
    assert (meta["unit"], meta["splitter"], meta["licence"], meta["how"]) == ("paragraph", "blank lines", None, "test")
    assert meta["source"]["name"] == "text"


def _all_chunks(text):
    return [chunk for file in text.glob("*.txt") for chunk in file.read_text().split("\n\n")]


@pytest.mark.parametrize(("articles", "held_out"), [(1, 0), (2, 0), (3, 1), (10, 1), (200, 20)])
def test_the_split_is_seeded_and_80_10_10(articles, held_out):
    splits = split_articles(articles, 0)
    assert [(splits == name).sum() for name in ("VAL", "OOD")] == [held_out, held_out]
    assert splits.tolist() == split_articles(articles, 0).tolist()
    if articles == 200:
        assert splits.tolist() != split_articles(articles, 1).tolist()


def test_shards_leave_no_trace_in_the_vectors(text, tmp_path):
    one = embed(text, tmp_path / "one", shard_chunks=10_000)
    many = embed(text, tmp_path / "many", shard_chunks=1)
    assert one.fingerprint == many.fingerprint


@pytest.mark.parametrize("shards", [0, 1, 4])
def test_an_interrupted_run_goes_on_where_it_stopped(text, tmp_path, shards):
    embed(text, tmp_path / "whole")
    first = FakeEncoder(fail_after=21 * shards)
    with pytest.raises(KeyboardInterrupt):
        embed(text, tmp_path / "out", first)
    assert not (tmp_path / "out" / "corpus.json").exists()
    assert can_resume(tmp_path / "out") == (shards > 0)
    second = FakeEncoder()
    embed(text, tmp_path / "out", second)
    assert len(first.asked) == 21 * shards
    assert sorted(first.asked + second.asked) == sorted(
        f"Article {a} says {c}{' at length' * (c * a % 5)}." for a in range(20) for c in range(7)
    )
    assert content(tmp_path / "out") == content(tmp_path / "whole")


CHILD = """
import os, signal, sys
sys.path[:0] = {path!r}
from test_build import FakeEncoder, embed
from pathlib import Path
def pause(asked):
    if asked >= 63:
        os.kill(os.getpid(), signal.SIGKILL)
embed(Path(sys.argv[1]), Path(sys.argv[2]), FakeEncoder(pause=pause))
"""


def test_kill_9(text, tmp_path):
    """The fourth of seven shards never returns from the encoder: the process is gone, nothing was cleaned up."""
    here = Path(__file__).parent
    script = CHILD.format(path=[str(here), str(here.parents[2])])
    killed = subprocess.run([sys.executable, "-c", script, str(text), str(tmp_path / "out")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert can_resume(tmp_path / "out")
    # What a kill in the middle of writing leaves: half a temporary file.
    (tmp_path / "out" / ".vectors.npy.abc.tmp").write_bytes(b"half")
    encoder = FakeEncoder()
    embed(text, tmp_path / "out", encoder)
    assert len(encoder.asked) == 140 - 63
    embed(text, tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_killed_while_the_corpus_is_put_together(text, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lvm_gates.harness.text.build.write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            embed(text, tmp_path / "out")
    with pytest.raises(UserError, match=r"corpus\.json is missing"):
        open_corpus(tmp_path / "out")
    encoder = FakeEncoder()
    embed(text, tmp_path / "out", encoder)
    assert encoder.asked == []


def _halved(text, out):
    """Six shards of seven, then Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        embed(text, out, FakeEncoder(fail_after=126))


@pytest.mark.parametrize(
    ("encoder", "options", "again"),
    [
        ({}, {}, 14),
        ({"version": 2}, {}, 140),
        ({}, {"dtype": "float32"}, 140),
        ({}, {"shard_chunks": 35}, 140),
        ({}, {"chunker": Chunker("sentence", lambda p: [p[:5], p[5:]], "fifth letter")}, 280),
        ({}, {"seed": 5}, 14),
    ],
    ids=["same", "encoder", "dtype", "shard size", "unit", "seed moves no vector"],
)
def test_shards_of_other_options_are_not_reused(text, tmp_path, encoder, options, again):
    _halved(text, tmp_path / "out")
    second = FakeEncoder(**encoder)
    corpus = embed(text, tmp_path / "out", second, **options)
    assert len(second.asked) == again
    assert corpus.fingerprint == embed(text, tmp_path / "whole", FakeEncoder(**encoder), **options).fingerprint


def test_a_changed_article_costs_its_own_shard_only(text, tmp_path):
    _halved(text, tmp_path / "out")
    (text / "004.txt").write_text((text / "004.txt").read_text().replace("says 3", "says three"))
    encoder = FakeEncoder()
    embed(text, tmp_path / "out", encoder)
    assert len(encoder.asked) == 21 + 14
    assert any("says three" in chunk for chunk in encoder.asked)


def test_a_damaged_shard_is_made_again(text, tmp_path):
    _halved(text, tmp_path / "out")
    shard = sorted((tmp_path / "out" / WORK).iterdir())[2]
    shard.write_bytes(shard.read_bytes()[:100])
    encoder = FakeEncoder()
    embed(text, tmp_path / "out", encoder)
    assert len(encoder.asked) == 21 + 14


def test_text_that_changes_under_way_is_refused(text, tmp_path):
    def pause(asked):
        if asked == 21:
            (text / "019.txt").write_text("Another end.")

    with pytest.raises(UserError, match="text: changed while it was read"):
        embed(text, tmp_path / "out", FakeEncoder(pause=pause))


@pytest.mark.parametrize("fault", [0.0, np.nan])
def test_a_vector_without_direction_is_named(text, tmp_path, fault):
    class Broken(FakeEncoder):
        def encode(self, texts):
            return super().encode(texts) * [[fault if "Article 5 says 2" in text else 1.0] for text in texts]

    with pytest.raises(UserError, match="'Article 5 says 2"):
        embed(text, tmp_path / "out", Broken())


def test_progress_ends_at_all_chunks(text, tmp_path):
    seen = []
    embed(text, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 140)
    assert seen[-1] == (140, 140)


def test_memory_is_bounded_by_a_shard(tmp_path):
    """Ten times the text takes less than a tenth of its vectors more."""
    peaks = []
    for articles in (12, 120):
        text = write_text(tmp_path / str(articles), articles=articles)
        encoder = FakeEncoder()
        encoder.dim = 1024
        encoder.asked = type("Forgetful", (list,), {"extend": lambda self, texts: None})()
        tracemalloc.start()
        corpus = embed(text, tmp_path / f"out{articles}", encoder, dtype="float32")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.1 * corpus.stored.nbytes
