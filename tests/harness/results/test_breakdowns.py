"""Where windows stand, and the sentences that a model missed: of which rows, how much, and where there are none."""

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.chunk_text import open_chunk_text
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.results import breakdowns as module
from lvm_gates.harness.results.breakdowns import FRAMES, LETTERS, breakdowns, cut, places

LENGTHS, CONTEXT = [9, 12, 8], 3


def written(folder, texts, lengths=LENGTHS):
    return write_corpus(
        folder,
        unit(np.random.default_rng(0).standard_normal((sum(lengths), 4))).astype(np.float32),
        np.array(lengths),
        splits=np.array(["VAL", "OOD", "VAL"]),
        article_ids=np.array([70, 40, 50]),
        chunk_index=np.arange(sum(lengths)) + 100 * np.repeat(np.arange(3), lengths),
        meta={"kind": "test"},
        texts=texts,
    )


@pytest.fixture
def observed_run(tmp_path, make_run, make_observations, monkeypatch):
    """A run that has observed model "m" and ridge: observed_run(texts=..., profile="5cat", faults=(), context=3)."""

    def make(*, texts=None, profile="5cat", faults=(), context=CONTEXT):
        run = make_run(written(tmp_path / "corpus", texts), profile, models=("m",), context=context, horizon=2)

        def observations(name, split):
            windows = run.inputs.evaluation[split].windows
            # The model is the worse the later the window, ridge everywhere alike.
            cosine = np.linspace(0.9, 0.1, len(windows)) if name == "m" else np.full(len(windows), 0.5)
            given = {"rows": windows.targets, "clusters": windows.clusters, "cosine": cosine}
            return make_observations(len(windows), context=context, horizon=2, **given)

        def last_window(model):
            return {s: np.arange(len(e.windows)) + 1 == len(e.windows) for s, e in run.inputs.evaluation.items()}

        monkeypatch.setattr(run.observing, "observations", observations)
        monkeypatch.setattr(run.observing, "faults", lambda model: faults)
        monkeypatch.setattr(run, "left_out_of", last_window)
        return run

    return make


def numbered():
    return [f"chunk\n {row}" for row in range(sum(LENGTHS))]


def test_windows_and_articles_get_the_text_of_their_own_rows(observed_run):
    found = breakdowns(observed_run(texts=numbered()), "m")
    worst = found["VAL"].windows[0]
    # The last window, whose target is row 28, is left out.
    assert (worst.row, worst.article, worst.chunk, worst.ridge) == (27, 50, 227, 0.5)
    assert (worst.context, worst.target) == (["chunk 24", "chunk 25", "chunk 26"], "chunk 27")
    assert [(one.article, one.text) for one in found["VAL"].articles] == [(70, "chunk 0")]
    assert [(one.article, one.text) for one in found["OOD"].articles] == [(40, "chunk 9")]
    assert found["OOD"].windows[0].target == "chunk 19"


def test_of_a_longer_context_the_last_frames_are_kept(observed_run):
    worst = breakdowns(observed_run(texts=numbered(), context=FRAMES + 1), "m")["OOD"].windows[0]
    assert worst.context == [f"chunk {row}" for row in range(worst.row - FRAMES, worst.row)]


def test_a_corpus_without_text_loses_the_sentences_and_nothing_else(observed_run):
    with_text, without = (breakdowns(observed_run(texts=texts), "m")["VAL"] for texts in (numbered(), None))
    assert (without.windows[0].context, without.windows[0].target, without.articles[0].text) == ([], "", "")
    assert without.slices == with_text.slices
    assert [one.row for one in without.windows] == [one.row for one in with_text.windows]


def test_text_of_other_vectors_is_left_out(observed_run, tmp_path, monkeypatch):
    run = observed_run(texts=numbered())
    written(tmp_path / "other", ["another"] * 30, [9, 12, 9])
    monkeypatch.setattr(module, "open_chunk_text", lambda folder: open_chunk_text(tmp_path / "other"))
    assert breakdowns(run, "m")["VAL"].windows[0].target == ""


def test_damaged_text_is_left_out(observed_run):
    run = observed_run(texts=numbered())
    blob = run.inputs.corpus.path / "texts.utf8"
    blob.write_bytes(blob.read_bytes()[:-3])
    assert breakdowns(run, "m")["VAL"].windows[0].target == ""


@pytest.mark.parametrize("given", [{"profile": "5cat-published"}, {"faults": ("broke",)}])
def test_there_is_none_of_a_model_that_broke_or_under_the_original_protocol(observed_run, given):
    assert breakdowns(observed_run(**given), "m") == {}


def test_places_are_those_of_the_source(observed_run):
    found = places(observed_run().inputs.evaluation["OOD"])
    assert set(found.article) == {40}
    assert set(found.length) == {12}
    np.testing.assert_array_equal(found.chunk, np.arange(9 + CONTEXT, 21) + 100)
    np.testing.assert_allclose(found.position, np.arange(CONTEXT, 12) / 11)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("two\n  lines\t", "two lines"),
        ("x" * LETTERS, "x" * LETTERS),
        ("x" * (LETTERS + 1), "x" * (LETTERS - 1) + "…"),
        ("x" * (LETTERS - 2) + " and more", "x" * (LETTERS - 2) + "…"),
        ("", ""),
    ],
)
def test_a_chunk_is_cut_to_one_line(text, kept):
    assert cut(text) == kept
