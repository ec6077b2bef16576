"""A checkpoint gets the card on an accelerator that it gets on the CPU; the accelerator is torch's ``cpu``."""

import msgspec
import pytest
import torch

from lvm_gates.harness.evaluation import block_on_device, observe
from lvm_gates.harness.predictors import checkpoint
from lvm_gates.models.registry import build


def leaves(tree, place=""):
    """Every number and word of a card, by where it stands."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {name: leaf for key, value in items for name, leaf in leaves(value, f"{place}/{key}").items()}
    return {place: tree}


def test_the_same_card(make_run, observed, tmp_path, monkeypatch):
    torch.manual_seed(0)
    torch.save(build("gru", input_dim=32, output_dim=32, width=16).state_dict(), tmp_path / "m.pt")

    def card(**options):
        run = make_run("m.pt", profile="skill", beside=observed, **options)
        found = leaves(msgspec.to_builtins(run.card("m.pt").record()))
        for split in ("VAL", "OOD"):
            run.observing.file("m.pt", split).unlink()
        return found

    expected, there = card(), torch.device("cpu")
    blocks, make = [], block_on_device.BlockOnDevice
    monkeypatch.setattr(checkpoint, "resolve_device", {"cuda": there}.__getitem__)
    monkeypatch.setattr(observe, "accelerator_of", lambda asked: asked[0].predictor.device)
    monkeypatch.setattr(block_on_device, "BlockOnDevice", lambda *given: blocks.append(given) or make(*given))
    found = card(device="cuda")
    assert len(blocks) == 2, "a block a split"
    assert found.keys() == expected.keys()
    assert len(found) > 500
    for place, value in expected.items():
        same = pytest.approx(value, abs=1e-9, nan_ok=True) if isinstance(value, float) else value
        assert found[place] == same, place
