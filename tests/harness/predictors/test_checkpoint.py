"""Checkpoints: original files load and predict as documented; damaged and hostile ones are refused."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import erf

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_predictor
from lvm_gates.harness.predictors.checkpoint import load_checkpoint, save_checkpoint, torch_predictor

TYPES = ["transformer", "lstm", "gru", "amn"]
HEADS = 8


# --- original files, made without the code under test ---


def published_state(model_type, dim, width, input_dim=None, seed=0):
    """Random weights under the original keys; depths as in the original."""
    rng = np.random.default_rng(seed)
    input_dim = input_dim or dim
    state = {}

    def put(key, *shape):
        state[key] = rng.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)

    def linear(name, out, into):
        put(f"{name}.weight", out, into)
        put(f"{name}.bias", out)

    def norm(name):
        state[f"{name}.weight"] = (1 + rng.normal(0, 0.1, width)).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 0.1, width).astype(np.float32)

    def recurrent(prefix, layer, gates, into):
        put(f"{prefix}.weight_ih_l{layer}", gates * width, into)
        put(f"{prefix}.weight_hh_l{layer}", gates * width, width)
        put(f"{prefix}.bias_ih_l{layer}", gates * width)
        put(f"{prefix}.bias_hh_l{layer}", gates * width)

    if model_type == "transformer":
        linear("input_proj", width, input_dim)
        angle = np.arange(100)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
        state["pos_encoder.pe"] = np.stack([np.sin(angle), np.cos(angle)], -1).reshape(1, 100, width)
        state["pos_encoder.pe"] = state["pos_encoder.pe"].astype(np.float32)
        for i in range(4):
            layer = f"transformer_decoder.layers.{i}"
            for attention in ("self_attn", "multihead_attn"):
                put(f"{layer}.{attention}.in_proj_weight", 3 * width, width)
                put(f"{layer}.{attention}.in_proj_bias", 3 * width)
                linear(f"{layer}.{attention}.out_proj", width, width)
            linear(f"{layer}.linear1", 4 * width, width)
            linear(f"{layer}.linear2", width, 4 * width)
            for name in ("norm1", "norm2", "norm3"):
                norm(f"{layer}.{name}")
        linear("head.0", width, width)
        norm("head.2")
        linear("head.3", dim, width)
    elif model_type == "lstm":
        recurrent("lstm", 0, 4, input_dim)
        recurrent("lstm", 1, 4, width)
        linear("output_proj", dim, width)
    elif model_type == "gru":
        linear("input_proj", width, input_dim)
        for i in range(4):
            recurrent(f"blocks.{i}.gru", 0, 3, width)
            norm(f"blocks.{i}.norm")
        linear("output_proj", dim, width)
    else:
        linear("context_encoder", width // 2, input_dim)
        linear("query_encoder", width // 2, input_dim)
        linear("residual_net.0", width, 2 * dim)
        norm("residual_net.2")
        linear("residual_net.3", width // 2, width)
        for name, value in (("weight", 1.0), ("bias", 0.1)):
            state[f"residual_net.5.{name}"] = np.full(width // 2, value, np.float32)
        linear("residual_net.6", dim, width // 2)
    return state


def published_record(model_type, state, **changes):
    """The dictionary the original trainer saved, NumPy scalars and optimiser state included."""
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    parameters = [torch.nn.Parameter(value.clone()) for value in list(tensors.values())[:2]]
    optimizer = torch.optim.AdamW(parameters, lr=5e-4)
    sum(p.sum() for p in parameters).backward()
    optimizer.step()
    return {
        "epoch": 4,
        "model_type": model_type,
        "model_state_dict": tensors,
        "optimizer_state_dict": optimizer.state_dict(),
        "val_loss": np.float64(0.00125),
        "val_cosine": np.float64(0.52),
        "model_config": {},
        "args": {
            "lr": 0.0005,
            "lambda_dir": np.float32(0.5),
            "n": np.int64(7),
            "flag": np.bool_(True),
            "x": None,
        },
    } | changes


def write(path, record, **options):
    torch.save(record, path, **options)
    return path


# --- an independent forward pass: float64 NumPy, from the description in words ---


def affine(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def layer_norm(state, name, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def gelu(x):
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(state, name, x, memory, last_slot_bias=0.0):
    width = x.shape[-1]
    weight, bias = state[f"{name}.in_proj_weight"], state[f"{name}.in_proj_bias"]
    parts = []
    for i, source in enumerate((x, memory, memory)):
        part = source @ weight[i * width : (i + 1) * width].T + bias[i * width : (i + 1) * width]
        parts.append(part.reshape(*part.shape[:2], HEADS, width // HEADS).swapaxes(1, 2))
    query, key, value = parts
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(width // HEADS)
    scores[..., -1, -1] -= last_slot_bias
    scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    mixed = (softmax(scores) @ value).swapaxes(1, 2).reshape(x.shape)
    return affine(state, f"{name}.out_proj", mixed)


def reference(model_type, state, x):
    state = {key: value.astype(np.float64) for key, value in state.items()}
    x = x.astype(np.float64)
    if model_type in ("transformer", "biased-transformer"):
        bias = state.get("last_slot_bias", 0.0)
        memory = affine(state, "input_proj", x) + state["pos_encoder.pe"][:, : x.shape[1]]
        h = memory
        for i in range(4):
            layer = f"transformer_decoder.layers.{i}"
            h = layer_norm(state, f"{layer}.norm1", h + attention(state, f"{layer}.self_attn", h, h, bias))
            h = layer_norm(state, f"{layer}.norm2", h + attention(state, f"{layer}.multihead_attn", h, memory, bias))
            inner = np.maximum(affine(state, f"{layer}.linear1", h), 0)
            h = layer_norm(state, f"{layer}.norm3", h + affine(state, f"{layer}.linear2", inner))
        out = affine(state, "head.3", layer_norm(state, "head.2", gelu(affine(state, "head.0", h[:, -1]))))
    elif model_type == "lstm":
        for layer in range(2):
            w_ih, w_hh = state[f"lstm.weight_ih_l{layer}"], state[f"lstm.weight_hh_l{layer}"]
            bias = state[f"lstm.bias_ih_l{layer}"] + state[f"lstm.bias_hh_l{layer}"]
            h = c = np.zeros((len(x), w_hh.shape[1]))
            steps = []
            for t in range(x.shape[1]):
                i, f, g, o = np.split(x[:, t] @ w_ih.T + h @ w_hh.T + bias, 4, axis=1)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                steps.append(h)
            x = np.stack(steps, 1)
        out = affine(state, "output_proj", x[:, -1])
    elif model_type == "gru":
        x = affine(state, "input_proj", x)
        for block in range(4):
            name = f"blocks.{block}.gru"
            h, steps = np.zeros((len(x), x.shape[2])), []
            for t in range(x.shape[1]):
                a = np.split(x[:, t] @ state[f"{name}.weight_ih_l0"].T + state[f"{name}.bias_ih_l0"], 3, axis=1)
                b = np.split(h @ state[f"{name}.weight_hh_l0"].T + state[f"{name}.bias_hh_l0"], 3, axis=1)
                reset, update = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
                h = (1 - update) * np.tanh(a[2] + reset * b[2]) + update * h
                steps.append(h)
            x = layer_norm(state, f"blocks.{block}.norm", x + np.stack(steps, 1))
        out = affine(state, "output_proj", x[:, -1])
    else:
        base = x.mean(1)
        query, keys = affine(state, "query_encoder", base), affine(state, "context_encoder", x)
        weights = softmax(np.einsum("bw,bcw->bc", query, keys) / np.sqrt(keys.shape[-1]))
        mixture = np.einsum("bc,bcd->bd", weights, x)
        h = gelu(affine(state, "residual_net.0", np.concatenate([base, mixture], 1)))
        h = gelu(affine(state, "residual_net.3", layer_norm(state, "residual_net.2", h)))
        out = base + affine(state, "residual_net.6", layer_norm(state, "residual_net.5", h))
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def contexts_of(dim, n=7, context=5, seed=1):
    x = np.random.default_rng(seed).normal(size=(n, context, dim))
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


# --- loading and predicting ---


@pytest.mark.parametrize(("dim", "width"), [(24, 32), (768, 512)])
@pytest.mark.parametrize("model_type", TYPES)
def test_original_file_predicts_as_described(tmp_path, model_type, dim, width):
    state = published_state(model_type, dim, width)
    checkpoint = load_checkpoint(write(tmp_path / "best_model.pt", published_record(model_type, state)))
    x = contexts_of(dim)
    predictor = torch_predictor(checkpoint, "cpu")
    y = predictor.predict(x)
    assert (y.dtype, y.shape, predictor.dim) == (np.float32, (7, dim), dim)
    np.testing.assert_allclose(y, reference(model_type, state, x), atol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.6, 4.0])
def test_a_biased_transformer_predicts_as_described(tmp_path, beta):
    state = published_state("transformer", 24, 32) | {"last_slot_bias": np.array(beta, dtype=np.float32)}
    checkpoint = load_checkpoint(write(tmp_path / "m.pt", published_record("biased-transformer", state)))
    expected = reference("biased-transformer", state, contexts_of(24))
    np.testing.assert_allclose(torch_predictor(checkpoint).predict(contexts_of(24)), expected, atol=1e-5)


@pytest.mark.parametrize("model_type", ["transformer", "lstm", "gru"])
@pytest.mark.parametrize(("args", "scale"), [({}, 0.03), ({"positional_scalar": 0.1}, 0.1), ({"pos_scale": 0.0}, 0.03)])
def test_position_channel_is_appended(tmp_path, model_type, args, scale):
    state = published_state(model_type, 768, 64, input_dim=769)
    checkpoint = load_checkpoint(write(tmp_path / "m.pt", published_record(model_type, state, args=args)))
    assert (checkpoint.dim, checkpoint.position_scale) == (768, scale)
    x = contexts_of(768)
    channel = np.broadcast_to(scale * np.arange(5)[:, None] / 4, (7, 5, 1))
    expected = reference(model_type, state, np.concatenate([x, channel], -1))
    np.testing.assert_allclose(torch_predictor(checkpoint).predict(x), expected, atol=1e-5)


@pytest.mark.parametrize("model_type", TYPES)
def test_metadata_is_plain(tmp_path, model_type):
    record = published_record(model_type, published_state(model_type, 24, 32))
    checkpoint = load_checkpoint(str(write(tmp_path / "m.pt", record)))
    assert checkpoint.model_type == model_type
    assert checkpoint.context is checkpoint.corpus is checkpoint.position_scale is None
    assert checkpoint.metadata["val_loss"] == 0.00125
    assert type(checkpoint.metadata["val_loss"]) is float
    assert checkpoint.metadata["args"] == {"lr": 0.0005, "lambda_dir": 0.5, "n": 7, "flag": True, "x": None}
    assert type(checkpoint.metadata["args"]["n"]) is int
    assert "optimizer_state_dict" not in checkpoint.metadata
    assert not checkpoint.module.training
    assert not any(p.requires_grad for p in checkpoint.module.parameters())


def test_files_written_under_numpy_1_load(tmp_path):
    record = published_record("amn", published_state("amn", 24, 32), val_loss=np.dtype(">f8").type(0.25))
    buffer = io.BytesIO()
    torch.save(record, buffer, _use_new_zipfile_serialization=False)
    old = buffer.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert b"numpy.core.multiarray" in old
    (tmp_path / "m.pt").write_bytes(old)
    assert load_checkpoint(tmp_path / "m.pt").metadata["val_loss"] == 0.25


def test_heads_come_from_the_config(tmp_path):
    state = published_state("transformer", 24, 32)
    x = contexts_of(24)
    answers = {}
    for name, config in {"8": {}, "nhead": {"nhead": 2}, "heads": {"heads": 2}}.items():
        path = write(tmp_path / f"{name}.pt", published_record("transformer", state, model_config=config))
        answers[name] = torch_predictor(load_checkpoint(path)).predict(x)
    np.testing.assert_array_equal(answers["nhead"], answers["heads"])
    assert np.abs(answers["8"] - answers["heads"]).max() > 1e-4


def test_half_precision_weights_run_in_float32(tmp_path):
    state = {key: value.astype(np.float16) for key, value in published_state("gru", 24, 32).items()}
    checkpoint = load_checkpoint(write(tmp_path / "m.pt", published_record("gru", state)))
    x = contexts_of(24)
    np.testing.assert_allclose(torch_predictor(checkpoint).predict(x), reference("gru", state, x), atol=1e-5)


def test_nan_weights_load_and_predict_nan(tmp_path):
    state = published_state("lstm", 24, 32)
    state["output_proj.weight"][0, 0] = np.nan
    checkpoint = load_checkpoint(write(tmp_path / "m.pt", published_record("lstm", state)))
    assert np.isnan(torch_predictor(checkpoint).predict(contexts_of(24))).all()


def test_own_file_round_trips(tmp_path):
    state = published_state("gru", 24, 32)
    path = tmp_path / "new" / "best_model.pt"
    save_checkpoint(
        path,
        model_type="gru",
        model_state={key: torch.from_numpy(value) for key, value in state.items()},
        model_config={"width": 32},
        optimizer_state={},
        epoch=2,
        val_loss=np.float64(0.5),
        val_cosine=0.25,
        args={"out": Path("runs") / "x", "seed": np.int64(3)},
        context=7,
        dim=24,
        recipe="p1",
        corpus={"path": "somewhere", "fingerprint": "ab"},
        train_article_hashes=["3a", "5b"],
    )
    checkpoint = load_checkpoint(path)
    assert (checkpoint.context, checkpoint.dim) == (7, 24)
    assert checkpoint.corpus == {"path": "somewhere", "fingerprint": "ab"}
    assert checkpoint.metadata["args"] == {"out": "runs/x", "seed": 3}
    assert checkpoint.metadata["train_article_hashes"] == ["3a", "5b"]
    assert len(checkpoint.sha256) == 64
    assert [file.name for file in path.parent.iterdir()] == ["best_model.pt"]
    torch.load(path, weights_only=True)  # needs no allow-list


# --- the predictor ---


@pytest.fixture
def checkpoint(tmp_path):
    return load_checkpoint(
        write(tmp_path / "m.pt", published_record("transformer", published_state("transformer", 24, 32)))
    )


def test_predictions_do_not_depend_on_batch_size(checkpoint):
    x = contexts_of(24, n=20)
    whole = torch_predictor(checkpoint).predict(x)
    for size in (1, 7, 20, 1000):
        read = []
        predictor = load_predictor(str(checkpoint.path), batch_size=size)
        predictor.predictor.module.register_forward_pre_hook(lambda _, given, read=read: read.append(len(given[0])))
        np.testing.assert_allclose(predictor.predict(x), whole, atol=1e-6)
        assert (max(read), sum(read)) == (min(size, 20), 20)
        assert predictor.predict(x[:0]).shape == (0, 24)


def test_any_array_will_do(checkpoint):
    x = contexts_of(24)
    predictor = torch_predictor(checkpoint)
    expected = predictor.predict(x)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(predictor.predict(frozen), expected)
    np.testing.assert_array_equal(predictor.predict(x[:, ::-1].copy()[:, ::-1]), expected)
    np.testing.assert_array_equal(predictor.predict(x.astype(np.float64)), expected)
    assert predictor.predict(x[:0]).shape == (0, 24)


def test_wrong_contexts_are_refused(checkpoint):
    predictor = torch_predictor(checkpoint)
    with pytest.raises(UserError, match=r"reads contexts of shape \(B, C, 24\) but got \(7, 5, 23\)"):
        predictor.predict(contexts_of(23))
    with pytest.raises(UserError, match="context of 101 is longer than the 100"):
        predictor.predict(contexts_of(24, context=101))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "cpu:1"])
def test_unknown_device(checkpoint, device):
    with pytest.raises(UserError, match="unknown device"):
        torch_predictor(checkpoint, device)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps"])
def test_unavailable_device(checkpoint, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError, match="not available on this machine"):
        torch_predictor(checkpoint, device)


def test_batch_size_must_be_positive(checkpoint):
    with pytest.raises(UserError, match="batch size of 0"):
        load_predictor(str(checkpoint.path), batch_size=0)


# --- bad input ---


def refusal(path):
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    said = str(caught.value)
    assert said.endswith("."), said
    assert "\n" not in said
    assert len(said) < 500
    return said


def test_paths_that_hold_no_file(tmp_path):
    assert "no such checkpoint file" in refusal(tmp_path / "absent.pt")
    assert "is a folder" in refusal(tmp_path)
    assert "path is empty" in refusal("")


@pytest.mark.parametrize("kept", [0, 1, 10, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_files(tmp_path, kept, zipped):
    buffer = io.BytesIO()
    record = published_record("amn", published_state("amn", 24, 32))
    torch.save(record, buffer, _use_new_zipfile_serialization=zipped)
    whole = buffer.getvalue()
    path = tmp_path / "m.pt"
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    assert "truncated or not a PyTorch checkpoint" in refusal(path)


@pytest.mark.parametrize("content", [b"not a checkpoint\n", b"PK\x03\x04garbage", bytes(4096), pickle.dumps({"a": 1})])
def test_garbage(tmp_path, content):
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    assert "m.pt: " in refusal(path)


class Hostile:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("field", ["model_state_dict", "optimizer_state_dict", "args"])
@pytest.mark.parametrize("way", ["system", "eval", "open"])
@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_pickles_do_not_run(tmp_path, field, way, zipped):
    sentinel = tmp_path / "sentinel"
    hostile = {
        "system": Hostile(os.system, f"touch {sentinel}"),
        "eval": Hostile(eval, f"open({str(sentinel)!r}, 'w')"),
        "open": Hostile(open, str(sentinel), "w"),
    }[way]
    record = published_record("amn", published_state("amn", 24, 32), **{field: {"x": hostile}})
    path = write(tmp_path / "m.pt", record, _use_new_zipfile_serialization=zipped)
    assert "holds code or a Python object" in refusal(path)
    assert not sentinel.exists()


def test_plain_hostile_pickle_does_not_run(tmp_path):
    sentinel = tmp_path / "sentinel"
    path = tmp_path / "m.pt"
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(Hostile(os.system, f"touch {sentinel}"), protocol=protocol))
        refusal(path)
        assert not sentinel.exists()


def test_numpy_objects_other_than_numbers_are_refused(tmp_path):
    """An object dtype would have NumPy take the file's bytes for pointers."""
    scalar = np.float64(1).__reduce__()[0]
    for kind in (np.dtype("O"), np.dtype("V8"), np.dtype([("a", "f8")]), np.dtype("M8[s]")):
        record = published_record("amn", published_state("amn", 24, 32), val_loss=Hostile(scalar, kind, b"\x01" * 8))
        refusal(write(tmp_path / "m.pt", record))
    short = Hostile(scalar, np.dtype("f8"), b"\x01" * 4)
    refusal(write(tmp_path / "m.pt", {"val_loss": short}))
    refusal(write(tmp_path / "m.pt", {"x": np.zeros(3)}))


def test_a_whole_pickled_module_is_refused(tmp_path):
    assert "holds code or a Python object (torch.nn" in refusal(write(tmp_path / "m.pt", torch.nn.Linear(2, 2)))


def _without(state, key):
    return {k: v for k, v in state.items() if k != key}


AMN = {key: torch.from_numpy(value) for key, value in published_state("amn", 24, 32).items()}
GRU = {key: torch.from_numpy(value) for key, value in published_state("gru", 24, 32).items()}
TRANSFORMER = {k: torch.from_numpy(v) for k, v in published_state("transformer", 24, 32).items()}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([1, 2], "holds a list, not a checkpoint dictionary"),
        (torch.zeros(3), "holds a Tensor, not"),
        ({}, "has no model_state_dict and no other weights (it holds nothing)"),
        ({"epoch": 3}, "has no model_state_dict and no other weights (it holds epoch)"),
        ({"model_state_dict": 3, "model_type": "amn"}, "has no model_state_dict"),
        ({"model_state_dict": AMN, "model_type": 3}, "its model_type is 3; make it one of"),
        (
            {"model_state_dict": AMN, "model_type": "ammn"},
            "did you mean 'amn'? Known: amn, band-gated, base-lcm, biased-transformer, cpc, energy, gru,",
        ),
        ({"model_state_dict": {}, "model_type": "amn"}, "the weights lack context_encoder.weight"),
        (
            {"model_state_dict": AMN, "model_type": "gru"},
            "not a gru checkpoint: the weights lack input_proj.weight",
        ),
        (
            {"model_state_dict": GRU, "model_type": "transformer"},
            "not a transformer checkpoint: the weights lack",
        ),
        (
            {"model_state_dict": _without(AMN, "residual_net.3.bias"), "model_type": "amn"},
            "the weights lack residual_net.3.bias",
        ),
        (
            {"model_state_dict": _without(GRU, "blocks.1.norm.weight"), "model_type": "gru"},
            "is none of its weights",
        ),
        ({"model_state_dict": AMN | {"z": torch.zeros(1)}, "model_type": "amn"}, "z is none of its weights"),
        (
            {"model_state_dict": AMN | {"residual_net.3.bias": torch.zeros(17)}, "model_type": "amn"},
            "residual_net.3.bias has shape (17,) where (16,) is expected",
        ),
        (
            {"model_state_dict": AMN | {"context_encoder.weight": torch.zeros(5)}, "model_type": "amn"},
            "context_encoder.weight has shape (5,) where 2 axes are expected",
        ),
        ({"model_state_dict": AMN | {"z": 3}, "model_type": "amn"}, "'z' is not a tensor of real numbers"),
        ({"model_state_dict": AMN | {3: torch.zeros(1)}, "model_type": "amn"}, "weight 3 is not"),
        (
            {"model_state_dict": AMN | {"z": torch.zeros(2, dtype=torch.int8)}, "model_type": "amn"},
            "'z' is not a tensor of real numbers",
        ),
        (
            {"model_state_dict": GRU | {"input_proj.weight": torch.zeros(32, 30)}, "model_type": "gru"},
            "reads frames 30 wide and predicts 24",
        ),
        (
            {"model_state_dict": GRU | {"input_proj.weight": torch.zeros(32, 0)}, "model_type": "gru"},
            "'input_proj.weight' is not a tensor of real numbers",
        ),
        (
            {"model_state_dict": TRANSFORMER, "model_type": "transformer", "model_config": {"nhead": 5}},
            "width of 32 does not divide into 5 heads",
        ),
        (
            {"model_state_dict": TRANSFORMER, "model_type": "transformer", "model_config": {"nhead": "x"}},
            "model_config names 'x' heads",
        ),
        (
            {"epoch": 1, "model_state_dict": AMN, "config": {}, "val_metrics": {"margin": 0.1}},
            "is an original P7 checkpoint, which cannot be rebuilt",
        ),
        ({"format_version": 2, "model_state_dict": AMN, "model_type": "amn"}, "checkpoint format 2 is not 1"),
    ],
)
def test_records_that_are_no_checkpoint(tmp_path, record, said):
    assert said in refusal(write(tmp_path / "m.pt", record))


def test_a_file_cannot_ask_for_more_memory_than_it_holds(tmp_path):
    """A wide input projection alone would imply gigabytes of square matrices."""
    state = TRANSFORMER | {
        "input_proj.weight": torch.zeros(80_000, 1),
        "input_proj.bias": torch.zeros(80_000),
    }
    said = refusal(write(tmp_path / "m.pt", {"model_state_dict": state, "model_type": "transformer"}))
    assert "has shape" in said
