"""Every recipe's command: its documented defaults, and that a tiny epoch of it trains, loads and predicts."""

import numpy as np
import pytest
from steps import build
from tiny import SMALL, history, lvm_train, same_weights, trained, weights

from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.trainers.cli import main

RECIPES = ("v3", "p1", "p2", "p3", "p4", "p5", "p51", "p6", "p6b", "p7")
# Not of the documents: test_champion.py and test_designs.py.
OURS = ("champion", "base-lcm", "sentence-lm", "cpc", "energy")
# epochs, batch size, weight decay, best checkpoint by, offset of the target, architecture
# (docs/sources.md, "Training" and "Recipes").
DOCUMENTED = {
    "v3": (20, 64, 0.01, "val_cos", 1, "transformer"),
    "p1": (5, 64, 0.01, "val_cos", 1, "transformer"),
    "p2": (20, 64, 0.01, "val_cos", 1, "residual"),
    "p3": (20, 64, 0.01, "val_cos", 1, "transformer"),
    "p4": (20, 64, 0.01, "val_cos", 1, "transformer"),
    "p5": (20, 32, 0.01, "val_cos", 1, "transformer"),
    "p51": (4, 32, 0.01, "val_cos", 1, "biased-transformer"),
    "p6": (10, 32, 0.01, "val_cos", 2, "transformer"),
    "p6b": (12, 32, 0.01, "val_cos", 2, "transformer"),
    "p7": (10, 64, 1e-4, "last-margin", 1, "ranker"),
}
# Terms of the first epoch; a term that only comes later is absent.
FIRST_EPOCH = {
    "p2": {"base", "residual"},
    "p51": {"base", "ranking"},
    "p6b": {"mse", "direction", "skipped", "previous_cosine"},
    "p7": {"gate", "info_nce", "hinge", "teacher", "anchor_cosine"},
}
# What switches every term on in the first epoch.
AT_ONCE = {
    "v3": ["--set", "anti_copy.weight=.5", "--set", "drop.probability=.5"],
    "p3": ["--set", "directional.weight=.5"],
    "p4": ["--set", "rollout.weight=.5"],
    "p5": ["--set", "directional.weight=.5"],
    # The ramps of P5.1 are others as published, too.
    "p51": ["--set", "bias.beta=.6", "--set", "position.scale=.1", "--set", "ranking.weight=.001"],
}


def command_line(recipe, corpus, out, *extra):
    line = [recipe, "--corpus", corpus.path, "--out", out, *SMALL, "--epochs", "1", *extra]
    return [*line, "--retries", "0"] if recipe == "p51" and "--as-published" not in extra else line


def test_every_recipe_has_a_command():
    assert set(main.commands) == {*RECIPES, *OURS, "grid"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_documented_run(monkeypatch, corpus, recipe):
    config, built = build(monkeypatch, corpus, recipe, "--width", "512", "--layers", "4", "--heads", "8")
    found = (
        config.epochs,
        config.batch_size,
        config.training.optimizer.weight_decay,
        config.select,
        built.needs.target,
        built.model_type,
    )
    assert found == DOCUMENTED[recipe]
    rate = config.training.rate
    assert (config.lr, rate.factor, rate.patience, config.training.optimizer.clip) == (5e-4, 0.5, 3, 1.0)
    # P7 alone has no schedule of the learning rate.
    assert rate.schedule == ("constant" if recipe == "p7" else "plateau")
    assert (rate.warmup, config.training.average.decay) == (0, 0)
    assert main.commands[recipe].make_context(recipe, []).params["context"] == 5


@pytest.mark.parametrize(
    ("arguments", "model_type", "arguments_of_it"),
    [
        (["p2"], "residual", {"normalise_delta": False, "base": "transformer"}),
        (["p2", "--as-published"], "residual", {"normalise_delta": True, "base": "transformer"}),
        (["p51", "--as-published"], "transformer", {}),
        (["p6", "--network", "next-token"], "next-token", {}),
        (["p7"], "ranker", {"positions": True, "learnable": True, "anchor_share": 0.8}),
        (["p7", "--as-published"], "ranker", {"positions": False, "learnable": False, "anchor_share": 0.8}),
        (["p7", "--option", "anchor"], "ranker", {"learnable": False, "anchor_share": 0.6}),
        (["p7", "--anchor-share", "0.7"], "ranker", {"learnable": True, "anchor_share": 0.7}),
        (["p7", "--anchor-share", "0.6"], "ranker", {"learnable": False, "anchor_share": 0.6}),
        (["p7", "--anchor-share", "1"], "ranker", {"learnable": False, "anchor_share": 1.0}),
    ],
    ids=" ".join,
)
def test_the_documented_network(monkeypatch, corpus, arguments, model_type, arguments_of_it):
    _, built = build(monkeypatch, corpus, *arguments)
    assert built.model_type == model_type
    assert arguments_of_it.items() <= dict(built.model).items()


def test_the_options_of_p7_bring_their_epochs(monkeypatch, corpus):
    epochs = {
        option: build(monkeypatch, corpus, "p7", "--option", option)[0].epochs
        for option in ("baseline", "strong-margin", "anchor", "pure-margin")
    }
    assert epochs == {"baseline": 10, "strong-margin": 15, "anchor": 10, "pure-margin": 10}
    assert build(monkeypatch, corpus, "p7", "--option", "strong-margin", "--epochs", "2")[0].epochs == 2


def test_p7s_negatives_come_from_the_article_or_as_published_from_anywhere(monkeypatch, corpus):
    for extra, foreign in (([], False), (["--as-published"], True)):
        needs = build(monkeypatch, corpus, "p7", *extra)[1].needs
        assert (needs.negatives, needs.foreign_negatives) == (2, foreign)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_tiny_epoch_trains_loads_and_predicts(corpus, tmp_path, recipe, published):
    """With warnings as errors; the history names the terms of this epoch and no others."""
    if recipe == "p1" and published:
        assert "No such option" in lvm_train("p1", "--as-published").output, "P1 was run as it is documented"
        return
    trained(*command_line(recipe, corpus, tmp_path, *(["--as-published"] if published else [])))
    checkpoint = load_checkpoint(tmp_path / "best_model.pt")
    assert checkpoint.metadata["recipe"] == recipe
    assert checkpoint.metadata["args"]["options"].get("as_published", False) == published
    (record,) = history(tmp_path)
    terms = {name.removeprefix("train_loss.") for name in record if name.startswith("train_loss.")}
    # The penalty of P2 was never written, and the code's ramp of P5.1 begins at 0.
    expected = {"base"} if recipe in ("p2", "p51") and published else FIRST_EPOCH.get(recipe, {"base"})
    # A network that points away from the text at first skips P6b's term, and then has no lambda.
    assert terms - {"lambda"} == expected
    assert record["sentinel"]["finite"] == 1.0
    windows = windows_of(corpus, corpus.articles("VAL"), 3)
    prediction = torch_predictor(checkpoint).predict(windows.contexts())
    np.testing.assert_allclose(np.linalg.norm(prediction, axis=1), 1, atol=1e-5)
    wanted, exists = windows.offset(DOCUMENTED[recipe][4])
    cosine = (prediction * corpus.vectors(wanted)).sum(1)[exists].mean()
    assert record["val_cosine"] == pytest.approx(cosine, abs=1e-5)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != "p1"])
def test_as_published_is_another_run(corpus, tmp_path, recipe):
    """Other weights after one epoch with every term on; in P5.1 by the bias alone, the windows being the same."""
    # v1, since the others skip their term while a fresh network points away from the text.
    extra = {
        "p51": ["--score", "corrected"],
        "p6b": ["--version", "v1", "--sentinel", "off"],
        "p7": ["--sentinel", "off"],
    }
    options = extra.get(recipe, ["--sentinel", "off"])
    states = []
    for run in ([], ["--as-published"]):
        out = tmp_path / str(len(run))
        # What --as-published decides by itself it does not let be asked for.
        asked = [] if recipe == "p51" and run else options
        trained(*command_line(recipe, corpus, out, *asked, *AT_ONCE.get(recipe, []), *run))
        states.append(weights(out)["model_state_dict"])
    shared = states[0].keys() & states[1].keys()
    assert len(shared) >= 10
    assert not same_weights(*({key: state[key] for key in sorted(shared)} for state in states))


def test_the_other_network_of_p6_trains(corpus, tmp_path):
    trained(*command_line("p6", corpus, tmp_path, "--network", "next-token", "--target", "next"))
    assert load_checkpoint(tmp_path / "best_model.pt").model_type == "next-token"


@pytest.mark.parametrize(("extra", "depth"), [([], 2), (["--layers", "3", "--as-published"], 3)])
def test_the_other_network_of_p7_trains(corpus, tmp_path, extra, depth):
    """It reads frames through a linear layer, as published, too."""
    line = ["p7", "--network", "ranker-lstm", "--corpus", corpus.path, "--out", tmp_path, "--width", "16"]
    trained(*line, "--context", "3", "--epochs", "1", *extra)
    found = load_checkpoint(tmp_path / "best_model.pt")
    assert (found.model_type, found.metadata["model_config"]["depth"]) == ("ranker-lstm", depth)
    state = weights(tmp_path)["model_state_dict"]
    assert state["input_proj.weight"].shape == (16, corpus.dim)
    assert state["encoder.weight_ih_l0"].shape == (4 * 16, 16)


@pytest.mark.parametrize(
    "arguments",
    [["p7"], ["v3", "--as-published"], ["p2", "--as-published"], ["p6b", "--as-published"], ["p5"], ["p51"]],
    ids=" ".join,
)
def test_a_context_of_one_frame_is_refused_where_two_are_compared(corpus, tmp_path, arguments):
    result = lvm_train(*command_line(arguments[0], corpus, tmp_path / "run", *arguments[1:], "--context", "1"))
    assert result.exit_code == 1
    assert result.output.startswith("Error: --context 1: ")
    assert result.output.endswith("give at least 2.\n")
    assert not (tmp_path / "run").exists()


def test_schedules_that_rise_together_are_told(corpus, tmp_path):
    line = command_line("p6b", corpus, tmp_path, "--version", "v1", "--sentinel", "off", "--epochs", "3")
    assert "warning: margin and share rise at once in epoch 3;" in trained(*line).output
