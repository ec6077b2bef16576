"""`lvm-data score` as typed."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import sentence

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus, write_corpus
from lvm_gates.harness.corpus.curriculum import DEFINITIONS
from lvm_gates.harness.corpus.curriculum_files import read_stage
from lvm_gates.harness.corpus.windows import windows_of


def run(*arguments):
    return CliRunner().invoke(main, ["score", *(str(argument) for argument in arguments)])


@pytest.fixture
def folder(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((120, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    splits = np.array(["TRAIN"] * 8 + ["VAL"] * 4)
    write_corpus(tmp_path / "corpus", vectors, np.full(12, 10), splits=splits, meta={"kind": "test"})
    return tmp_path / "corpus"


def test_the_table_shows_every_definition_and_stage(folder):
    result = run("--corpus", folder)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    assert [row[0] for row in rows if row[0]] == list(DEFINITIONS)
    assert [row[1] for row in rows] == ["A", "B", "C"] * 4
    # 8 articles of 10 chunks have 5 windows each.
    assert [row[2] for row in rows] == ["12", "28", "40"] * 4
    assert not any("[" in cell for row in rows for cell in row[3:])  # eight articles have no interval
    # The whole is the same whatever the order; the most similar come first under one score and last under another.
    assert len({tuple(row[3:]) for row in rows if row[1] == "C"}) == 1
    first = {name: float(row[3].split()[0]) for name, row in zip(DEFINITIONS, rows[::3], strict=True)}
    assert first["as-run"] < first["corrected"]


def test_stages_are_index_files_of_the_split(folder, tmp_path):
    result = run("--corpus", folder, "--by", "advantage", "--out", tmp_path / "stages", "--context", "4")
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in (tmp_path / "stages").iterdir()) == [
        "stage_a.npy",
        "stage_b.npy",
        "stage_c.npy",
        "stages.json",
    ]
    corpus = open_corpus(folder)
    whole = windows_of(corpus, np.arange(8), 4)
    assert read_stage(tmp_path / "stages", "c", corpus).targets.tolist() == whole.targets.tolist()
    assert len(read_stage(tmp_path / "stages", "a", corpus)) == 15
    record = json.loads((tmp_path / "stages" / "stages.json").read_text())
    assert (record["score"], record["context"], record["fingerprint"]) == ("advantage", 4, corpus.fingerprint)
    assert "give --overwrite" in sentence(run("--corpus", folder, "--by", "plan", "--out", tmp_path / "stages"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "as-ran", "--out", "x"], "did you mean 'as-run'"),
        (["--by", "plan"], "--by and --out belong together"),
        (["--out", "x"], "--by and --out belong together"),
        (["--split", "OOD"], "no OOD article has 6 chunks in a row"),
        (["--split", "train"], "no such split"),
        (["--context", "10"], "no TRAIN article has 11 chunks in a row"),
        (["--context", "1"], "give at least 2"),
    ],
)
def test_score_tells_a_mistake_in_one_sentence(folder, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in sentence(run("--corpus", folder, *arguments))
    assert not (tmp_path / "x").exists()


def test_a_vector_without_a_direction_is_named_where_it_is_scored(folder, tmp_path):
    corpus = open_corpus(folder)
    vectors = corpus.raw(np.arange(120))
    vectors[73] = np.nan
    write_corpus(tmp_path / "bad", vectors, corpus.lengths, splits=corpus.splits, meta={"kind": "test"})
    assert "chunk 3 of article 7 holds NaN" in sentence(run("--corpus", tmp_path / "bad"))
    assert run("--corpus", tmp_path / "bad", "--split", "VAL").exit_code == 0
