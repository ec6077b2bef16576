"""A model is not judged on what it was trained on: by content, also after renaming, rescaling and re-splitting."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_gates.harness.corpus.corpus import open_corpus, write_corpus
from lvm_gates.harness.evaluation.contamination import RECORD, article_hashes
from lvm_gates.harness.evaluation.recorded_leaks import record_of
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.leaks.record_file import FIELD, record_fields
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.model import Arguments
from lvm_gates.harness.results.scorecard import build_scorecard
from lvm_gates.models.registry import build

MakeRun = Callable[..., GateRun]


@pytest.fixture
def checkpoint(arrow: Path, tmp_path: Path) -> Callable[..., str]:
    """A small untrained network that claims to have been trained on some articles of dataset `arrow`."""

    def write(articles: np.ndarray) -> str:
        corpus = open_corpus(arrow)
        network = build("lstm", input_dim=corpus.dim, output_dim=corpus.dim, width=8)
        record = {"model_type": "lstm", "model_state_dict": network.state_dict()}
        torch.save(record | {RECORD: sorted(article_hashes(corpus, articles))}, tmp_path / "m.pt")
        return str(tmp_path / "m.pt")

    return write


def reasons(run: GateRun) -> str:
    (model,) = run.settings.models
    run.prepare()
    card = run.card(model)
    assert card.decision.verdict == "blocked"  # an untrained network is blocked anyway; the reason is what counts
    return " ".join(card.decision.reasons)


def test_training_on_the_training_split_is_clean(checkpoint, make_run: MakeRun, arrow: Path, observed: Path) -> None:
    corpus = open_corpus(arrow)
    assert "contaminated" not in reasons(make_run(checkpoint(corpus.articles("TRAIN")), beside=observed))


def test_one_judged_article_among_the_training_articles_blocks(
    checkpoint, make_run: MakeRun, arrow: Path, observed: Path
) -> None:
    corpus = open_corpus(arrow)
    seen = np.append(corpus.articles("TRAIN"), corpus.articles("OOD")[2])
    held_out = len(corpus.articles("OOD"))
    found = reasons(make_run(checkpoint(seen), beside=observed))
    assert f"contaminated: trained on 1 of the {held_out} OOD articles" in found
    assert f"(article {corpus.articles('OOD')[2]}, for one)" in found
    assert "VAL articles" not in found


@pytest.fixture
def recorded(arrow: Path, tmp_path: Path) -> Callable[..., str]:
    """The same with a record of the chunks alone, as by one who has never seen the corpus that it is judged on."""

    def write(articles: np.ndarray) -> str:
        corpus = open_corpus(arrow)
        network = build("lstm", input_dim=corpus.dim, output_dim=corpus.dim, width=8)
        record = {"model_type": "lstm", "model_state_dict": network.state_dict()}
        torch.save(record | {FIELD: record_fields(record_of(corpus, articles))}, tmp_path / "m.pt")
        return str(tmp_path / "m.pt")

    return write


def test_a_record_of_chunks_finds_judged_windows_and_leaves_them_out(
    recorded, make_run: MakeRun, arrow: Path, observed: Path
) -> None:
    corpus = open_corpus(arrow)
    run = make_run(recorded(np.append(corpus.articles("TRAIN"), corpus.articles("OOD")[:2])), beside=observed)
    found = reasons(run)
    assert "OOD windows stand in what it was trained on, more than 10%" in found
    assert "VAL windows" not in found
    (model,) = run.settings.models
    card = run.card(model).record()
    assert card["training_data"]["status"] == "contaminated"
    held_out = run.inputs.evaluation["OOD"].windows
    mine = np.isin(held_out.clusters, corpus.articles("OOD")[:2]).sum()
    assert card["leaks"]["OOD"]["leaked"] >= mine > 0
    assert card["gates"]["B"]["OOD"]["article"]["MRR"].n == len(held_out) - card["leaks"]["OOD"]["leaked"]
    assert run.control_card("persistence").record()["leaks"]["OOD"]["leaked"] < mine  # of this model alone


def test_a_clean_record_says_so_and_no_record_is_not_checkable(
    recorded, make_run: MakeRun, arrow: Path, observed: Path
) -> None:
    clean = make_run(recorded(open_corpus(arrow).articles("TRAIN")), beside=observed)
    assert "contaminated" not in reasons(clean)
    (model,) = clean.settings.models
    assert clean.card(model).training_data["status"] == "clean"
    assert clean.card("control:oracle").training_data is None


def test_a_checkpoint_without_a_record_says_that_nothing_could_be_checked(
    make_run: MakeRun, arrow: Path, observed: Path, tmp_path
) -> None:
    corpus = open_corpus(arrow)
    network = build("lstm", input_dim=corpus.dim, output_dim=corpus.dim, width=8)
    torch.save({"model_type": "lstm", "model_state_dict": network.state_dict()}, tmp_path / "m.pt")
    run = make_run(str(tmp_path / "m.pt"), beside=observed)
    assert "contaminated" not in reasons(run)
    card = build_scorecard(run, Arguments(), {})
    assert card["models"][0]["training_data"]["status"] == "not checkable"
    shown = " ".join(render_terminal(card, colour=False).split())
    assert "training data: not checkable; the model records no chunks that it was trained on" in shown
    assert "(this blocks nothing)" in shown


def test_renamed_rescaled_and_split_anew_it_is_still_found(
    checkpoint, make_run: MakeRun, arrow: Path, tmp_path: Path
) -> None:
    corpus = open_corpus(arrow)
    seen = corpus.articles("TRAIN")
    order = np.concatenate([seen[::-1], corpus.articles("VAL"), corpus.articles("OOD")])
    splits = np.full(len(order), "TRAIN", dtype="<U5")
    splits[:12], splits[-12:] = "VAL", "OOD"
    copy = 3 * corpus.vectors(corpus.rows_of(order))
    write_corpus(
        tmp_path / "copy",
        copy,
        corpus.lengths[order],
        splits=splits,
        article_ids=9000 + np.arange(len(order)),
        meta={},
        dtype="float16",
    )
    found = reasons(make_run(checkpoint(seen), corpus=str(tmp_path / "copy")))
    assert "contaminated: trained on 12 of the 12 VAL articles (article 90" in found
