"""Designs of others: what is fitted, what each loss asks, and that a tiny run trains, resumes, loads and predicts."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from steps import build, step
from tiny import history, same_weights, sizes_of, trained, weights

from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.models.registry import build as build_network
from lvm_gates.trainers.base_lcm import robust_scale
from lvm_gates.trainers.losses import bilinear_nce, energy_score

DESIGNS = {
    "base-lcm": ([], {"last_slot"}),
    "sentence-lm": ([], {"contrast", "context"}),
    "cpc": ([], {"step_1", "step_2", "step_3"}),
    "energy": (["--samples", "3", "--draws", "4"], {"score", "sample_cosine"}),
}


@pytest.fixture
def objective(monkeypatch, corpus):
    return lambda *asked: build(monkeypatch, corpus, *asked)[1].objective


@pytest.mark.parametrize("design", DESIGNS)
def test_a_tiny_run_trains_resumes_loads_and_predicts(corpus, tmp_path, design):
    options, parts = DESIGNS[design]
    line = [design, "--corpus", corpus.path, *sizes_of(design), *options, "--batch-size", "64", "--sentinel", "off"]
    trained(*line, "--out", tmp_path / "whole", "--epochs", "2")
    trained(*line, "--out", tmp_path / "parts", "--epochs", "1", "--set", "rate.epochs=2")
    trained(*line, "--out", tmp_path / "parts", "--epochs", "2", "--set", "rate.epochs=2", "--resume")
    whole, resumed = (weights(tmp_path / name)["model_state_dict"] for name in ("whole", "parts"))
    assert same_weights(whole, resumed)
    for record in history(tmp_path / "whole"):
        assert math.isfinite(record["val_cosine"])
        assert {name.removeprefix("train_loss.") for name in record if name.startswith("train_loss.")} == parts
    checkpoint = load_checkpoint(tmp_path / "whole" / "best_model.pt")
    assert checkpoint.model_type == design
    contexts = windows_of(corpus, corpus.articles("VAL"), 3).contexts()
    torch.manual_seed(1)
    first = torch_predictor(checkpoint).predict(contexts)
    assert np.array_equal(first, torch_predictor(checkpoint).predict(contexts)), "nothing may be drawn in predicting"
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)


def test_the_scale_is_the_median_and_the_gaussian_share_of_the_quartiles_of_train_alone(corpus, tmp_path, make_corpus):
    vectors = np.array(corpus.vectors(np.arange(corpus.size)))
    # VAL and OOD elsewhere, and a coordinate that does not vary.
    vectors[12 * 14 :] += 5
    vectors[:, 3] = vectors[0, 3]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:, 3] = 0
    made = make_corpus(tmp_path / "c", ["TRAIN"] * 12 + ["VAL"] * 4 + ["OOD"] * 2, vectors=vectors)
    median, spread = robust_scale(made)
    train = made.vectors(np.arange(12 * 14))
    np.testing.assert_allclose(median, np.median(train, axis=0), atol=1e-6)
    quartiles = np.quantile(train, [0.25, 0.75], axis=0)
    expected = 0.7413 * (quartiles[1] - quartiles[0])
    expected[3] = 1
    np.testing.assert_allclose(spread, expected, rtol=1e-5)


def test_base_lcm_counts_the_error_of_every_slot_in_units_of_the_spread(corpus, objective):
    made = step(1)
    answers = torch.randn(len(made.target), 4, 8)
    made = dataclasses.replace(made, raw=answers[:, 0], answers=answers)
    wanted = torch.stack([made.target, *(made.context[:, slot] for slot in (3, 2, 1))], dim=1)
    spread = torch.from_numpy(robust_scale(corpus)[1])
    errors = ((answers - wanted) / spread).square()
    found = objective("base-lcm")(made)
    torch.testing.assert_close(found.total, errors.mean())
    torch.testing.assert_close(found.parts["last_slot"], errors[:, 0].mean())


def test_what_base_lcm_reads_is_normalised_and_what_it_says_is_not(corpus, tmp_path):
    trained(
        "base-lcm",
        "--corpus",
        corpus.path,
        *sizes_of("base-lcm"),
        "--epochs",
        "1",
        "--sentinel",
        "off",
        "--out",
        tmp_path,
    )
    module = load_checkpoint(tmp_path / "final_model.pt").module
    median, spread = (torch.from_numpy(part) for part in robust_scale(corpus))
    torch.testing.assert_close(module.median, median)
    torch.testing.assert_close(module.spread, spread)
    with torch.no_grad():
        module.postnet.weight.zero_()
        module.postnet.bias.fill_(2)
        torch.testing.assert_close(module.raw(torch.zeros(1, 3, 8))[0], median + 2 * spread)


def test_sentence_lm_leaves_the_target_out_where_it_comes_again(objective):
    made = step(1)
    negatives, context = made.negatives.clone(), made.context.clone()
    negatives[:, 1], context[:, 2] = made.target, made.target
    again = dataclasses.replace(made, negatives=negatives, context=context)
    found = objective("sentence-lm", "--set", "context.weight=.5")(again)
    contrast = bilinear_nce(made.raw, made.target, negatives[:, :1], 10.0)
    of_context = bilinear_nce(made.raw, made.target, context[:, [0, 1, 3]], 10.0, in_batch=False)
    torch.testing.assert_close(found.parts["contrast"], contrast)
    torch.testing.assert_close(found.parts["context"], of_context)
    torch.testing.assert_close(found.total, contrast + 0.5 * of_context)


def test_cpc_asks_each_head_for_its_own_chunk_where_there_is_one(objective):
    made = step(1)
    exists = made.future_exists.clone()
    exists[5:, 1] = False
    answers = torch.randn(len(made.target), 3, 8)
    made = dataclasses.replace(made, raw=answers[:, 0], answers=answers, future_exists=exists)
    found = objective("cpc", "--set", "contrast.sharpness=2")(made)
    expected = [
        bilinear_nce(answers[:, 0], made.target, sharpness=2.0),
        bilinear_nce(answers[:, 1], made.future[:, 0], sharpness=2.0),
        bilinear_nce(answers[:5, 2], made.future[:5, 1], sharpness=2.0),
    ]
    torch.testing.assert_close(found.total, torch.stack(expected).mean())


def test_energy_trains_on_samples_that_differ_and_predicts_their_mean(monkeypatch, corpus, objective):
    made = step(1)
    answers = torch.randn(len(made.target), 3, 8)
    made = dataclasses.replace(made, raw=answers[:, 0], answers=answers)
    found = objective("energy", "--set", "score.beta=1.5")(made)
    torch.testing.assert_close(found.total, energy_score(answers, made.target, 1.5))
    torch.manual_seed(0)
    _, recipe = build(monkeypatch, corpus, "energy", "--draws", "1000")
    network = build_network("energy", input_dim=8, **recipe.model)
    x = torch.randn(4, 3, 8)
    samples = network.answers(x)
    assert samples.shape == (4, 8, 8)
    torch.testing.assert_close(samples.norm(dim=-1), torch.ones(4, 8))
    assert not torch.equal(samples, network.answers(x))
    network.eval()
    assert torch.equal(network.raw(x), network.raw(x))
    many = torch.cat([network.answers(x) for _ in range(150)], dim=1).mean(dim=1)
    torch.testing.assert_close(network.raw(x), many, atol=0.08, rtol=0)
