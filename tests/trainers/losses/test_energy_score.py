"""The energy score: by hand, what it does not look at, and where it is least."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import cases, properties

from lvm_gates.trainers.losses import energy_score

exponents = st.floats(0.3, 1.9)


@properties
@given(cases, exponents)
def test_it_is_twice_the_way_to_the_target_less_the_way_between_samples(case, beta):
    expected = []
    for samples, target in zip(case.rollout, case.target, strict=True):
        to_target = [torch.dist(x, target).item() ** beta for x in samples]
        pairs = [(a, b) for i, a in enumerate(samples) for j, b in enumerate(samples) if i != j]
        between = [torch.dist(a, b).item() ** beta for a, b in pairs]
        expected.append(2 * sum(to_target) / len(to_target) - sum(between) / len(between))
    found = energy_score(case.rollout, case.target, beta).item()
    assert found == pytest.approx(sum(expected) / len(expected), rel=1e-6, abs=1e-5)


@properties
@given(cases, exponents, st.permutations(range(4)))
def test_the_order_of_the_samples_does_not_matter(case, beta, order):
    found = energy_score(case.rollout[:, order], case.target, beta).item()
    assert found == pytest.approx(energy_score(case.rollout, case.target, beta).item(), rel=1e-9, abs=1e-12)


@properties
@given(cases, st.floats(-3, 3))
def test_moving_samples_and_target_alike_changes_nothing(case, by):
    found = energy_score(case.rollout + by, case.target + by).item()
    assert found == pytest.approx(energy_score(case.rollout, case.target).item(), rel=1e-6, abs=1e-9)


@properties
@given(cases)
def test_samples_that_are_the_target_cost_nothing(case):
    # The way between them is as short as the way to it, and what stands under the root is paid once too often.
    assert energy_score(case.target[:, None].repeat(1, 3, 1), case.target).item() == pytest.approx(0, abs=2e-6)


def test_samples_drawn_as_the_target_cost_less_than_their_mean_and_than_wider_ones():
    """Strictly proper: in expectation nothing beats the distribution itself, not even its mean."""
    draw = torch.Generator().manual_seed(0)
    target = torch.randn(4_000, 3, generator=draw)
    noise = torch.randn(4_000, 4, 3, generator=draw)
    right, narrow, mean, wide = (energy_score(scale * noise, target).item() for scale in (1, 0.5, 0, 2))
    assert right < narrow < mean
    assert right < wide


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="two samples or more of a distribution, not 1"):
        energy_score(torch.zeros(2, 1, 3), torch.zeros(2, 3))
