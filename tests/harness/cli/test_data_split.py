"""`lvm-data split` as typed."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import content_fingerprint, open_corpus, write_corpus
from lvm_gates.harness.corpus.splitting import DIGEST, split_digest


def run(*arguments):
    return CliRunner().invoke(main, ["split", *(str(argument) for argument in arguments)])


@pytest.fixture
def folder(tmp_path):
    """Twenty articles with ids 100, 101 …; chunk 3 of article 105 stands again in article 110."""
    vectors = np.random.default_rng(0).standard_normal((160, 32)).astype(np.float32)
    vectors[10 * 8 + 1] = vectors[5 * 8 + 3]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_corpus(
        tmp_path / "corpus",
        vectors,
        np.full(20, 8),
        splits=np.full(20, ""),
        article_ids=np.arange(100, 120),
        meta={"kind": "test", "encoder": "mine"},
    )
    return tmp_path / "corpus"


def test_split_draws_and_records_how(folder):
    before = open_corpus(folder).fingerprint
    result = run(folder, "--val", "0.2", "--ood", "0.1", "--strata", "4", "--seed", "3")
    assert result.exit_code == 0, result.output
    corpus = open_corpus(folder)
    assert [len(corpus.articles(split)) for split in ("TRAIN", "VAL", "OOD")] == [14, 4, 2]
    assert corpus.fingerprint == content_fingerprint(corpus) == before
    assert corpus.meta["encoder"] == "mine"
    assert corpus.meta["split"] == {
        "by": "strata of coherence",
        "val": 0.2,
        "ood": 0.1,
        "strata": 4,
        "seed": 3,
        "articles": {"TRAIN": 14, "VAL": 4, "OOD": 2},
        DIGEST: split_digest(corpus.article_ids, corpus.splits),
    }
    assert "TRAIN" in result.output


def test_split_by_ranges_reports_what_splits_share(folder):
    result = run(folder, "--val-articles", "103-105", "--ood-articles", "107,200", "--exclude", "118-140")
    assert result.exit_code == 0, result.output
    corpus = open_corpus(folder)
    assert corpus.article_ids[corpus.articles("VAL")].tolist() == [103, 104, 105]
    assert corpus.article_ids[corpus.articles("OOD")].tolist() == [107]
    assert corpus.article_ids[corpus.splits == ""].tolist() == [118, 119]
    assert (
        "VAL in TRAIN: 1, share .042, n = 24; closest: chunk 3 of article 105 and chunk 1 of article 110, cosine 1.000"
        in result.output
    )
    assert "OOD in TRAIN: 0, share .000, n = 8" in result.output
    assert corpus.meta["split"]["exclude"] == "118-140"


def test_split_can_be_done_again(folder):
    run(folder)
    first = open_corpus(folder).splits.tolist()
    run(folder, "--seed", "1")
    assert open_corpus(folder).splits.tolist() != first
    run(folder, "--seed", "0")
    assert open_corpus(folder).splits.tolist() == first


def test_a_killed_split_is_refused_by_readers_and_mended_by_itself(folder, tmp_path):
    """Killed for good: the process is gone before the second of the two files takes its place."""
    script = (
        "import os, sys, pathlib\n"
        "from lvm_gates.harness.cli.data import main\n"
        "replace = pathlib.Path.replace\n"
        "def last(self, target):\n"
        "    if pathlib.Path(target).name == 'articles.npz':\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = last\n"
        "main(['split', *sys.argv[1:]])\n"
    )
    arguments = [str(folder), "--val", "0.3", "--seed", "5"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    said = sentence(CliRunner().invoke(main, ["audit", "--corpus", str(folder)]))
    assert "the splits in articles.npz are not those that corpus.json records" in said
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    assert run(*arguments).exit_code == 0
    assert CliRunner().invoke(main, ["audit", "--corpus", str(folder), "--context", "3"]).exit_code == 0
    assert [len(open_corpus(folder).articles(split)) for split in ("TRAIN", "VAL", "OOD")] == [12, 6, 2]
    # Another split does as well: nothing of the half done one is needed.
    assert run(whole, "--val", "0.2").exit_code == 0
    assert CliRunner().invoke(main, ["audit", "--corpus", str(whole), "--context", "3"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--val", "0.01"], "leaves VAL empty"),
        (["--val", "0.6", "--ood", "0.4"], "leave TRAIN empty"),
        (["--val-articles", "1-5"], "no article of the VAL split is in the corpus, whose ids run from 100 to 119"),
        (["--val-articles", "100-105", "--ood-articles", "105"], "in both VAL and OOD"),
        (["--val-articles", "100", "--exclude", "100"], "in both VAL and --exclude"),
        (["--val-articles", "100-119"], "leave TRAIN empty"),
        (["--exclude", "x"], "is no article range"),
        (["--val-articles", "100", "--seed", "3"], "give options of one kind"),
    ],
)
def test_split_tells_a_mistake_in_one_sentence_and_changes_nothing(folder, arguments, said):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert said in sentence(run(folder, *arguments))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_split_needs_a_corpus_that_can_be_read(folder, tmp_path):
    assert "no such corpus folder" in sentence(run(tmp_path / "nowhere"))
    assert "lvm-data import" in sentence(run(tmp_path / "a.npz"))
    vectors = np.load(folder / "vectors.npy")
    vectors[9] = 0
    np.save(folder / "vectors.npy", vectors)
    assert "chunk 1 of article 101 is a zero vector" in sentence(run(folder))
    assert "split" not in json.loads((folder / "corpus.json").read_text())
