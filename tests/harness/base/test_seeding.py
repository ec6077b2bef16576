"""Streams of one seed are apart from each other, and each is the same whenever it is asked for."""

import itertools
import re
from pathlib import Path

import numpy as np

from lvm_gates.harness.base.seeding import Stream, rng_of, sampling_rng

HARNESS = Path(__file__).parents[3] / "harness"


def test_a_stream_begins_at_its_beginning_every_time():
    for stream in Stream:
        assert np.array_equal(rng_of(3, stream).standard_normal(8), rng_of(3, stream).standard_normal(8))


def test_no_two_streams_and_no_two_seeds_share_numbers():
    drawn = [rng_of(seed, stream).standard_normal(8) for seed in (0, 1) for stream in Stream]
    drawn += [sampling_rng(seed).standard_normal(8) for seed in (0, 1)]
    for one, other in itertools.combinations(drawn, 2):
        assert not np.isclose(one, other).any()


def test_one_number_has_two_purposes_and_no_other():
    """An enumeration takes a number that is there already for another name of the same member, and says nothing."""
    assert [name for name, stream in Stream.__members__.items() if stream.name != name] == ["ARROW_OF_TIME"]


def test_no_module_of_the_engine_numbers_a_stream_of_its_own():
    own = [
        path.relative_to(HARNESS) for path in HARNESS.rglob("*.py") if re.search(r"default_rng\(\[", path.read_text())
    ]
    assert [str(path) for path in own] == ["base/seeding.py"]
