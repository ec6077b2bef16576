"""The champion: what is fitted on which domain, what an epoch draws, its loss, and its checkpoint."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from steps import build, step, unit
from tiny import GATES, history, same_weights, trained, weights

from lvm_gates.harness.controls.linear import fit_linear
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.models.band_gated import labelled
from lvm_gates.models.registry import build as build_network
from lvm_gates.trainers.averaging import WeightAverage
from lvm_gates.trainers.champion import drawn
from lvm_gates.trainers.domains import FOLDS, domains_of, fit
from lvm_gates.trainers.epoch import Run
from lvm_gates.trainers.network import Network

ARTICLES = 18


def with_files(corpus, *counts):
    """The same, as if imported from files of so many articles."""
    return dataclasses.replace(corpus, meta={"sources": [{"file": "a", "articles": count} for count in counts]})


def test_a_file_is_a_domain_if_it_is_trained_on(corpus):
    assert domains_of(with_files(corpus, 5, 5, 8)).tolist() == [0] * 5 + [1] * 5 + [2] * 8
    # The last six articles are VAL and OOD.
    assert domains_of(with_files(corpus, 5, 7, 6)).tolist() == [0] * 5 + [1] * 13


@pytest.mark.parametrize("counts", [(), (18,), (12, 6), (5, 5, 7), (5, 5, True, 7), (5, 5, "8")])
def test_where_nobody_says_training_articles_are_dealt_into_folds(corpus, counts):
    training = domains_of(with_files(corpus, *counts))[corpus.splits == "TRAIN"]
    assert np.bincount(training).tolist() == [4] * FOLDS


def test_each_ridge_is_fitted_on_the_training_windows_of_its_domain_alone(corpus):
    domains = domains_of(with_files(corpus, 5, 5, 8))
    windows = windows_of(corpus, corpus.articles("TRAIN"), 3)
    network = build_network("band-gated", input_dim=corpus.dim, context=3, domains=3, reach=2, width=4)
    fit(network, windows, domains)
    for domain in range(3):
        mine = np.flatnonzero((domains == domain) & (corpus.splits == "TRAIN"))
        # The last two frames of the windows of three.
        expected = fit_linear([dataclasses.replace(windows_of(corpus, mine, 3), context=2)], 0).model
        np.testing.assert_array_equal(network.ridge[domain].numpy(), expected.weights)
        np.testing.assert_array_equal(network.ridge_bias[domain].numpy(), expected.bias)
    torch.testing.assert_close(network.basis.T @ network.basis, torch.eye(corpus.dim), atol=1e-5, rtol=0)
    assert network.climatology.norm().item() == pytest.approx(1)
    assert (network.spread > 0).all()


def test_an_epoch_draws_as_many_windows_of_each_domain_and_others_in_the_next(corpus):
    domains = domains_of(with_files(corpus, 4, 14))
    windows = windows_of(corpus, corpus.articles("TRAIN"), 3)
    first, second = (drawn(windows, domains, 30, epoch) for epoch in (1, 2))
    assert np.bincount(domains[first.clusters]).tolist() == [30, 30]
    assert len(np.unique(first.targets)) == 60
    assert not np.array_equal(first.targets, second.targets)
    assert np.array_equal(first.targets, drawn(windows, domains, 30, 1).targets)
    assert len(drawn(windows, domains, 10_000, 1)) == len(windows)


@pytest.fixture
def objective(monkeypatch, corpus):
    return lambda *settings: build(monkeypatch, corpus, "champion", *settings)[1].objective


def test_the_loss_is_one_minus_cosine_and_the_contrast(objective):
    made = step(1)
    found = objective("--set", "contrast.weight=2", "--set", "contrast.sharpness=3", "--set", "rollout.weight=0")(made)
    p = made.prediction
    to_target = (p * made.target).sum(-1)
    others = torch.einsum("bd,bnd->bn", p, made.negatives)
    each = torch.log(1 + torch.exp(3 * (others - to_target[:, None])).sum(-1))
    torch.testing.assert_close(found.parts["contrast"], each.mean())
    torch.testing.assert_close(found.total, (1 - to_target).mean() + 2 * each.mean())


def test_what_the_context_or_the_target_holds_is_no_negative(objective):
    made = step(1)
    negatives = made.negatives.clone()
    negatives[:, 0], negatives[:, 1] = made.context[:, 1], made.target
    alone = objective("--set", "rollout.weight=0")
    assert alone(dataclasses.replace(made, negatives=negatives)).parts["contrast"].item() == 0


@pytest.mark.parametrize("answers", [1, 2])
def test_a_closed_loop_is_learnt_of_some_windows_without_gradient_through_the_answers(objective, monkeypatch, answers):
    monkeypatch.setattr(torch, "randint", lambda high, size: torch.tensor(answers - 1))
    asked = []

    def answer(context):
        asked.append(context)
        return -context[:, 0]

    def predict(context):
        asked.append(context)
        return context[:, -1].clone().requires_grad_()

    made = step(1, answer=answer, predict=predict)
    exists = made.future_exists.clone()
    exists[3:] = False
    made = dataclasses.replace(made, future_exists=exists)
    settings = ("rollout.weight=2", "rollout.share=.25", "rollout.steps=2", "contrast.weight=0")
    found = objective(*(word for setting in settings for word in ("--set", setting)))(made)
    last = asked[-1]
    assert len(asked) == answers + 1
    # A quarter of 24 windows, whose newest frames are what was answered, of which three go on.
    assert len(last) == 6
    assert torch.equal(last[:, :-answers], made.context[:6, answers:])
    assert torch.equal(last[:, -answers:], -made.context[:6, :answers])
    expected = 1 - (last[:3, -1] * made.future[:3, answers - 1]).sum(-1).mean()
    torch.testing.assert_close(found.parts["rollout"], expected)
    torch.testing.assert_close(found.total, found.parts["cosine"] + 2 * expected)


def test_no_closed_loop_is_asked_of_nobody(objective):
    assert "rollout" not in objective("--set", "rollout.weight=0")(step(1)).parts
    assert "rollout" not in objective("--set", "rollout.share=0")(step(1)).parts
    assert "rollout" not in objective()(step(1, auxiliary=False)).parts


def test_own_answers_are_those_of_the_network_that_is_judged(corpus, monkeypatch):
    config, recipe = build(monkeypatch, corpus, "champion", "--set", "network.dropout=.5")
    model = build_network("band-gated", input_dim=corpus.dim, dropout=0.5, **recipe.model).train()
    windows = windows_of(corpus, corpus.articles("TRAIN"), 3)
    optimizer, average = torch.optim.AdamW(model.parameters()), WeightAverage(model, 0.5)
    run = Run(config, recipe, model, optimizer, windows, torch.device("cpu"), Network(model), average)
    with torch.no_grad():
        model.constant += torch.rand_like(model.constant)
    recipe.prepare(model, windows)
    some, article = windows.take(slice(0, 8)), torch.from_numpy(windows.clusters[:8])
    context = torch.from_numpy(some.contexts())
    found = run.answer(context, 1, article)
    assert model.training
    assert not found.requires_grad
    read = labelled(context, torch.from_numpy(recipe.labels)[article])
    torch.testing.assert_close(found, average.judged().eval()(read))
    assert not torch.allclose(found, model.eval()(read), atol=1e-3)


def test_a_tiny_run_trains_resumes_loads_and_predicts(corpus, tmp_path):
    line = ["champion", "--corpus", corpus.path, *GATES, "--batch-size", "16", "--sentinel", "off"]
    trained(*line, "--out", tmp_path / "whole", "--epochs", "2", "--set", "rate.epochs=2")
    trained(*line, "--out", tmp_path / "parts", "--epochs", "1", "--set", "rate.epochs=2")
    trained(*line, "--out", tmp_path / "parts", "--epochs", "2", "--set", "rate.epochs=2", "--resume")
    whole, parts = (weights(tmp_path / name)["model_state_dict"] for name in ("whole", "parts"))
    assert same_weights(whole, parts)
    assert whole["ridge"].abs().max() > 0
    first, second = history(tmp_path / "whole")
    assert second["train_loss"] < first["train_loss"]
    assert math.isfinite(second["val_cosine"])
    checkpoint = load_checkpoint(tmp_path / "whole" / "best_model.pt")
    windows = windows_of(corpus, corpus.articles("VAL"), 3)
    prediction = torch_predictor(checkpoint).predict(windows.contexts())
    np.testing.assert_allclose(np.linalg.norm(prediction, axis=1), 1, atol=1e-5)


def test_the_label_is_read_in_training(corpus, monkeypatch):
    """With a ridge of its own domain, a window would not move when the others' change."""
    _, recipe = build(monkeypatch, corpus, "champion")
    assert recipe.labels.tolist() == domains_of(corpus).tolist()
    network = build_network("band-gated", input_dim=corpus.dim, **recipe.model)
    recipe.prepare(network, windows_of(corpus, corpus.articles("TRAIN"), 3))
    read = unit(4, 3, corpus.dim, generator=torch.Generator().manual_seed(0))
    one = torch.cat([read, torch.ones(4, 3, 1)], dim=-1)
    before = network.eval().raw(one)
    network.ridge[1] += 1
    assert torch.equal(network.raw(one), before)
    assert not torch.equal(network.raw(read), before)
