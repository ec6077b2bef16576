"""The loop: what it saves, that it repeats exactly, that it learns, and how it stops."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CONFIG, RECIPE, assert_same, weights

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.splitting import split_digest
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.trainers.loop import train
from lvm_gates.trainers.objective import Loss, Term, weighted
from lvm_gates.trainers.schedule import Schedule
from lvm_gates.trainers.threads import cpu_threads
from lvm_gates.trainers.training_settings import Training


def val(corpus):
    return windows_of(corpus, corpus.articles("VAL"), 3)


def test_a_run_leaves_files_that_agree(corpus, tmp_path):
    out = tmp_path / "run"
    history = train(CONFIG, RECIPE, corpus, out)
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*")) == [
        "best_model.pt",
        "epochs",
        "epochs/epoch-001.pt",
        "epochs/epoch-002.pt",
        "epochs/epoch-003.pt",
        "final_model.pt",
        "training_history.json",
    ]
    recorded = json.loads((out / "training_history.json").read_text())
    assert recorded == {"args": CONFIG.as_args(), "history": history}
    assert [record["epoch"] for record in history] == [1, 2, 3]
    final, best = load_checkpoint(out / "final_model.pt"), load_checkpoint(out / "best_model.pt")
    assert final.metadata["epoch"] == 3
    assert best.metadata["val_loss"] == min(record["val_loss"] for record in history)
    assert (best.dim, best.context, best.metadata["recipe"]) == (corpus.dim, 3, "test")
    splits = split_digest(corpus.article_ids, corpus.splits)
    assert best.corpus == {"path": str(corpus.path), "fingerprint": corpus.fingerprint, "splits": splits}
    assert len(best.metadata["train_article_hashes"]) == 12


def test_an_epochs_checkpoint_holds_its_weights_and_no_optimiser(corpus, tmp_path):
    train(CONFIG, RECIPE, corpus, tmp_path)
    best = weights(tmp_path, "best_model.pt")
    for name in ("final_model.pt", "best_model.pt"):
        whole = weights(tmp_path, name)
        epoch = weights(tmp_path / "epochs", f"epoch-{whole['epoch']:03d}.pt")
        assert_same(epoch["model_state_dict"], whole["model_state_dict"])
        assert epoch["optimizer_state_dict"] == {}
        assert whole["optimizer_state_dict"]["state"]
    assert best["epoch"] in (1, 2, 3)
    size = {file.name: file.stat().st_size for file in tmp_path.rglob("*.pt")}
    assert size["epoch-003.pt"] < 0.6 * size["final_model.pt"]
    assert load_checkpoint(tmp_path / "epochs" / "epoch-002.pt").metadata["epoch"] == 2


def test_a_record_holds_the_documented_fields_and_no_others(corpus, tmp_path):
    common = ["epoch", "windows", "lr", "position_scale", "guards", "train_loss", "train_cosine", "train_margin"]
    common += ["train_loss.base", "val_loss", "val_cosine", "val_margin", "score"]
    unwatched = train(CONFIG, RECIPE, corpus, tmp_path / "off")
    assert all(sorted(record) == sorted(common) for record in unwatched)
    watched = train(replace(CONFIG, sentinel="watch"), RECIPE, corpus, tmp_path / "watch")
    assert all(sorted(record) == sorted([*common, "sentinel"]) for record in watched)
    # To look changes nothing.
    assert unwatched == [{name: record[name] for name in common} for record in watched]
    assert_same(*(weights(tmp_path / run)["model_state_dict"] for run in ("off", "watch")))
    first = watched[0]
    assert (first["windows"], first["position_scale"], first["guards"]) == (12 * 11, None, True)
    assert first["train_loss"] == first["train_loss.base"]
    # Copying the last frame would have a margin of its cosine minus 1; measured without any auxiliary term on.
    assert first["train_margin"] != 0
    assert first["val_margin"] != 0


def test_validation_metrics_are_those_of_the_saved_model(corpus, tmp_path):
    history = train(CONFIG, RECIPE, corpus, tmp_path / "run")
    windows = val(corpus)
    predictor = torch_predictor(load_checkpoint(tmp_path / "run" / "final_model.pt"))
    contexts, target = windows.contexts(), windows.target_vectors()
    prediction = predictor.predict(contexts)
    cosine = (prediction * target).sum(1).mean()
    copied = (prediction * contexts[:, -1]).sum(1).mean()
    assert history[-1]["val_cosine"] == pytest.approx(cosine, abs=1e-5)
    assert history[-1]["val_margin"] == pytest.approx(cosine - copied, abs=1e-5)
    assert history[-1]["val_loss"] == pytest.approx(2 * (1 - cosine) / corpus.dim, rel=1e-4)


@pytest.mark.parametrize("model_type", ["transformer", "lstm", "gru", "amn"])
@pytest.mark.parametrize("position_scale", [None, 0.03])
def test_every_architecture_trains_and_loads(corpus, tmp_path, model_type, position_scale):
    sizes = {"width": 16, "heads": 2} if model_type == "transformer" else {"width": 16}
    scale = None if position_scale is None else Schedule({1: position_scale})
    recipe = replace(RECIPE, model_type=model_type, model=sizes, position_scale=scale)
    train(replace(CONFIG, epochs=1, batch_size=64), recipe, corpus, tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "best_model.pt")
    assert checkpoint.position_scale == position_scale
    prediction = torch_predictor(checkpoint).predict(val(corpus).contexts())
    np.testing.assert_allclose(np.linalg.norm(prediction, axis=1), 1, atol=1e-5)


def test_each_checkpoint_is_asked_with_the_scale_it_trained_with(corpus, tmp_path):
    recipe = replace(RECIPE, position_scale=Schedule({1: (0.0, 0.4), 4: 0.4}))
    history = train(CONFIG, recipe, corpus, tmp_path)
    assert [record["position_scale"] for record in history] == [0.0, 0.2, 0.4]
    for epoch, scale in enumerate([0.0, 0.2, 0.4], 1):
        checkpoint = load_checkpoint(tmp_path / "epochs" / f"epoch-{epoch:03d}.pt")
        assert checkpoint.position_scale == scale
        prediction = torch_predictor(checkpoint).predict(val(corpus).contexts())
        cosine = (prediction * val(corpus).target_vectors()).sum(1).mean()
        assert history[epoch - 1]["val_cosine"] == pytest.approx(cosine, abs=1e-5)


def test_it_learns(corpus, tmp_path):
    config = replace(CONFIG, epochs=25, lr=3e-3, training=Training())
    history = train(config, RECIPE, corpus, tmp_path / "run")
    windows = val(corpus)
    persistence = (windows.contexts()[:, -1] * windows.target_vectors()).sum(1).mean()
    assert history[-1]["val_cosine"] > max(0.5, persistence + 0.2)
    # A copy of the last frame has persistence - 1; the network has left it.
    assert history[-1]["val_margin"] > persistence - 1 + 0.5


def test_same_seed_same_weights(corpus, tmp_path):
    torch.manual_seed(1)
    train(CONFIG, RECIPE, corpus, tmp_path / "a")
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002 - the legacy state must not matter either
    train(CONFIG, RECIPE, corpus, tmp_path / "b")
    assert_same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    train(replace(CONFIG, seed=1), RECIPE, corpus, tmp_path / "c")
    key = "input_proj.weight"
    states = [weights(tmp_path / run)["model_state_dict"][key] for run in ("a", "c")]
    assert not torch.equal(*states)


def test_a_run_is_not_overwritten_by_accident(corpus, tmp_path):
    train(replace(CONFIG, epochs=2), RECIPE, corpus, tmp_path)
    config = replace(CONFIG, epochs=1)
    with pytest.raises(UserError, match=r"already holds a run \(best_model.pt\); add --resume"):
        train(config, RECIPE, corpus, tmp_path)
    train(replace(config, seed=5), RECIPE, corpus, tmp_path, overwrite=True)
    assert weights(tmp_path)["args"]["seed"] == 5
    assert [file.name for file in (tmp_path / "epochs").iterdir()] == ["epoch-001.pt"], "no epoch of the old run"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(corpus, tmp_path, bad):
    def explodes(step):
        loss = RECIPE.objective(step)
        return Loss(loss.total * (bad if step.epoch == 2 else 1.0), loss.parts)

    with pytest.raises(UserError, match=r"training stopped: the loss of batch 1 in epoch 2 is (nan|inf)"):
        train(CONFIG, replace(RECIPE, objective=explodes), corpus, tmp_path)
    saved = load_checkpoint(tmp_path / "final_model.pt")
    assert saved.metadata["epoch"] == 1
    assert all(torch.isfinite(p).all() for p in saved.module.parameters())


def test_a_gradient_that_is_not_finite_stops_the_run(corpus, tmp_path):
    def kink(step):
        loss = RECIPE.objective(step)
        return Loss(loss.total + (step.raw * 0).square().sum().sqrt(), {})

    with pytest.raises(UserError, match="the gradient of batch 1 in epoch 1 is nan"):
        train(CONFIG, replace(RECIPE, objective=kink), corpus, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("splits", "length", "said"),
    [
        (["VAL"], 14, "has no TRAIN articles"),
        (["TRAIN"], 14, "has no VAL articles"),
        (["TRAIN", "VAL"], 3, "no (VAL|TRAIN) article has 4 chunks in a row"),
    ],
)
def test_a_corpus_without_windows_is_refused(make_corpus, tmp_path, splits, length, said):
    with pytest.raises(UserError, match=said):
        train(CONFIG, RECIPE, make_corpus(tmp_path / "c", splits, length), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_corpus_with_a_broken_vector_is_refused(make_corpus, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(28, 8)).astype(np.float32)
    vectors[3, 2] = np.nan
    corpus = make_corpus(tmp_path / "c", ["TRAIN", "VAL"], vectors=vectors)
    with pytest.raises(UserError, match="chunk 3 of article 0 holds NaN"):
        train(CONFIG, RECIPE, corpus, tmp_path / "run")


def test_mistakes_are_found_before_anything_is_deleted(corpus, make_corpus, tmp_path):
    def refused(said, config=CONFIG, corpus=corpus, **changes):
        with pytest.raises(UserError, match=said):
            train(config, replace(RECIPE, **changes), corpus, tmp_path, overwrite=True)

    def no_such_stage(windows, epoch):
        if epoch == 3:
            raise UserError("stage b cannot be read")
        return windows

    train(replace(CONFIG, epochs=1), RECIPE, corpus, tmp_path)
    refused("does not divide", model={"width": 10, "heads": 4})
    refused("unknown device", replace(CONFIG, device="gpu"))
    refused("stage b cannot be read", select_windows=no_such_stage)
    refused("--context 1: .* at least 2", replace(CONFIG, context=1), needs=replace(RECIPE.needs, frames=2))
    long = make_corpus(tmp_path / "long", ["TRAIN", "VAL"], length=103)
    refused("--context 101: .* give a shorter one", replace(CONFIG, context=101), long)
    assert weights(tmp_path)["epoch"] == 1
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        train(CONFIG, RECIPE, corpus, tmp_path / "file")


def test_a_run_that_dies_in_its_first_epoch_costs_no_older_one(corpus, tmp_path):
    train(replace(CONFIG, epochs=2), RECIPE, corpus, tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}
    wild = replace(RECIPE, objective=lambda step: Loss(step.raw.sum() * float("nan"), {}))
    with pytest.raises(UserError, match="training stopped"):
        train(CONFIG, wild, corpus, tmp_path, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*")} == before
    train(replace(CONFIG, epochs=1), RECIPE, corpus, tmp_path, overwrite=True)
    assert [file.name for file in (tmp_path / "epochs").iterdir()] == ["epoch-001.pt"]


def test_a_full_disk_is_one_sentence(corpus, tmp_path, monkeypatch):
    def refused(*given, **named):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 320 vs 214\nframe #0: c10")

    monkeypatch.setattr(torch, "save", refused)
    with pytest.raises(UserError, match=r"cannot be written \(\[enforce fail.* 214\); make room and add --resume"):
        train(CONFIG, RECIPE, corpus, tmp_path)


def test_a_rollout_is_computed_in_the_precision_of_the_run(corpus, tmp_path):
    """P4 asks the network again inside its loss; what comes back is float32 all the same."""
    seen = []

    def objective(step):
        again = step.predict(step.read)
        same = torch.nn.functional.normalize(step.raw, dim=-1)
        seen.append((again.dtype, bool(torch.equal(again, same))))
        return RECIPE.objective(step)

    # Without dropout twice the same contexts have the same prediction, in one precision.
    recipe = replace(RECIPE, objective=objective, model={**RECIPE.model, "dropout": 0.0})
    train(replace(CONFIG, epochs=1, precision="bfloat16"), recipe, corpus, tmp_path)
    assert set(seen) == {(torch.float32, True)}


def test_the_network_reads_in_bfloat16_where_asked(corpus, tmp_path):
    """Recorded, finite, near the float32 run and not equal to it; ``auto`` is float32 on a CPU."""
    runs = {
        precision: train(replace(CONFIG, precision=precision), RECIPE, corpus, tmp_path / precision)
        for precision in ("auto", "float32", "bfloat16")
    }
    assert runs["auto"] == runs["float32"]
    losses = {precision: np.array([record["train_loss"] for record in run]) for precision, run in runs.items()}
    assert (losses["bfloat16"] != losses["float32"]).all()
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.05)
    for precision in runs:
        saved = weights(tmp_path / precision)
        assert saved["args"]["precision"] == precision
        assert all(value.dtype == torch.float32 for value in saved["model_state_dict"].values())


@pytest.mark.parametrize(("width", "asked", "used"), [(4, None, 1), (1500, None, 2), (4, 2, 2), (1500, 1, 1)])
def test_small_networks_get_one_thread(width, asked, used):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with cpu_threads(torch.nn.Linear(width, 4000), asked):
        assert torch.get_num_threads() == used
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_a_term_at_weight_zero_is_absent_and_not_zero(corpus, tmp_path):
    late = Term("late", Schedule({1: 0.0, 2: 0.5}), lambda step: step.raw.square().mean())
    history = train(CONFIG, replace(RECIPE, objective=weighted(late)), corpus, tmp_path)
    assert ["train_loss.late" in record for record in history] == [False, True, True]
    for record in history[1:]:
        total = record["train_loss.base"] + 0.5 * record["train_loss.late"]
        assert record["train_loss"] == pytest.approx(total, rel=1e-5)
