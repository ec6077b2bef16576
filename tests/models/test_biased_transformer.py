"""The biased transformer: the original one at beta 0, and a weaker last slot above."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lvm_gates.models.registry import build

DIM = 8
SIZES = {"input_dim": DIM, "width": 16, "depth": 2, "heads": 2}
properties = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def pair(seed, beta=0.0, **sizes):
    """The original network and a biased one of the same weights."""
    torch.manual_seed(seed)
    plain = build("transformer", **SIZES | sizes).eval()
    biased = build("biased-transformer", **SIZES | sizes).eval()
    biased.load_state_dict(plain.state_dict() | {"last_slot_bias": torch.tensor(beta)})
    return plain, biased


def last_weights(model, x):
    """Attention weights of the last query, one (B, heads, C) an attention, in order."""
    seen = []

    def look(module, arguments, options):
        return arguments, options | {"need_weights": True, "average_attn_weights": False}

    def keep(module, arguments, output):
        seen.append(output[1][:, :, -1].detach())

    hooks = []
    for layer in model.transformer_decoder.layers:
        for attention in (layer.self_attn, layer.multihead_attn):
            hooks.append(attention.register_forward_pre_hook(look, with_kwargs=True))
            hooks.append(attention.register_forward_hook(keep))
    model(x)
    for hook in hooks:
        hook.remove()
    return seen


@properties
@given(seeds, st.integers(1, 6), st.booleans())
def test_without_a_bias_it_is_the_original_network_to_the_bit(seed, context, trained):
    plain, biased = pair(seed)
    x = torch.randn(3, context, DIM)
    with torch.inference_mode(not trained):
        assert torch.equal(biased(x), plain(x))
    assert torch.equal(biased.attention_mask(context, x.device), plain.attention_mask(context, x.device))


@properties
@given(seeds, st.floats(0.01, 5), st.integers(2, 6))
def test_the_bias_lowers_the_logits_of_the_last_key_for_the_last_query(seed, beta, context):
    """In the first layer, whose inputs are the same, the odds of the last key fall by exp(beta) exactly."""
    plain, biased = pair(seed, beta, depth=1)
    x = torch.randn(3, context, DIM)
    without, with_bias = last_weights(plain, x), last_weights(biased, x)
    assert len(without) == 2
    odds = [weights[..., -1] / weights[..., :-1].sum(-1) for weights in (without[0], with_bias[0])]
    assert torch.allclose(odds[1], odds[0] * math.exp(-beta), rtol=1e-3)


@properties
@given(seeds, st.integers(2, 6))
def test_a_boundless_bias_hides_the_last_key_in_every_attention(seed, context):
    _, biased = pair(seed, 1e4)
    rows = last_weights(biased, torch.randn(3, context, DIM))
    assert len(rows) == 4
    for weights in rows:
        assert weights[..., -1].max() == 0
        assert torch.allclose(weights.sum(-1), torch.tensor(1.0), atol=1e-5)


@properties
@given(seeds, st.floats(0.1, 5))
def test_earlier_slots_do_not_feel_the_bias(seed, beta):
    _, biased = pair(seed, beta)
    mask = biased.attention_mask(4, torch.device("cpu"))
    expected = torch.zeros(4, 4).masked_fill(torch.ones(4, 4, dtype=torch.bool).triu(1), -math.inf)
    expected[3, 3] = -torch.tensor(beta)
    assert torch.equal(mask, expected)


def test_the_bias_is_set_and_saved_but_not_trained():
    model = build("biased-transformer", **SIZES, last_slot_bias=0.2)
    assert model.state_dict()["last_slot_bias"] == pytest.approx(0.2)
    assert "last_slot_bias" not in dict(model.named_parameters())
    model.set_last_slot_bias(0.6)
    fresh = build("biased-transformer", **SIZES)
    fresh.load_state_dict(model.state_dict())
    x = torch.randn(3, 4, DIM)
    assert torch.equal(fresh.eval()(x), model.eval()(x))
    model.set_last_slot_bias(0.0)
    assert not torch.allclose(fresh(x), model(x), atol=1e-4)


@pytest.mark.parametrize("beta", [-0.1, math.inf, math.nan])
def test_no_bias_that_favours_the_last_slot(beta):
    with pytest.raises(ValueError, match="no finite handicap"):
        build("biased-transformer", **SIZES).set_last_slot_bias(beta)
