"""What a recipe's command builds, without training it, and steps to feed its objective with."""

import dataclasses

import torch
from tiny import lvm_train, sizes_of
from torch.nn import functional

from lvm_gates.trainers.objective import Step

BATCH, CONTEXT, DIM, AHEAD, NEGATIVES = 24, 4, 8, 2, 2


class Built(Exception):
    """Stops a command where it would start to train."""


def build(monkeypatch, corpus, *arguments):
    """The (config, recipe) that a command line asks for; sizes are small unless ``arguments`` say otherwise."""
    found = []

    def stop(config, recipe, *rest, **options):
        found.append((config, recipe))
        raise Built

    monkeypatch.setattr("lvm_gates.trainers.loop.train", stop)
    result = lvm_train(arguments[0], "--corpus", corpus.path, *sizes_of(arguments[0]), *arguments[1:])
    assert isinstance(result.exception, Built), result.output
    return found[0]


def unit(*shape, generator):
    return functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


def step(epoch, seed=0, **changes):
    """A random step, its articles of two windows each; a closed loop stands still, so that P4 has what to punish."""
    g = torch.Generator().manual_seed(seed)
    context = unit(BATCH, CONTEXT, DIM, generator=g)
    raw = torch.randn(BATCH, DIM, generator=g)
    made = Step(
        raw=raw,
        answers=raw[:, None],
        target=unit(BATCH, DIM, generator=g),
        read=context,
        context=context,
        before=context[:, -1],
        future=unit(BATCH, AHEAD, DIM, generator=g),
        future_exists=torch.ones(BATCH, AHEAD, dtype=torch.bool),
        negatives=unit(BATCH, NEGATIVES, DIM, generator=g),
        article=torch.arange(BATCH) // 2,
        epoch=epoch,
        auxiliary=True,
        predict=lambda context: context[:, -1],
        answer=lambda context: context[:, -1],
    )
    if "raw" in changes:
        changes = {"answers": changes["raw"][:, None], **changes}
    return dataclasses.replace(made, **changes)
