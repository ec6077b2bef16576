"""What may happen to the last frame, and that nothing happens to the others."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lvm_gates.trainers.augment import corrupt_last, drop_last

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(2, 32))
AUGMENTATIONS = [drop_last, corrupt_last]


def contexts(batch, context, dim, seed=0):
    return functional.normalize(torch.randn(batch, context, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def changed(before, after):
    """(B, C) which frames are not what they were."""
    return (before != after).any(dim=2)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@settings(deadline=None, max_examples=40)
@given(SHAPES, st.floats(0, 1), st.integers(0, 1000))
def test_only_the_last_frame_changes_and_stays_a_unit_vector(augment, shape, probability, seed):
    given_contexts = contexts(*shape)
    kept = given_contexts.clone()
    torch.manual_seed(seed)
    found = augment(given_contexts, probability)
    assert torch.equal(given_contexts, kept), "the true context must survive for the losses"
    assert found.shape == given_contexts.shape
    assert torch.equal(found[:, :-1], given_contexts[:, :-1])
    torch.testing.assert_close(found.norm(dim=2), torch.ones(shape[:2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_never_and_always(augment):
    given_contexts = contexts(500, 4, 16)
    assert torch.equal(augment(given_contexts, 0.0), given_contexts)
    assert changed(given_contexts, augment(given_contexts, 1.0))[:, -1].all()


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 0.99), st.integers(0, 1000))
def test_the_rate_is_the_probability(augment, probability, seed):
    given_contexts = contexts(10_000, 2, 4)
    torch.manual_seed(seed)
    rate = changed(given_contexts, augment(given_contexts, probability))[:, -1].float().mean().item()
    assert rate == pytest.approx(probability, abs=6 * math.sqrt(probability * (1 - probability) / 10_000))


def test_a_dropped_frame_is_a_random_direction():
    given_contexts = contexts(2000, 3, 768)
    torch.manual_seed(0)
    dropped = drop_last(given_contexts, 1.0)[:, -1]
    cosine = (dropped * given_contexts[:, -1]).sum(1)
    # Of two random directions: mean 0, standard deviation 1 / sqrt(768) = .036.
    assert cosine.mean().item() == pytest.approx(0, abs=0.005)
    assert cosine.std().item() == pytest.approx(768**-0.5, rel=0.1)


def test_a_corrupted_frame_has_cosine_77_to_the_true_one_at_768_dimensions():
    """Noise of .03 on EACH coordinate is no small jitter: 1 / sqrt(1 + 768 x .0009).

    Source: docs/sources.md, "Versions of the code".
    """
    given_contexts = contexts(1000, 3, 768)
    torch.manual_seed(0)
    blurred = corrupt_last(given_contexts, 1.0, swap=0.0)[:, -1]
    cosine = (blurred * given_contexts[:, -1]).sum(1)
    assert cosine.mean().item() == pytest.approx(0.77, abs=0.005)


@settings(deadline=None, max_examples=15)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_a_share_of_the_corrupted_repeats_the_frame_before(swap, seed):
    given_contexts = contexts(10_000, 3, 8)
    torch.manual_seed(seed)
    found = corrupt_last(given_contexts, 0.5, swap=swap)
    hit = changed(given_contexts, found)[:, -1]
    swapped = (found[hit, -1] == given_contexts[hit, -2]).all(dim=1).float().mean().item()
    assert swapped == pytest.approx(swap, abs=6 * math.sqrt(swap * (1 - swap) / int(hit.sum())) + 1e-9)


def test_by_default_one_corrupted_frame_in_twenty_is_a_repeat():
    given_contexts = contexts(20_000, 3, 8)
    torch.manual_seed(0)
    found = corrupt_last(given_contexts, 1.0)
    swapped = (found[:, -1] == given_contexts[:, -2]).all(dim=1).float().mean().item()
    assert swapped == pytest.approx(0.05, abs=0.006)


def test_a_context_of_one_frame_has_none_to_repeat():
    given_contexts = contexts(200, 1, 8)
    found = corrupt_last(given_contexts, 1.0, swap=1.0)
    assert changed(given_contexts, found).all()
