"""Bands, gates, and which ridge a window reads."""

import pytest
import torch

from lvm_gates.models.base import ConfigError
from lvm_gates.models.registry import build

DIM, CONTEXT, DOMAINS, REACH = 48, 3, 3, 2
# Of three context frames, three ridges and climatology, what is read together.
PAIRS = [[0, 1, 2, a, b, 6] for a, b in ((3, 4), (3, 5), (4, 3), (4, 5), (5, 3), (5, 4))]


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = build("band-gated", input_dim=DIM, context=CONTEXT, domains=DOMAINS, reach=REACH, width=16).eval()
    made.basis.copy_(torch.linalg.qr(torch.randn(DIM, DIM))[0])
    made.ridge.normal_(std=0.1)
    made.climatology.normal_()
    return made.requires_grad_(False)


def contexts(frames=CONTEXT):
    return torch.nn.functional.normalize(torch.randn(5, frames, DIM), dim=-1)


def marked(x, labels):
    return torch.cat([x, torch.tensor(labels, dtype=x.dtype)[:, None, None].expand(-1, x.shape[1], 1)], dim=-1)


def test_it_is_a_blend_of_its_frames_in_each_band(network):
    x = contexts()
    frames, picked = network.frames(x), network.picked(x)
    weights = network.weights(network.likeness(frames, picked))
    assert picked[0].tolist() == PAIRS
    expected = torch.zeros(5, DIM)
    for pair, read in enumerate(picked[0].tolist()):
        begin = 0
        for band, end in enumerate((1, 4, 12, 24, 48)):
            for place, frame in enumerate(read):
                expected[:, begin:end] += weights[:, pair, band, place, None] * frames[:, frame, begin:end] / len(PAIRS)
            begin = end
    torch.testing.assert_close(network.raw(x), expected @ network.basis.T)


def test_its_frames_are_the_context_the_ridge_of_each_domain_and_climatology(network):
    x = contexts()
    found = network.frames(x) @ network.basis.T
    ridges = torch.stack([x[:, -REACH:].flatten(1) @ ridge for ridge in network.ridge], dim=1)
    expected = torch.cat([x, ridges, network.climatology.expand(5, 1, -1)], dim=1)
    torch.testing.assert_close(found, expected)


def test_a_window_of_a_known_domain_reads_the_ridges_of_the_others(network):
    x = contexts()
    read = marked(x, [0, 1, 2, 0, 1])
    expected = {0: PAIRS[3::2], 1: [PAIRS[1], PAIRS[4]], 2: PAIRS[:3:2]}
    assert [pairs.tolist() for pairs in network.picked(read)] == [expected[domain] for domain in (0, 1, 2, 0, 1)]
    before = network.raw(read)
    network.ridge[1] += 1
    changed = (network.raw(read) != before).any(dim=-1)
    assert changed.tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(("domains", "pairs"), [(1, [(3, 3)]), (2, [(4, 4), (3, 3)])])
def test_fewer_domains_have_a_ridge_all_the_same(domains, pairs):
    network = build("band-gated", input_dim=DIM, context=CONTEXT, domains=domains, width=16)
    for domain, (a, b) in enumerate(pairs):
        assert network.picked(marked(contexts(), [domain] * 5))[0].tolist() == [[0, 1, 2, a, b, CONTEXT + domains]]


def test_what_it_looks_at_does_not_turn_with_the_text(network):
    """All frames turned alike inside the bands are as alike as before, and so weigh as much."""
    x = contexts()
    frames, picked = network.frames(x), network.picked(x)
    turn = torch.block_diag(*(torch.linalg.qr(torch.randn(n, n))[0] for n in (1, 3, 8, 12, 24)))
    torch.testing.assert_close(network.likeness(frames @ turn, picked), network.likeness(frames, picked))


def test_a_longer_context_is_cut_and_a_shorter_one_begins_with_its_first_frame_again(network):
    x = contexts(5)
    assert torch.equal(network.raw(x), network.raw(x[:, -CONTEXT:]))
    short = x[:, -1:]
    assert torch.equal(network.raw(short), network.raw(short.expand(-1, CONTEXT, -1)))


def test_gates_learn_and_what_is_fitted_does_not():
    network = build("band-gated", input_dim=DIM, context=CONTEXT, width=16, heads=2)
    network.raw(contexts().repeat(10, 1, 1)).square().sum().backward()
    learnt = {name for name, weight in network.named_parameters() if weight.grad.abs().max() > 0}
    assert learnt == {"constant", "hidden.weight", "hidden.bias", "answer", "answer_bias"}
    assert {name for name, _ in network.named_parameters()} == learnt


def test_one_head_answers_a_window_in_training_and_the_mean_of_all_afterwards():
    torch.manual_seed(0)
    network = build("band-gated", input_dim=DIM, context=CONTEXT, width=16, heads=3, dropout=0.0).requires_grad_(False)
    x = contexts()
    likeness = network.likeness(network.frames(x), network.picked(x))
    alone = []
    for head in range(3):
        one = build("band-gated", input_dim=DIM, context=CONTEXT, width=16, heads=1, dropout=0.0).requires_grad_(False)
        one.hidden.weight.copy_(network.hidden.weight[16 * head : 16 * (head + 1)])
        one.hidden.bias.copy_(network.hidden.bias[16 * head : 16 * (head + 1)])
        one.answer.copy_(network.answer[head : head + 1])
        alone.append(one.weights(likeness))
    torch.testing.assert_close(network.eval().weights(likeness), torch.stack(alone).mean(dim=0))
    drawn = network.train().weights(likeness)
    for window, found in enumerate(drawn):
        assert sum(torch.allclose(found, one[window], atol=1e-6) for one in alone) == 1


def test_a_width_that_its_weights_cannot_have_is_refused(network):
    with pytest.raises(ConfigError, match="input_dim 50 for weights of width 48"):
        type(network).config_from(network.state_dict(), {"input_dim": 50})


def test_its_sizes_are_those_of_its_weights(network):
    found = type(network).config_from(network.state_dict())
    expected = {"context": CONTEXT, "domains": DOMAINS, "reach": REACH, "bands": 5, "width": 16, "heads": 6}
    assert found == {"input_dim": DIM, "output_dim": DIM, **expected}


@pytest.mark.parametrize(("bands", "first"), [(1, 48), (2, 24), (5, 1)])
def test_fewer_bands_begin_with_a_wider_one(bands, first):
    network = build("band-gated", input_dim=DIM, context=CONTEXT, bands=bands, width=16, heads=2).requires_grad_(False)
    assert network.eval().config_from(network.state_dict())["bands"] == bands
    network.constant[0] = 0
    network.answer.zero_()
    found = network.raw(contexts())
    assert (found[:, :first] == 0).all()
    assert (found[:, first:] != 0).all()


@pytest.mark.parametrize("bands", [0, 6])
def test_bands_that_there_are_not_are_refused(bands):
    with pytest.raises(ValueError, match=f"{bands} bands are not between 1 and 5"):
        build("band-gated", input_dim=DIM, context=CONTEXT, bands=bands)


@pytest.mark.parametrize("reach", [0, CONTEXT + 1])
def test_ridges_read_no_more_than_the_context(reach):
    with pytest.raises(ValueError, match=f"ridges of {reach} frames for a context of 3"):
        build("band-gated", input_dim=DIM, context=CONTEXT, reach=reach)
