"""All architectures: sizes, keys and shapes of the original ones as documented, and what every one must hold to."""

import math

import pytest
import torch

from lvm_gates.models.position import append_position
from lvm_gates.models.position_code import SinusoidalPosition
from lvm_gates.models.registry import ARCHITECTURES, build

PUBLISHED_PARAMETERS = {"transformer": 17_867_520, "lstm": 5_120_768, "gru": 7_095_552, "amn": 1_510_912}


def _linear(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _recurrent(prefix, layer, gates, into, width):
    rows = gates * width
    return {
        f"{prefix}.weight_ih_l{layer}": (rows, into),
        f"{prefix}.weight_hh_l{layer}": (rows, width),
        f"{prefix}.bias_ih_l{layer}": (rows,),
        f"{prefix}.bias_hh_l{layer}": (rows,),
    }


def published_shapes(model_type, input_dim=768, dim=768):
    """Keys and shapes of an original file, from docs/sources.md, "Checkpoint format" and not the code under test."""
    if model_type == "transformer":
        shapes = _linear("input_proj", 512, input_dim) | {"pos_encoder.pe": (1, 100, 512)}
        for i in range(4):
            layer = f"transformer_decoder.layers.{i}"
            for attention in ("self_attn", "multihead_attn"):
                shapes |= {
                    f"{layer}.{attention}.in_proj_weight": (1536, 512),
                    f"{layer}.{attention}.in_proj_bias": (1536,),
                }
                shapes |= _linear(f"{layer}.{attention}.out_proj", 512, 512)
            shapes |= _linear(f"{layer}.linear1", 2048, 512) | _linear(f"{layer}.linear2", 512, 2048)
            for norm in ("norm1", "norm2", "norm3"):
                shapes |= _norm(f"{layer}.{norm}", 512)
        return shapes | _linear("head.0", 512, 512) | _norm("head.2", 512) | _linear("head.3", dim, 512)
    if model_type == "lstm":
        layers = _recurrent("lstm", 0, 4, input_dim, 512) | _recurrent("lstm", 1, 4, 512, 512)
        return layers | _linear("output_proj", dim, 512)
    if model_type == "gru":
        shapes = _linear("input_proj", 512, input_dim) | _linear("output_proj", dim, 512)
        for i in range(4):
            shapes |= _recurrent(f"blocks.{i}.gru", 0, 3, 512, 512) | _norm(f"blocks.{i}.norm", 512)
        return shapes
    shapes = _linear("context_encoder", 256, input_dim) | _linear("query_encoder", 256, input_dim)
    shapes |= _linear("residual_net.0", 512, 2 * dim) | _norm("residual_net.2", 512)
    shapes |= _linear("residual_net.3", 256, 512) | _norm("residual_net.5", 256)
    return shapes | _linear("residual_net.6", dim, 256)


@pytest.fixture(params=sorted(ARCHITECTURES))
def model_type(request):
    return request.param


def _small(model_type, input_dim=24, output_dim=24, **sizes):
    torch.manual_seed(0)
    return build(model_type, input_dim=input_dim, output_dim=output_dim, width=32, **sizes).eval()


@pytest.mark.parametrize("model_type", sorted(PUBLISHED_PARAMETERS))
@pytest.mark.parametrize("input_dim", [768, 769])
def test_state_dict_is_the_original_one(model_type, input_dim):
    with torch.device("meta"):
        model = build(model_type, input_dim=input_dim, output_dim=768)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert shapes == published_shapes(model_type, input_dim)


@pytest.mark.parametrize("model_type", sorted(PUBLISHED_PARAMETERS))
def test_parameter_count_is_the_original_one(model_type):
    with torch.device("meta"):
        model = build(model_type)
    assert sum(p.numel() for p in model.parameters()) == PUBLISHED_PARAMETERS[model_type]


def test_the_sinusoidal_code_has_its_numbers_wherever_it_is_built():
    with torch.device("meta"):
        built = SinusoidalPosition(6, 5)
    torch.testing.assert_close(built.pe, SinusoidalPosition(6, 5).pe, rtol=0, atol=0)


@pytest.mark.parametrize(("input_dim", "output_dim"), [(24, 24), (25, 24), (7, 7)])
@pytest.mark.parametrize("context", [1, 3, 8])
def test_any_width_and_context(model_type, input_dim, output_dim, context):
    model = _small(model_type, input_dim, output_dim)
    x = torch.randn(6, context, input_dim)
    prediction = model(x)
    assert prediction.shape == (6, output_dim)
    assert torch.allclose(prediction.norm(dim=-1), torch.ones(6), atol=1e-5)
    raw = model.raw(x)
    assert torch.allclose(raw / raw.norm(dim=-1, keepdim=True), prediction, atol=1e-6)
    assert not torch.allclose(raw.norm(dim=-1), torch.ones(6), atol=1e-3)


@pytest.mark.parametrize("sizes", [{"depth": 1}, {"depth": 3}])
def test_any_depth(model_type, sizes):
    if model_type == "amn":
        sizes = {"key_width": 5}
    if model_type == "band-gated":
        sizes = {"domains": sizes["depth"]}
    assert _small(model_type, **sizes)(torch.randn(2, 4, 24)).shape == (2, 24)


def test_config_from_recovers_the_sizes(model_type):
    model = _small(model_type, 25, 24)
    config = type(model).config_from(model.state_dict())
    rebuilt = build(model_type, **config)
    rebuilt.load_state_dict(model.state_dict(), strict=True)


def test_a_prediction_ignores_its_neighbours_in_the_batch(model_type):
    model = _small(model_type)
    x = torch.randn(9, 5, 24)
    together = model(x)
    alone = torch.cat([model(row[None]) for row in x])
    assert torch.allclose(together, alone, atol=1e-5)
    disturbed = x.clone()
    disturbed[1:] = 1e3
    assert torch.allclose(model(disturbed)[0], together[0], atol=1e-5)


def test_every_frame_is_read(model_type):
    model = _small(model_type)
    x = torch.randn(1, 5, 24)
    for i in range(5):
        changed = x.clone()
        changed[0, i] += 1
        assert not torch.allclose(model(changed), model(x), atol=1e-6)


def test_order_matters_except_to_the_mixture(model_type):
    model = _small(model_type)
    x = torch.randn(4, 5, 24)
    same = torch.allclose(model(x), model(x.flip(1)), atol=1e-5)
    assert same == (model_type == "amn")


@pytest.mark.parametrize("precise", [torch.float32, torch.bfloat16])
def test_every_parameter_is_trained(model_type, precise):
    """In bfloat16 too, as on CUDA."""
    model = _small(model_type).train()
    x, target = torch.randn(6, 5, 24), torch.randn(6, 24)
    with torch.autocast("cpu", precise, enabled=precise is torch.bfloat16):
        raw = model.raw(x)
    (raw.float() - target).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("model_type", ["transformer", "next-token"])
def test_position_code_is_sinusoidal(model_type):
    model = _small(model_type)
    code = model.state_dict()["pos_encoder.pe"]
    for slot, channel in [(0, 0), (0, 1), (3, 0), (7, 5), (99, 30)]:
        angle = slot / 10_000 ** ((channel - channel % 2) / 32)
        expected = math.cos(angle) if channel % 2 else math.sin(angle)
        assert code[0, slot, channel].item() == pytest.approx(expected, abs=1e-4)


OF_POSITIONS = ["transformer", "biased-transformer", "residual", "next-token", "ranker", "base-lcm", "energy"]


@pytest.mark.parametrize("model_type", OF_POSITIONS)
def test_a_context_beyond_the_position_table_is_refused(model_type):
    model = _small(model_type, max_context=4)
    model(torch.randn(1, 4, 24))
    with pytest.raises(ValueError, match="context of 5 is longer than the 4 slots"):
        model(torch.randn(1, 5, 24))


def test_position_channel_rises_to_its_scale():
    x = torch.randn(2, 5, 3)
    y = append_position(x, 0.03)
    assert torch.equal(y[..., :3], x)
    assert torch.allclose(y[..., 3], torch.tensor([0, 0.0075, 0.015, 0.0225, 0.03]).expand(2, 5))
    assert torch.equal(append_position(x[:, :1], 0.03)[..., 3], torch.zeros(2, 1))
