"""safetensors: weights and metadata of a checkpoint, or weights alone."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.models.registry import build

FIELDS = {"model_type": "transformer", "model_config": json.dumps({"heads": 4}), "context": "5", "recipe": "p1"}


def written(path, metadata=None, prefix=""):
    torch.manual_seed(0)
    net = build("transformer", input_dim=16, output_dim=16, width=32, depth=1, heads=4).requires_grad_(False).eval()
    save_file({prefix + key: value.contiguous() for key, value in net.state_dict().items()}, path, metadata)
    return net


@pytest.mark.parametrize("name", ["m.safetensors", "m.bin"])
def test_weights_with_their_metadata(tmp_path, name):
    net = written(tmp_path / name, FIELDS)
    found = load_named(name, root=tmp_path)
    given = np.random.default_rng(0).standard_normal((4, 5, 16)).astype(np.float32)
    np.testing.assert_allclose(found.predictor.predict(given), net(torch.from_numpy(given)).numpy(), atol=1e-6)
    assert (found.context, found.dim, found.identity.assumed) == (5, 16, ())
    assert found.identity.provenance["recipe"] == "p1"


def test_weights_alone_say_what_was_assumed(tmp_path):
    written(tmp_path / "m.safetensors", {"format": "pt"}, prefix="model.")
    assumed = load_named("m.safetensors", root=tmp_path).identity.assumed
    assert assumed == (
        "prefix 'model.' of every weight dropped",
        "architecture transformer by shapes",
        "8 attention heads",
    )


@pytest.mark.parametrize("metadata", [{"model_config": "{"}, {"context": "[" * 100_000}])
def test_metadata_that_are_no_json(tmp_path, metadata):
    written(tmp_path / "m.safetensors", metadata)
    with pytest.raises(UserError, match="is no JSON"):
        load_named("m.safetensors", root=tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 100, -3])
def test_a_truncated_file_is_one_sentence(tmp_path, kept):
    written(tmp_path / "m.safetensors")
    path = tmp_path / "m.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="is not a readable safetensors file"):
        load_named("m.safetensors", root=tmp_path)


def test_a_network_of_ones_own_is_refused_with_what_reads_its_file(tmp_path):
    save_file({"mix.weight": torch.ones(3, 3)}, tmp_path / "m.safetensors")
    with pytest.raises(
        UserError, match=r"architecture known here.*load_state_dict\(safetensors.torch.load_file\(weights"
    ):
        load_named("m.safetensors", root=tmp_path)
