"""`lvm-data embed` as typed, with an encoder of its own in place of sentence-transformers."""

import sys

import pytest
from click.testing import CliRunner
from first_letters import FirstLetters

from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.text import embedding


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr(embedding, "SentenceEncoder", FirstLetters)


@pytest.fixture
def embed(tmp_path):
    (tmp_path / "text").mkdir()
    for a in range(12):
        (tmp_path / "text" / f"{a}.txt").write_text(f"Article {a}.\n\nThe second paragraph of {a}.\n\n***\n")

    def run(*more, source=tmp_path / "text"):
        options = ["--out", tmp_path / "out", "--unit", "paragraph", *more]
        return CliRunner().invoke(main, ["embed", *map(str, [source, *options])])

    return run


def test_it_writes_a_corpus_and_says_so(embed, tmp_path):
    result = embed("--max-chunk-tokens", 9, "--licence", "CC0-1.0", "--dtype", "float32")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"{tmp_path / 'out'}: 12 articles (10 TRAIN, 1 VAL, 1 OOD), 24 chunks, 26 dimensions",
        "left out: 12 chunks without a letter, 0 empty articles; cut short by the model: 0 chunks",
    ]
    meta = open_corpus(tmp_path / "out").meta
    assert meta["licence"] == "CC0-1.0"
    assert meta["how"] == (
        "lvm-data embed text --model default --unit paragraph --dtype float32 --max-chunk-tokens 9 --seed 0"
    )


def test_a_finished_corpus_is_not_replaced_unasked(embed, tmp_path):
    assert embed().exit_code == 0
    assert "give --overwrite" in embed("--seed", 1).stderr
    assert embed("--seed", 1, "--overwrite").exit_code == 0
    assert open_corpus(tmp_path / "out").meta["split"]["seed"] == 1


def test_an_interrupted_one_is_finished_by_the_same_command(embed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lvm_gates.harness.text.build._assemble", lambda *_: sys.exit(9))
        assert embed().exit_code == 9
    assert embed().exit_code == 0
    assert open_corpus(tmp_path / "out").size == 24


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"source": "nowhere"}, "nowhere: no such folder or file"),
        ({"more": ["--device", "abacus"]}, "unknown device 'abacus'"),
    ],
)
def test_a_mistake_is_one_sentence(embed, tmp_path, arguments, said):
    result = embed(*arguments.pop("more", []), **arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
