"""What an error tells the user to do is done here as told, and then the command that failed works."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from first_letters import FirstLetters

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.cli.data import main
from lvm_gates.harness.corpus.article_lists import parse_articles
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.text import embedding

DIM = 16
PARAGRAPHS = ("--unit", "paragraph")  # sentences are found by a package that need not be installed


def lvm_data(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def judged(corpus, **more):
    """What a session would judge on."""
    arguments = CorpusArguments(corpus=corpus, **more)
    return resolve(arguments, context=3, max_samples=100, horizon=2, seed=0, first_in_file=False)


def refusal(corpus):
    with pytest.raises(UserError) as caught:
        judged(corpus)
    return str(caught.value)


def advised(sentence, out):
    """The one command that a sentence quotes, with a folder in place of DIR."""
    (command,) = re.findall(r"`(lvm-data [^`]*)`", sentence)
    return [str(out) if word == "DIR" else word for word in shlex.split(command)[1:]]


def articles_file(path, articles=12, **more):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((articles * 8, DIM)).astype(np.float32)
    arrays = {
        "embeddings": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "article_indices": np.repeat(np.arange(articles), 8),
        "chunk_indices": np.tile(np.arange(8), articles),
    }
    np.savez(path, **arrays | more)
    return path


@pytest.mark.parametrize("articles", [3, 4, 5, 12, 40])
def test_what_was_imported_can_be_judged_on(tmp_path, articles):
    file = articles_file(tmp_path / "a.npz", articles)
    assert lvm_data("import", file, "--out", tmp_path / "c").exit_code == 0
    inputs = judged(tmp_path / "c")
    assert inputs.has_training_split
    assert all(len(inputs.evaluation[split].articles) >= 1 for split in ("VAL", "OOD"))


@pytest.mark.parametrize("articles", [3, 4, 5, 12])
@pytest.mark.parametrize("missing", [("--ood", "0"), ("--val", "0"), ("--val", "0", "--ood", "0")])
def test_a_corpus_without_a_split_is_split_as_told(tmp_path, articles, missing):
    out = tmp_path / "my corpus"
    assert lvm_data("import", articles_file(tmp_path / "a.npz", articles), "--out", out, *missing).exit_code == 0
    told = lvm_data(*advised(refusal(out), tmp_path / "unused"))
    assert told.exit_code == 0, told.output
    judged(out)


def test_a_corpus_too_small_to_split_says_so(tmp_path):
    lvm_data("import", articles_file(tmp_path / "a.npz", 2), "--out", tmp_path / "c")
    assert "2 articles cannot be split in three; " in refusal(tmp_path / "c")


def test_an_article_file_is_judged_on_as_told(tmp_path):
    file = articles_file(tmp_path / "a.npz")
    said = refusal(file)
    assert "name both splits with --val-articles and --ood-articles" in said
    low, high = map(int, re.search(r"ids run from (\d+) to (\d+)", said).groups())
    middle = (low + high) // 2
    judged(file, val_articles=f"{low}-{middle}", ood_articles=f"{middle + 1}-{high}")
    assert parse_articles(f"{low}-{high}", "") == list(range(12))


def test_bare_vectors_are_judged_and_imported_as_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.load(articles_file(tmp_path / "a.npz")) as arrays:
        np.save("emb.npy", arrays["embeddings"])
        known = {"article": arrays["article_indices"], "chunk": arrays["chunk_indices"]}
    said = refusal(Path("emb.npy"))
    for name, values in zip(re.findall(r"as (emb_\w+\.npy)", said), known.values(), strict=True):
        np.save(name, values)
    assert "name both splits with --val-articles" in refusal(Path("emb.npy"))
    inputs = judged(Path("emb.npy"), val_articles="0-3", ood_articles="4-7")
    assert inputs.corpus.path == Path("emb.npy")
    assert inputs.has_training_split
    for side in tmp_path.glob("emb_*"):
        side.rename(side.with_name(side.name.replace("emb", "of")))
    command = [word.replace("FILE", "of_article_ids.npy") for word in advised(said, "c")]
    told = lvm_data(*command, "--chunk-numbers", "of_chunk_indices.npy")
    assert told.exit_code == 0, told.output
    judged(Path("c"))


@pytest.mark.parametrize("name", ["a.txt", "deep/er/b.md", "UPPER.RST"])
def test_a_folder_of_texts_is_embedded_as_told(tmp_path, monkeypatch, name):
    monkeypatch.setattr(embedding, "SentenceEncoder", FirstLetters)
    for i in range(12):
        file = tmp_path / "my texts" / f"{i}" / name
        file.parent.mkdir(parents=True)
        file.write_text(f"Paragraph {i}.\n\nAnother.\n\nThe third.\n\n" * 3)
    command = advised(refusal(tmp_path / "my texts"), tmp_path / "c")
    assert command[0] == "embed"
    told = lvm_data(*command, *PARAGRAPHS)
    assert told.exit_code == 0, told.output
    judged(tmp_path / "c")


def test_a_file_of_json_lines_is_embedded_as_told(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "SentenceEncoder", FirstLetters)
    text = "A paragraph.\n\nAnother.\n\nThe third.\n\n" * 3
    lines = [json.dumps({"title": f"T{i}", "text": text}) for i in range(12)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    told = lvm_data(*advised(refusal(tmp_path / "texts.jsonl"), tmp_path / "c"), *PARAGRAPHS)
    assert told.exit_code == 0, told.output
    judged(tmp_path / "c")


def test_a_folder_of_article_files_is_imported_as_told(tmp_path):
    (tmp_path / "files").mkdir()
    articles_file(tmp_path / "files" / "a.npz")
    articles_file(tmp_path / "files" / "b b.npz")
    told = lvm_data(*advised(refusal(tmp_path / "files"), tmp_path / "c"))
    assert told.exit_code == 0, told.output
    assert len(judged(tmp_path / "c").corpus.starts) == 24


@pytest.mark.parametrize("there", [False, True], ids=["absent", "empty"])
def test_a_corpus_that_is_not_there_is_drawn_as_told(tmp_path, there):
    if there:
        (tmp_path / "c").mkdir()
    command = advised(refusal(tmp_path / "c"), tmp_path / "unused")
    told = lvm_data(*command, "--articles", "30", "--dim", "28")
    assert told.exit_code == 0, told.output
    judged(tmp_path / "c")


def test_what_nothing_can_be_made_of_is_told_what_a_corpus_is(tmp_path):
    (tmp_path / "data.csv").write_text("1,2\n")
    for path in (tmp_path, tmp_path / "data.csv"):
        assert "`" not in refusal(path)
        assert "a corpus is a folder" in refusal(path)
