"""The moving average of the weights: its formula, what is judged and saved, and where the trained ones are kept."""

from dataclasses import replace

import pytest
import torch
from tiny import CONFIG, RECIPE, assert_same, same_weights, weights

from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.models.biased_transformer import BiasedTransformer
from lvm_gates.trainers.averaging import WeightAverage
from lvm_gates.trainers.loop import train
from lvm_gates.trainers.training_settings import Average, Training


def test_the_average_is_the_formula():
    model = BiasedTransformer(8, 8, width=8, depth=1, heads=2)
    average, expected = WeightAverage(model, 0.5), model.head[0].bias.detach().clone()
    for step in range(1, 12):
        with torch.no_grad():
            model.head[0].bias.fill_(step)
        average.update()
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    torch.testing.assert_close(average.judged().head[0].bias, expected)
    assert not average.judged().head[0].bias.requires_grad
    assert torch.equal(model.head[0].bias, torch.full((8,), 11.0)), "training goes on from its own weights"


def test_buffers_are_the_networks_own():
    model = BiasedTransformer(8, 8, width=8, depth=1, heads=2)
    average = WeightAverage(model, 0.9)
    model.set_last_slot_bias(0.4)
    judged, context = average.judged().eval(), torch.randn(2, 3, 8)
    assert float(judged.last_slot_bias) == pytest.approx(0.4)
    # The flag beside the buffer, too: with equal weights the two networks are one.
    with torch.inference_mode():
        torch.testing.assert_close(judged.raw(context), model.eval().raw(context))
        model.set_last_slot_bias(0.0)
        assert (judged.raw(context) - model.raw(context)).abs().max() > 1e-3, "the bias must show"


def test_the_averaged_network_is_the_one_that_is_judged_and_saved(corpus, tmp_path):
    config = replace(CONFIG, epochs=2, training=Training(average=Average(0.95)))
    history = train(config, RECIPE, corpus, tmp_path / "averaged")
    train(replace(config, training=Training()), RECIPE, corpus, tmp_path / "plain")
    saved, plain = weights(tmp_path / "averaged"), weights(tmp_path / "plain")
    assert saved["training_state"]["averaged_steps"] == sum(-(-record["windows"] // 16) for record in history)
    # The trained weights are those of a run without an average: the plateau, which asks the average, has not acted.
    assert not same_weights(saved["model_state_dict"], saved["trained_state_dict"])
    assert_same(saved["trained_state_dict"], plain["model_state_dict"])
    windows = windows_of(corpus, corpus.articles("VAL"), 3)
    predictor = torch_predictor(load_checkpoint(tmp_path / "averaged" / "final_model.pt"))
    cosine = (predictor.predict(windows.contexts()) * windows.target_vectors()).sum(1).mean()
    assert history[-1]["val_cosine"] == pytest.approx(cosine, abs=1e-5)
