"""Weights as people keep them load as what they are, and what was assumed is said; anything else is refused."""

import argparse
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, torch_predictor
from lvm_gates.models.registry import ARCHITECTURES, build

DIM = 24


def network(kind="transformer", **more):
    torch.manual_seed(3)
    sizes = {"input_dim": DIM, "output_dim": DIM} | more
    return build(kind, **sizes).requires_grad_(False).eval()


def contexts():
    return np.random.default_rng(1).standard_normal((4, 5, DIM)).astype(np.float32)


def behind(prefix, state):
    return {prefix + key: value for key, value in state.items()}


LIGHTNING = {
    "epoch": 3,
    "global_step": 400,
    "pytorch-lightning_version": "2.5.0",
    "loops": {"fit_loop": {"state_dict": {}}},
    "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.3)}},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"lr": 0.1}]}],
    "hyper_parameters": {"width": 32, "heads": 4},
}
# name -> (from the state_dict of a transformer of four heads to what is saved, what must be said)
FILES = {
    "bare": (lambda s: s, ["the file is a bare state_dict", "architecture transformer by shapes", "8 attention heads"]),
    "model": (lambda s: {"model": s, "optimizer": {"state": {}}, "epoch": 2}, ["weights under 'model'"]),
    "state_dict": (lambda s: {"state_dict": s}, ["weights under 'state_dict'"]),
    "lightning": (
        lambda s: LIGHTNING | {"state_dict": behind("model.", s)},
        ["weights under 'state_dict'", "prefix 'model.' of every weight dropped", "heads by 'hyper_parameters'"],
    ),
    "lightning, another attribute": (
        lambda s: LIGHTNING | {"state_dict": behind("lvm.", s)},
        ["prefix 'lvm.' of every weight dropped"],
    ),
    "parallel": (lambda s: behind("module.", s), ["prefix 'module.' of every weight dropped"]),
    "compiled and parallel": (lambda s: behind("module._orig_mod.", s), ["prefix 'module._orig_mod.'"]),
    "ours without a type": (lambda s: {"model_state_dict": s}, ["architecture transformer by shapes"]),
    "ours, compiled": (
        lambda s: {"model_state_dict": behind("_orig_mod.", s), "model_type": "transformer"},
        ["prefix '_orig_mod.' of every weight dropped"],
    ),
}


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_predicts_as_its_network_and_says_what_was_assumed(tmp_path, name):
    save, said = FILES[name]
    net = network(width=32, depth=1, heads=4 if "lightning" in name else 8)
    torch.save(save(net.state_dict()), tmp_path / "m.pt")
    found = load_named("m.pt", root=tmp_path)
    given = contexts()
    np.testing.assert_array_equal(found.predictor.predict(given), net(torch.from_numpy(given)).numpy())
    assumed = "; ".join(found.identity.assumed)
    for words in said:
        assert words in assumed
    assert found.dim == DIM
    assert not any("optimizer" in key or key == "model" for key in found.identity.provenance)


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_every_architecture_is_known_by_its_shapes(tmp_path, kind):
    net = network(kind)
    torch.save(net.state_dict(), tmp_path / "m.pt")
    found = load_checkpoint(tmp_path / "m.pt")
    assert found.model_type == kind
    given = contexts()
    # Recurrent layers take another kernel in inference mode.
    np.testing.assert_allclose(torch_predictor(found).predict(given), net(torch.from_numpy(given)).numpy(), atol=1e-6)


def test_a_position_channel_is_assumed_aloud(tmp_path):
    torch.save(network("gru", input_dim=DIM + 1, width=16).state_dict(), tmp_path / "m.pt")
    found = load_checkpoint(tmp_path / "m.pt")
    assert found.position_scale == 0.03
    assert "a position channel of scale 0.03" in found.assumed


def test_a_file_of_ours_assumes_nothing(tmp_path):
    torch.save({"model_type": "gru", "model_state_dict": network("gru").state_dict()}, tmp_path / "m.pt")
    assert load_checkpoint(tmp_path / "m.pt").assumed == ()


def refusal(path, record):
    torch.save(record, path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    return said


def test_pickled_hyper_parameters_are_refused_with_the_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    given = argparse.Namespace(lr=1)
    said = refusal(
        Path("runs/last.ckpt"), LIGHTNING | {"state_dict": network().state_dict(), "hyper_parameters": given}
    )
    assert "argparse.Namespace" in said
    assert "save its state_dict() alone" in said
    assert "'python:mine:factory?weights=runs/last.ckpt'" in said


def test_another_network_is_refused_with_the_way(tmp_path):
    said = refusal(tmp_path / "m.pt", torch.nn.Linear(3, 3).state_dict())
    assert "are those of no architecture known here" in said
    assert re.search(r"def factory\(weights\): .*'python:mine:factory\?weights=m\.pt'", said)


def test_what_is_nearly_one_says_what_is_missing(tmp_path):
    state = network().state_dict()
    del state["head.2.bias"]
    assert "nearest: not a transformer checkpoint: the weights lack head.2.bias" in refusal(tmp_path / "m.pt", state)


def test_weights_beside_the_network_are_not_thrown_away(tmp_path):
    state = behind("model.", network().state_dict()) | {"temperature": torch.ones(1)}
    assert "no architecture known here" in refusal(tmp_path / "m.pt", {"state_dict": state})


def test_a_residual_network_without_its_alpha_is_not_its_base(tmp_path):
    state = network("residual").state_dict()
    del state["alpha"]
    assert "no architecture known here" in refusal(tmp_path / "m.pt", state)
