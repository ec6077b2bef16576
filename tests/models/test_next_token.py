"""The [NEXT] token: it reads the context's slots and nothing else, the last of them with a handicap."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lvm_gates.models.next_token import CrossAttentionBlock
from lvm_gates.models.registry import build

DIM = 8
SIZES = {"input_dim": DIM, "width": 16, "heads": 2}
properties = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def network(seed, **sizes):
    torch.manual_seed(seed)
    return build("next-token", **SIZES | sizes).eval().requires_grad_(False)


@properties
@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_attention_goes_to_the_slots_of_the_context_only(seed, context, depth):
    rows = network(seed, depth=depth).attention(torch.randn(3, context, DIM))
    assert rows.shape == (3, depth, 2, context)
    assert torch.allclose(rows.sum(-1), torch.ones(()), atol=1e-5)


@properties
@given(seeds)
def test_the_token_is_not_among_its_keys(seed):
    """The token's content moves what a block reads only by asking otherwise: with one slot to ask, not at all."""
    torch.manual_seed(seed)
    attention = CrossAttentionBlock(16, 2, 0.0).eval().attention
    memory, bias = torch.randn(3, 1, 16), torch.zeros(1, 1)
    read = [attention(torch.randn(3, 1, 16), memory, memory, attn_mask=bias)[0] for _ in range(2)]
    assert torch.allclose(read[0], read[1], atol=1e-6)


@properties
@given(seeds, st.floats(-5, 5), st.integers(2, 6))
def test_the_bias_lowers_the_odds_of_the_last_slot_in_every_head(seed, bias, context):
    model = network(seed, depth=1)
    x = torch.randn(3, context, DIM)
    odds = []
    # At -100 the softplus is 0.
    for value in (-100.0, bias):
        model.last_slot_bias.fill_(value)
        rows = model.attention(x)
        odds.append(rows[..., -1] / rows[..., :-1].sum(-1))
    expected = odds[0] * math.exp(-functional.softplus(torch.tensor(bias)).item())
    assert torch.allclose(odds[1], expected, rtol=1e-3)
    assert (odds[1] < odds[0]).all()


@properties
@given(seeds, st.integers(2, 6))
def test_a_boundless_bias_makes_the_last_slot_irrelevant_to_a_block(seed, context):
    torch.manual_seed(seed)
    block = CrossAttentionBlock(16, 2, 0.1).eval()
    query, memory = torch.randn(3, 1, 16), torch.randn(3, context, 16)
    changed = memory.clone()
    changed[:, -1] = 100 * torch.randn(3, 16)
    hidden, seen = torch.zeros(1, context), torch.zeros(1, context)
    hidden[0, -1] = -1e9
    assert torch.equal(block(query, memory, hidden)[0], block(query, changed, hidden)[0])
    assert not torch.allclose(block(query, memory, seen)[0], block(query, changed, seen)[0], atol=1e-3)


@properties
@given(seeds)
def test_a_boundless_bias_leaves_only_the_encoded_context(seed):
    """Past the encoder, which mixes all slots, the prediction is that over the earlier slots alone."""
    model = network(seed)
    model.last_slot_bias.fill_(1e9)
    x = torch.randn(3, 4, DIM)
    before = model(x)
    assert model.attention(x)[..., -1].max() == 0
    # Blind the encoder's output in the last slot: nothing may change.
    model.encoder.register_forward_hook(lambda module, given, states: states.index_fill(1, torch.tensor([3]), 7.0))
    assert torch.equal(model(x), before)


def test_the_bias_starts_at_ln_2_and_is_learnt():
    torch.manual_seed(0)
    model = build("next-token", **SIZES)
    assert model.last_slot_bias.item() == 0
    rows = model.eval().attention(torch.randn(2, 3, DIM))
    assert rows.shape[-1] == 3
    x = torch.randn(4, 3, DIM)
    model.raw(x).square().sum().backward()
    gradient, step = model.last_slot_bias.grad.item(), 1e-2
    values = []
    with torch.no_grad():
        for value in (step, -step):
            model.last_slot_bias.fill_(value)
            values.append(model.raw(x).square().sum().item())
    difference = (values[0] - values[1]) / (2 * step)
    assert abs(gradient - difference) < 0.02 * abs(difference) + 1e-3


def test_a_block_is_a_decoder_layer_without_self_attention():
    """Against torch's own layer, whose self-attention and first norm are made the identity on this query."""
    torch.manual_seed(0)
    block = CrossAttentionBlock(16, 2, 0.0).eval()
    query, memory = torch.randn(3, 1, 16), torch.randn(3, 4, 16)
    bias = torch.tensor([[0.0, 0.0, 0.0, -0.7]])
    theirs = torch.nn.TransformerDecoderLayer(16, 2, 64, 0.0, batch_first=True).eval()
    theirs.multihead_attn.load_state_dict(block.attention.state_dict())
    for name in ("linear1", "linear2"):
        getattr(theirs, name).load_state_dict(getattr(block, name).state_dict())
    theirs.norm1 = torch.nn.Identity()
    theirs.self_attn.out_proj.weight.data.zero_()
    expected = theirs(query, memory, memory_mask=bias)
    assert torch.allclose(block(query, memory, bias)[0], expected, atol=1e-5)
