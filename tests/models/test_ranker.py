"""The rankers: an anchored query, with the original blindness to order only where it is asked for."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from lvm_gates.models.ranker import context_anchor
from lvm_gates.models.registry import build

DIM = 8
properties = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["ranker", "ranker-lstm"])
shares = st.floats(0, 1)


def ranker(kind, seed, **config):
    torch.manual_seed(seed)
    heads = {"heads": 2} if kind == "ranker" else {}
    return build(kind, **{"input_dim": DIM, "width": 16, "depth": 2} | heads | config).eval()


def unit(*shape):
    return normalize(torch.randn(*shape), dim=-1)


def test_size_is_the_original_one_without_positions():
    with torch.device("meta"):
        parameters = [sum(p.numel() for p in build("ranker", positions=on).parameters()) for on in (False, True)]
    assert round(parameters[0] / 1e6, 1) == 13.7
    assert parameters[1] - parameters[0] == 100 * 512


@properties
@given(kinds, seeds, shares, st.booleans(), st.integers(1, 5))
def test_predictions_are_anchored_and_of_unit_norm(kind, seed, share, position, context):
    model = ranker(kind, seed, input_dim=DIM + position, output_dim=DIM, anchor_share=share)
    frames = unit(4, context, DIM)
    x = torch.cat([frames, torch.randn(4, context, 1)], -1) if position else frames
    query, prediction = model.query(x), model(x)
    anchor = normalize(frames.mean(1), dim=-1)
    assert torch.allclose(query.norm(dim=-1), torch.ones(4), atol=1e-5)
    assert torch.allclose(prediction.norm(dim=-1), torch.ones(4), atol=1e-5)
    assert torch.allclose(model.raw(x), share * query + (1 - share) * anchor, atol=1e-5)
    assert torch.equal(model.raw(x), model.compose(x, query))
    assert torch.allclose(context_anchor(frames), anchor, atol=1e-6)


@properties
@given(kinds, seeds)
def test_a_query_that_cancels_the_anchor_stays_finite(kind, seed):
    model = ranker(kind, seed, anchor_share=0.5)
    x = unit(3, 4, DIM)
    query = (-context_anchor(x)).requires_grad_()
    raw = model.compose(x, query)
    assert torch.isfinite(raw).all()
    assert raw.abs().max() < 1e-6
    prediction = normalize(raw, dim=-1)
    prediction.sum().backward()
    assert torch.isfinite(prediction).all()
    assert torch.isfinite(query.grad).all()


@properties
@given(kinds, seeds)
def test_frames_that_cancel_leave_the_query(kind, seed):
    model = ranker(kind, seed)
    frame = unit(3, 1, DIM)
    x = torch.cat([frame, -frame], 1).requires_grad_()
    prediction = model(x)
    assert torch.allclose(prediction, model.query(x), atol=1e-5)
    prediction.square()[:, 0].sum().backward()
    assert torch.isfinite(x.grad).all()


@properties
@given(seeds, st.permutations(range(4)))
def test_without_positions_the_order_before_the_last_frame_is_invisible(seed, order):
    """The original defect."""
    model = ranker("ranker", seed, positions=False)
    x = unit(3, 5, DIM)
    shuffled = x[:, [*order, 4]]
    assert torch.allclose(model(shuffled), model(x), atol=1e-5)
    # A different last frame does matter: the network is not constant.
    assert not torch.allclose(model(x.flip(1)), model(x), atol=1e-4)


@properties
@given(kinds, seeds, st.permutations(range(4)).filter(lambda order: list(order) != [0, 1, 2, 3]))
def test_with_positions_order_is_visible(kind, seed, order):
    model = ranker(kind, seed).requires_grad_(False)
    model.positions.table.mul_(50)
    x = unit(3, 5, DIM)
    assert not torch.allclose(model(x[:, [*order, 4]]), model(x), atol=1e-6)


@properties
@given(kinds, seeds, st.floats(-50, 50))
def test_a_learnable_share_stays_between_its_bounds(kind, seed, logit):
    model = ranker(kind, seed, learnable=True)
    assert model.anchor_share.item() == pytest.approx(0.8)
    model.raw(unit(3, 4, DIM)).sum().backward()
    assert model.share_logit.grad != 0
    model.requires_grad_(False).share_logit.fill_(logit)
    assert 0.6 - 1e-6 <= model.anchor_share.item() <= 0.9 + 1e-6


@pytest.mark.parametrize("share", [0.61, 0.7, 0.89])
def test_a_learnable_share_starts_where_it_is_told(share):
    assert ranker("ranker", 0, learnable=True, anchor_share=share).anchor_share.item() == pytest.approx(share)


def test_a_constant_share_is_no_parameter_but_is_saved():
    model = ranker("ranker", 0, anchor_share=0.65)
    assert not [name for name, _ in model.named_parameters() if "share" in name]
    other = ranker("ranker", 1)
    other.load_state_dict(model.state_dict())
    x = unit(2, 3, DIM)
    assert torch.equal(other(x), model(x))
    assert math.isclose(other.anchor_share.item(), 0.65, rel_tol=1e-6)


@pytest.mark.parametrize("kind", ["ranker", "ranker-lstm"])
@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("learnable", [False, True])
def test_sizes_are_read_from_the_weights(kind, positions, learnable):
    model = ranker(kind, 0, positions=positions, learnable=learnable, **({"max_context": 7} if positions else {}))
    recorded = {"heads": 2, "positions": positions, "learnable": learnable}
    config = type(model).config_from(model.state_dict(), recorded)
    assert (config["width"], config["depth"], config.get("max_context")) == (16, 2, 7 if positions else None)
    build(kind, **config).load_state_dict(model.state_dict(), strict=True)
