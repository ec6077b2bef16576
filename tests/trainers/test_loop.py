"""The loop: what it saves, that it repeats and resumes exactly, that it learns, and how it stops."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.checkpoint import load_checkpoint, torch_predictor
from harness.errors import UserError
from harness.windows import windows_of
from trainers.batches import MAX_VALIDATION_WINDOWS, gather, training_windows
from trainers.config import RunConfig
from trainers.loop import train
from trainers.losses import mse_loss
from trainers.seeding import epoch_order
from trainers.threads import cpu_threads

CONFIG = RunConfig(
    recipe="test",
    model_type="transformer",
    model={"width": 16, "depth": 1, "heads": 2},
    context=3,
    epochs=3,
    batch_size=16,
    lr=0.02,
    patience=0,
)


def objective(step):
    return mse_loss(step.raw, step.target)


def weights(folder, name="final_model.pt"):
    return torch.load(folder / name, weights_only=True)


def assert_same(a, b):
    """Equal to the last bit, whatever the nesting."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


def test_a_run_leaves_three_files_that_agree(corpus, tmp_path):
    out = tmp_path / "run"
    history = train(CONFIG, corpus, out, objective)
    assert sorted(file.name for file in out.iterdir()) == [
        "best_model.pt",
        "final_model.pt",
        "training_history.json",
    ]
    assert json.loads((out / "training_history.json").read_text())["history"] == history
    assert [record["epoch"] for record in history] == [1, 2, 3]
    final, best = load_checkpoint(out / "final_model.pt"), load_checkpoint(out / "best_model.pt")
    assert final.metadata["epoch"] == 3
    assert best.metadata["val_loss"] == min(record["val_loss"] for record in history)
    assert (best.dim, best.context, best.metadata["recipe"]) == (corpus.dim, 3, "test")
    assert best.corpus == {"path": str(corpus.path), "fingerprint": corpus.fingerprint}
    assert len(best.metadata["train_article_hashes"]) == 12


def test_validation_figures_are_those_of_the_saved_model(corpus, tmp_path):
    history = train(CONFIG, corpus, tmp_path / "run", objective)
    windows = windows_of(corpus, corpus.articles("VAL"), 3)
    predictor = torch_predictor(load_checkpoint(tmp_path / "run" / "final_model.pt"))
    prediction, target = predictor.predict(windows.contexts()), windows.target_vectors()
    cosine = (prediction * target).sum(1).mean()
    assert history[-1]["val_cosine"] == pytest.approx(cosine, abs=1e-5)
    assert history[-1]["val_loss"] == pytest.approx(2 * (1 - cosine) / corpus.dim, rel=1e-4)


@pytest.mark.parametrize("model_type", ["transformer", "lstm", "gru", "amn"])
@pytest.mark.parametrize("position_scale", [None, 0.03])
def test_every_architecture_trains_and_loads(corpus, tmp_path, model_type, position_scale):
    sizes = {"width": 16, "heads": 2} if model_type == "transformer" else {"width": 16}
    config = replace(CONFIG, model_type=model_type, model=sizes, epochs=1, position_scale=position_scale, batch_size=64)
    train(config, corpus, tmp_path / "run", objective)
    checkpoint = load_checkpoint(tmp_path / "run" / "best_model.pt")
    assert checkpoint.position_scale == position_scale
    x = windows_of(corpus, corpus.articles("VAL"), 3).contexts()
    prediction = torch_predictor(checkpoint).predict(x)
    np.testing.assert_allclose(np.linalg.norm(prediction, axis=1), 1, atol=1e-5)


def test_it_learns(corpus, tmp_path):
    config = replace(CONFIG, epochs=25, lr=3e-3, patience=3)
    history = train(config, corpus, tmp_path / "run", objective)
    windows = windows_of(corpus, corpus.articles("VAL"), 3)
    persistence = (windows.contexts()[:, -1] * windows.target_vectors()).sum(1).mean()
    assert history[-1]["val_cosine"] > max(0.5, persistence + 0.2)


def test_same_seed_same_weights(corpus, tmp_path):
    torch.manual_seed(1)
    train(CONFIG, corpus, tmp_path / "a", objective)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002 - the legacy state must not matter either
    train(CONFIG, corpus, tmp_path / "b", objective)
    assert_same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    train(replace(CONFIG, seed=1), corpus, tmp_path / "c", objective)
    key = "input_proj.weight"
    states = [weights(tmp_path / run)["model_state_dict"][key] for run in ("a", "c")]
    assert not torch.equal(*states)


@pytest.mark.parametrize(("model_type", "lr"), [("transformer", 0.2), ("lstm", 2.0)])
def test_interrupted_and_resumed_equals_uninterrupted(corpus, tmp_path, model_type, lr):
    """Killed in the middle of its third epoch, then resumed: not a bit differs."""
    sizes = CONFIG.model if model_type == "transformer" else {"width": 16}
    config = replace(CONFIG, model_type=model_type, model=sizes, epochs=5, lr=lr)
    whole = train(config, corpus, tmp_path / "whole", objective)
    # The learning rate above is wild so that the validation loss stalls.
    assert whole[-1]["lr"] < config.lr, "the schedule must have acted for the test to mean something"

    calls = 0

    def killed(step):
        nonlocal calls
        calls += 1
        if step.epoch == 3 and calls % 9 == 4:
            raise KeyboardInterrupt
        return objective(step)

    with pytest.raises(KeyboardInterrupt):
        train(config, corpus, tmp_path / "parts", killed)
    assert weights(tmp_path / "parts")["epoch"] == 2
    # What a power cut between two files leaves: the history is older than the model.
    (tmp_path / "parts" / "training_history.json").unlink()
    torch.manual_seed(99)
    resumed = train(config, corpus, tmp_path / "parts", objective, resume=True)
    assert resumed == whole
    for name in ("final_model.pt", "best_model.pt"):
        assert_same(weights(tmp_path / "parts", name), weights(tmp_path / "whole", name))
    histories = [(tmp_path / run / "training_history.json").read_text() for run in ("whole", "parts")]
    assert histories[0] == histories[1]


def test_a_finished_run_can_be_extended(corpus, tmp_path):
    train(replace(CONFIG, epochs=1), corpus, tmp_path / "parts", objective)
    train(CONFIG, corpus, tmp_path / "parts", objective, resume=True)
    train(CONFIG, corpus, tmp_path / "whole", objective)
    assert_same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_resuming_a_finished_run_changes_nothing(corpus, tmp_path, capsys):
    train(CONFIG, corpus, tmp_path, objective)
    before = (tmp_path / "final_model.pt").read_bytes()
    assert len(train(CONFIG, corpus, tmp_path, objective, resume=True)) == 3
    assert (tmp_path / "final_model.pt").read_bytes() == before
    assert "3 epochs are done already" in capsys.readouterr().out


def test_a_run_is_not_overwritten_by_accident(corpus, tmp_path):
    config = replace(CONFIG, epochs=1)
    train(config, corpus, tmp_path, objective)
    with pytest.raises(UserError, match=r"already holds a run \(best_model.pt\); add --resume"):
        train(config, corpus, tmp_path, objective)
    train(replace(config, seed=5), corpus, tmp_path, objective, overwrite=True)
    assert weights(tmp_path)["args"]["seed"] == 5


def test_resuming_another_run_is_refused(corpus, make_corpus, tmp_path):
    with pytest.raises(UserError, match=r"holds no final_model\.pt to resume from"):
        train(CONFIG, corpus, tmp_path, objective, resume=True)
    train(replace(CONFIG, epochs=1), corpus, tmp_path, objective)
    with pytest.raises(UserError, match=r"is another run .*seed was 0, is 4"):
        train(replace(CONFIG, seed=4), corpus, tmp_path, objective, resume=True)
    other = make_corpus(tmp_path / "other", ["TRAIN", "VAL"], seed=3)
    with pytest.raises(UserError, match="the corpus is another"):
        train(CONFIG, other, tmp_path, objective, resume=True)
    record = weights(tmp_path)
    torch.save(record | {"training_state": {"history": []}}, tmp_path / "final_model.pt")
    with pytest.raises(UserError, match="damaged and cannot be resumed"):
        train(CONFIG, corpus, tmp_path, objective, resume=True)
    torch.save(record | {"training_state": None}, tmp_path / "final_model.pt")
    with pytest.raises(UserError, match="was not written by lvm-train"):
        train(CONFIG, corpus, tmp_path, objective, resume=True)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(corpus, tmp_path, bad):
    def explodes(step):
        return objective(step) * (bad if step.epoch == 2 else 1.0)

    with pytest.raises(UserError, match=r"training stopped: the loss of batch 1 in epoch 2 is (nan|inf)"):
        train(CONFIG, corpus, tmp_path, explodes)
    saved = load_checkpoint(tmp_path / "final_model.pt")
    assert saved.metadata["epoch"] == 1
    assert all(torch.isfinite(p).all() for p in saved.module.parameters())


def test_a_gradient_that_is_not_finite_stops_the_run(corpus, tmp_path):
    def kink(step):
        return objective(step) + (step.raw * 0).square().sum().sqrt()

    with pytest.raises(UserError, match="the gradient of batch 1 in epoch 1 is nan"):
        train(CONFIG, corpus, tmp_path, kink)
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
        train(CONFIG, make_corpus(tmp_path / "c", splits, length), tmp_path / "run", objective)
    assert not (tmp_path / "run").exists()


def test_a_corpus_with_a_broken_vector_is_refused(make_corpus, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(28, 8)).astype(np.float32)
    vectors[3, 2] = np.nan
    corpus = make_corpus(tmp_path / "c", ["TRAIN", "VAL"], vectors=vectors)
    with pytest.raises(UserError, match="chunk 3 of article 0 holds NaN"):
        train(CONFIG, corpus, tmp_path / "run", objective)


def test_sizes_device_and_folder_are_checked_before_anything_is_deleted(corpus, tmp_path):
    train(replace(CONFIG, epochs=1), corpus, tmp_path, objective)
    with pytest.raises(UserError, match="does not divide"):
        train(replace(CONFIG, model={"width": 10, "heads": 4}), corpus, tmp_path, objective, overwrite=True)
    with pytest.raises(UserError, match="unknown device"):
        train(replace(CONFIG, device="gpu"), corpus, tmp_path, objective, overwrite=True)
    assert (tmp_path / "final_model.pt").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        train(CONFIG, corpus, tmp_path / "file", objective)


@pytest.mark.parametrize(("width", "asked", "used"), [(4, None, 1), (1500, None, 2), (4, 2, 2), (1500, 1, 1)])
def test_small_networks_get_one_thread(width, asked, used):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with cpu_threads(torch.nn.Linear(width, 4000), asked):
        assert torch.get_num_threads() == used
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_batches_hold_each_window_once_and_right(corpus):
    training, validation = training_windows(corpus, 3)
    assert len(training) == 12 * 11
    assert len(validation) == 4 * 11 <= MAX_VALIDATION_WINDOWS
    batch = gather(training, torch.device("cpu"))
    np.testing.assert_array_equal(batch.context.numpy(), training.contexts())
    np.testing.assert_array_equal(batch.target.numpy(), training.target_vectors())
    order = epoch_order(len(training), seed=0, epoch=1)
    assert sorted(order) == list(range(len(training)))
    assert (order != epoch_order(len(training), seed=0, epoch=2)).any()
    assert (order != epoch_order(len(training), seed=1, epoch=1)).any()
