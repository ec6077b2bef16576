"""The control that sees what comes after the target: what it reads, and that it never reads the target."""

import dataclasses

import numpy as np
import pytest

from examples.cheat_control import CHEAT_1, CHEAT_3, cheat
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls import Ingredients
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import windows_of

DIM, LENGTH = 6, 12


@pytest.fixture
def corpus(tmp_path):
    """Articles in which every other chunk lies between its neighbours."""
    drawn = np.random.default_rng(0).normal(size=(40, LENGTH, DIM))
    drawn[:, 1:-1:2] = drawn[:, :-2:2] + drawn[:, 2::2]
    splits = np.array(["TRAIN"] * 30 + ["VAL"] * 5 + ["OOD"] * 5)
    vectors = unit(drawn.reshape(-1, DIM)).astype(np.float32)
    return write_corpus(tmp_path / "c", vectors, np.full(40, LENGTH), splits=splits, meta={"kind": "test"})


def ingredients(corpus):
    return Ingredients(corpus, [windows_of(corpus, corpus.articles("TRAIN"), 2)], 0)


def answers(control, corpus, windows):
    return unit(control.build(ingredients(corpus)).predict_knowing(windows.contexts(), windows.targets))


def test_it_comes_nearer_the_more_it_sees_and_sees_nothing_past_the_end(corpus):
    windows = windows_of(corpus, corpus.articles("VAL"), 2)
    truth = windows.target_vectors()
    near = {k: (answers(cheat(k), corpus, windows) * truth).sum(axis=1) for k in (0, 1)}
    between = windows.targets % LENGTH % 2 == 1
    assert near[1][between & (windows.targets % LENGTH < LENGTH - 1)].mean() > 0.2 + near[0][between].mean()
    last = windows.targets % LENGTH == LENGTH - 1
    assert np.array_equal(near[1][last], near[0][last])


def test_it_never_reads_the_target(corpus):
    windows = windows_of(corpus, corpus.articles("VAL"), 2)
    built = CHEAT_3.build(ingredients(corpus))
    for row in (windows.targets[0], windows.targets[3]):
        changed = np.array(corpus.stored)
        changed[row] = -changed[row]
        other = dataclasses.replace(built, corpus=dataclasses.replace(corpus, stored=changed))
        one = windows.take(np.flatnonzero(windows.targets == row))
        found = [made.predict_knowing(one.contexts(), one.targets) for made in (built, other)]
        np.testing.assert_array_equal(*found)


def test_it_must_pass_the_gate_of_order():
    assert (CHEAT_1.name, CHEAT_1.passes) == ("cheat-1", ("order",))
