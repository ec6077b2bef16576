"""What the grid holds, by name and by weight, and that it is the one of docs/specification.md, "Rivals"."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.rivals.family import domain_family_of, ewma_weights, family_of
from lvm_gates.harness.rivals.fitted import BETAS

SPECIFICATION = Path(__file__).parents[3] / "docs/specification.md"


@pytest.mark.parametrize("context", [1, 2, 5, 20])
def test_every_rival_is_listed_once_under_one_name(context):
    family = family_of(context)
    assert family.weights.shape == (len(family.names), context + 2)
    assert len(set(family.names)) == len(family.names)
    assert len(np.unique(np.round(family.weights, 9), axis=0)) == len(family.names)


def test_names_say_what_is_blended():
    family = family_of(5)
    by_name = dict(zip(family.names, family.weights, strict=True))
    assert by_name["persistence"].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert by_name["frame-1"].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert by_name["linear"].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert by_name["climatology"].tolist() == [0, 0, 0, 0, 0, 0, 1]
    blended = by_name["ewma-0.8 +0.3 mean +0.6 ridge +0.1 climatology"]
    assert blended[:5] == pytest.approx(0.7 * ewma_weights(0.8, 5) + 0.3 / 5)
    assert blended[5:].tolist() == [0.6, 0.1]
    # What was released before blends were rivals: EWMA .8 with a tenth of climatology, and with a share of ridge.
    assert {"ewma-0.8 +0.1 climatology", "ewma-0.8 +0.6 ridge"} <= set(family.names)


def test_ewma_weights_are_geometric_and_add_to_one():
    assert ewma_weights(0.5, 3) == pytest.approx(np.array([0.25, 0.5, 1]) / 1.75)
    assert ewma_weights(0.0, 4).tolist() == [0, 0, 0, 1]
    assert ewma_weights(1.0, 4) == pytest.approx(np.full(4, 0.25))


def test_frames_of_a_blend_add_to_one_so_that_a_repeated_frame_is_kept():
    family = family_of(5)
    frames = [w[:5].sum() for n, w in zip(family.names, family.weights, strict=True) if "ewma" in n or "mean" in n]
    assert frames == pytest.approx(np.ones(len(frames)))


def test_without_ridge_needs_no_fit():
    family = family_of(5).without_ridge()
    assert not family.weights[:, 5].any()
    assert "persistence" in family.names
    assert "linear" not in family.names


def test_fitted_weights_join_under_names_of_their_own():
    family = family_of(3)
    more = family.with_fitted(np.ones((2, 5)))
    assert more.names[-2:] == ("fitted-0", "fitted-1")
    assert np.array_equal(more.weights[: len(family.names)], family.weights)


@pytest.fixture(scope="module")
def table():
    """Numbers of each row of the specification's table."""
    rows = re.findall(r"^\| ([^|]+) \| (-?\d\.\d[^|]*) \|$", SPECIFICATION.read_text(), re.M)
    return {name: [float(number) for number in re.findall(r"-?\d+\.\d+", numbers)] for name, numbers in rows}


def profiles(table, flat_shares):
    """Weights of the frames: the mean, and every decay with every flat share."""
    mean = np.full(5, 0.2)
    decays = [np.power(decay, np.arange(5)[::-1]) for decay in table["decay of the frames"]]
    pairs = product(decays, flat_shares)
    return [mean, *((1 - flat) * ewma / ewma.sum() + flat * mean for ewma, flat in pairs)]


def listed(rows):
    return {tuple(np.round(row, 9) + 0.0) for row in rows}


def test_the_grid_is_that_of_the_specification(table):
    ends = list(product(table["ridge"], table["climatology"]))
    ends += np.reshape(table["ridge and climatology, steep"], (-1, 2)).tolist()
    grid = [[*frames, *end] for frames, end in product(profiles(table, table["flat share"]), ends)]
    alone = [*np.eye(7), [0, 0, 0, 0, 0, 1, -0.2], [0, 0, 0, 0, 0, 1, 0.2]]
    assert listed(family_of(5).weights) == listed([*grid, *alone])


def test_rivals_that_know_the_domain_are_those_of_the_specification(table):
    frames = profiles(table, table["flat share beside the domain"])
    ends = product(table["ridge beside the domain"], table["domain, in the place of climatology"])
    grid = [[*one, *end] for one, end in product(frames, ends)]
    assert listed(domain_family_of(5).weights) == listed([*grid, np.eye(7)[6]])


def test_the_fitted_rivals_weigh_rank_as_the_specification_says(table):
    assert list(BETAS) == table["share of rank in the fitted loss"]
