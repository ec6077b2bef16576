"""Checkpoints of every architecture of ours: saved, loaded, asked; and refused where a file contradicts itself."""

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, save_checkpoint, torch_predictor
from lvm_gates.models.position import append_position
from lvm_gates.models.registry import ARCHITECTURES, build

DIM, CONTEXT = 24, 5
# Beside the width, what each is built with; values other than the defaults where shapes do not tell them.
CONFIGS = {
    "transformer": {"depth": 1, "heads": 2},
    "lstm": {},
    "gru": {"depth": 2},
    "amn": {},
    "residual": {"base": "transformer", "depth": 1, "heads": 2, "normalise_delta": True},
    "biased-transformer": {"depth": 1, "heads": 2, "last_slot_bias": 0.6},
    "next-token": {"depth": 1, "heads": 2},
    "ranker": {"depth": 1, "heads": 2, "positions": False, "anchor_share": 0.65},
    "ranker-lstm": {"anchor_share": 0.7, "learnable": True},
    "band-gated": {"context": 4, "domains": 2},
    "base-lcm": {"depth": 1, "heads": 2},
    "sentence-lm": {"context": 4, "depth": 1},
    "cpc": {"steps": 2},
    "energy": {"depth": 1, "heads": 2, "blocks": 1, "noise": 6, "samples": 3, "draws": 4},
}


def contexts(n=7):
    x = np.random.default_rng(1).normal(size=(n, CONTEXT, DIM)).astype(np.float32)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def network(model_type, channel=0, **config):
    """A network whose every weight and buffer differs from what a fresh one would have, and how it was built."""
    torch.manual_seed(0)
    config = {"input_dim": DIM + channel, "output_dim": DIM, "width": 32} | CONFIGS[model_type] | config
    model = build(model_type, **config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model, config


def save(path, model_type, model, config, state=None, **args):
    save_checkpoint(
        path,
        model_type=model_type,
        model_state=state or model.state_dict(),
        model_config=config,
        optimizer_state={},
        epoch=1,
        val_loss=0.5,
        val_cosine=0.25,
        args=args,
        context=CONTEXT,
        dim=DIM,
        recipe="test",
        corpus={},
    )
    return path


def refusal(path):
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert said.endswith(".")
    assert "\n" not in said
    assert len(said) < 400
    return said


def test_all_architectures_are_here():
    assert set(CONFIGS) == set(ARCHITECTURES)


@pytest.mark.parametrize("scale", [None, 0.0, 0.07])
@pytest.mark.parametrize("model_type", sorted(ARCHITECTURES))
def test_a_file_predicts_as_the_network_it_was_saved_from(tmp_path, model_type, scale):
    model, config = network(model_type, channel=0 if scale is None else 1)
    x = torch.from_numpy(contexts())
    with torch.no_grad():
        expected = model(x if scale is None else append_position(x, scale)).numpy()
    checkpoint = load_checkpoint(save(tmp_path / "m.pt", model_type, model, config, position_scale=scale))
    assert (checkpoint.model_type, checkpoint.dim, checkpoint.position_scale) == (model_type, DIM, scale)
    whole = torch_predictor(checkpoint).predict(contexts())
    np.testing.assert_allclose(whole, expected, atol=1e-5)


@pytest.mark.parametrize("base", sorted(set(ARCHITECTURES) - {"residual"}))
@pytest.mark.parametrize("channel", [0, 1])
def test_a_residual_over_any_base_loads(tmp_path, base, channel):
    sizes = {key: value for key, value in CONFIGS[base].items() if key != "last_slot_bias"}
    torch.manual_seed(0)
    config = {"input_dim": DIM + channel, "output_dim": DIM, "base": base, "width": 32, **sizes}
    model = build("residual", **config).eval()
    x = torch.from_numpy(contexts())
    with torch.no_grad():
        expected = model(append_position(x, 0.03) if channel else x).numpy()
    args = {"position_scale": 0.03} if channel else {}
    checkpoint = load_checkpoint(save(tmp_path / "m.pt", "residual", model, config, **args))
    np.testing.assert_allclose(torch_predictor(checkpoint).predict(contexts()), expected, atol=1e-5)
    assert type(checkpoint.module.base) is type(model.base)
    assert not any(tensor.is_meta for tensor in checkpoint.module.state_dict().values())


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf")])
def test_an_impossible_position_scale_is_refused(tmp_path, scale):
    model, config = network("ranker", channel=1)
    said = refusal(save(tmp_path / "m.pt", "ranker", model, config, position_scale=scale))
    assert f"a position_scale of {scale}" in said


@pytest.mark.parametrize("model_type", sorted(set(CONFIGS) - {"transformer", "lstm", "gru", "amn"}))
def test_a_file_that_lacks_any_one_weight_is_refused(tmp_path, model_type):
    model, config = network(model_type)
    state = model.state_dict()
    for number, key in enumerate(state):
        path = save(tmp_path / f"{number}.pt", model_type, model, config, {k: v for k, v in state.items() if k != key})
        said = refusal(path)
        assert "the weights lack" in said or "is none of its weights" in said, (key, said)


@pytest.mark.parametrize("model_type", sorted(set(CONFIGS) - {"transformer", "lstm", "gru", "amn"}))
def test_a_file_with_any_one_weight_of_another_shape_is_refused(tmp_path, model_type):
    model, config = network(model_type)
    state = model.state_dict()
    # Of these a file may hold more: steps that are predicted, draws whose mean is the prediction.
    counted = {"cpc": {"heads"}, "energy": {"fixed_noise"}}.get(model_type, set())
    for number, (key, value) in enumerate(state.items()):
        if key in counted:
            continue
        longer = torch.zeros(value.shape[0] + 2, *value.shape[1:]) if value.ndim else torch.zeros(1)
        refusal(save(tmp_path / f"{number}.pt", model_type, model, config, state | {key: longer}))


@pytest.mark.parametrize("model_type", sorted(CONFIGS))
def test_a_file_under_another_name_is_refused(tmp_path, model_type):
    model, config = network(model_type)
    # By its weights alone a residual network under its base's name is an original one, and is meant to load.
    for other in sorted(set(CONFIGS) - {model_type, config.get("base")}):
        refusal(save(tmp_path / f"{other}.pt", other, model, {k: v for k, v in config.items() if k != "base"}))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"heads": 5}, "width of 32 does not divide into 5 heads"),
        ({"heads": 0}, "width of 32 does not divide into 0 heads"),
        ({"heads": True}, "model_config names True heads"),
        ({"heads": "x"}, "model_config names 'x' heads; save it with a whole number."),
        ({"base": "residual"}, "model_config names the base 'residual', which a residual network cannot wrap"),
        ({"base": "Residual"}, "model_config names the base 'Residual'"),
        ({"base": "transfomer"}, "model_config names the base 'transfomer'"),
        ({"base": 3}, "model_config names the base 3"),
        ({"base": "gru"}, "not a residual checkpoint: the weights lack output_proj.weight"),
        ({"base": "biased-transformer"}, "not a residual checkpoint: the weights lack base.last_slot_bias"),
        ({"normalise_delta": "yes"}, "model_config has normalise_delta 'yes'; save it as true or false."),
    ],
)
def test_a_model_config_that_cannot_be_is_refused(tmp_path, config, said):
    model, whole = network("residual")
    assert said in refusal(save(tmp_path / "m.pt", "residual", model, whole | config))


@pytest.mark.parametrize("model_type", ["ranker", "next-token", "residual"])
def test_a_file_cannot_ask_for_more_memory_than_it_holds(tmp_path, model_type):
    """A wide input projection alone would imply gigabytes of square matrices."""
    model, config = network(model_type)
    prefix = "base." if model_type == "residual" else ""
    wide = {f"{prefix}input_proj.weight": torch.zeros(80_000, 1), f"{prefix}input_proj.bias": torch.zeros(80_000)}
    if model_type != "ranker":
        wide[f"{prefix}pos_encoder.pe"] = torch.zeros(1, 100, 32)
    said = refusal(save(tmp_path / "m.pt", model_type, model, config, model.state_dict() | wide))
    assert "has shape" in said or "wider than the frames" in said


# --- original P2 files: the base's name, its keys behind an unknown attribute, an unknown scalar beside them ---


def published_p2(path, *, prefix, alpha, base="transformer", beside=None, drop=(), **changes):
    """A file as the original trainer wrote it, and the network inside."""
    torch.manual_seed(0)
    inner = build(base, input_dim=DIM, width=32).eval()
    weights = {prefix + key: value for key, value in inner.state_dict().items() if key not in drop}
    record = {
        "epoch": 6,
        "model_type": base,
        "model_state_dict": weights | alpha | (beside or {}) | changes,
        "optimizer_state_dict": {},
        "val_loss": np.float64(0.0014),
        "val_cosine": np.float64(0.464),
        "model_config": {},
        "args": {},
    }
    torch.save(record, path)
    return path, inner


@pytest.mark.parametrize("base", ["transformer", "lstm", "gru", "amn"])
@pytest.mark.parametrize(
    ("prefix", "alpha"),
    [
        ("base.", {"alpha": torch.tensor(0.37)}),
        ("base_model.", {"alpha": torch.tensor([-1.5])}),
        ("model.", {"residual_scale": torch.tensor([[0.8]])}),
        ("net.", {"scale.alpha": torch.tensor(0.5, dtype=torch.float64)}),
    ],
)
def test_an_original_residual_predicts_as_it_was_run(tmp_path, base, prefix, alpha):
    path, inner = published_p2(tmp_path / "m.pt", prefix=prefix, alpha=alpha, base=base)
    checkpoint = load_checkpoint(path)
    assert (checkpoint.model_type, checkpoint.dim, checkpoint.position_scale) == ("residual", DIM, None)
    assert checkpoint.module.normalise_delta
    assert checkpoint.metadata["model_type"] == base
    x = torch.from_numpy(contexts())
    with torch.no_grad():
        delta = inner.raw(x).numpy()
    composed = contexts()[:, -1] + next(iter(alpha.values())).item() * delta / np.linalg.norm(
        delta, axis=1, keepdims=True
    )
    expected = composed / np.linalg.norm(composed, axis=1, keepdims=True)
    np.testing.assert_allclose(torch_predictor(checkpoint).predict(contexts()), expected, atol=1e-5)


ALPHA = {"alpha": torch.tensor(0.5)}


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"alpha": {}}, "the weights are wrapped (their keys start with 'base.'), but not beside a single alpha"),
        ({"alpha": {"alpha": torch.ones(2)}}, "but not beside a single alpha"),
        ({"alpha": ALPHA, "beside": {"beta": torch.tensor(1.0)}}, "but not beside a single alpha"),
        ({"alpha": ALPHA, "beside": {"base.alpha": torch.tensor(1.0)}}, "base.alpha is none of its weights"),
        ({"alpha": ALPHA, "drop": ["head.2.bias"]}, "not a residual checkpoint: the weights lack base.head.2.bias"),
        ({"alpha": ALPHA, "drop": ["input_proj.weight"]}, "the weights lack input_proj.weight"),
        ({"alpha": ALPHA, "base.head.2.bias": torch.ones(33)}, "base.head.2.bias has shape (33,)"),
        ({"alpha": ALPHA, "base.input_proj.weight": torch.ones(32, DIM - 1)}, "wider than the frames"),
        ({"alpha": ALPHA, "base.input_proj.weight": torch.ones(32, DIM + 6)}, "reads frames 30 wide and predicts 24"),
    ],
)
def test_a_tampered_residual_is_refused(tmp_path, file, said):
    assert said in refusal(published_p2(tmp_path / "m.pt", prefix="base.", **file)[0])


@pytest.mark.parametrize(
    ("model_type", "recorded"),
    [
        ("ranker", {"positions": True}),
        ("ranker", {"learnable": True}),
        ("ranker", {"positions": "no"}),
        ("ranker-lstm", {"positions": False}),
        ("ranker-lstm", {"learnable": False}),
        ("ranker-lstm", {"learnable": 1}),
    ],
)
def test_a_ranker_whose_weights_and_choices_differ_is_refused(tmp_path, model_type, recorded):
    model, config = network(model_type)
    refusal(save(tmp_path / "m.pt", model_type, model, config | recorded))


def test_an_original_ranker_is_refused_and_ours_is_not_taken_for_one(tmp_path):
    model, config = network("ranker")
    path = save(tmp_path / "ours.pt", "ranker", model, config)
    record = torch.load(path, weights_only=True)
    torch.save(record | {"config": {}, "val_metrics": {"margin": 0.1}}, path)
    assert load_checkpoint(path).model_type == "ranker"
    published = {"epoch": 2, "model_state_dict": model.state_dict(), "config": {}, "val_metrics": {"margin": 0.1}}
    torch.save(published, tmp_path / "theirs.pt")
    assert "is an original P7 checkpoint" in refusal(tmp_path / "theirs.pt")
