"""`torch.export` programs are followed as data; nothing of their text is evaluated."""

import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
from graphs import DIM, Last, contexts

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.models.registry import build


def exported(path, net, given, *, dynamic=True):
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(net, (torch.from_numpy(given),), dynamic_shapes=shapes), path)


class Plain(torch.nn.Module):
    """Buffers, constants, sizes and infinities."""

    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.arange(DIM, dtype=torch.float32))
        self.register_buffer("scale", torch.full((DIM,), 2.0), persistent=False)

    def forward(self, x):
        attention = x @ x.transpose(1, 2)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        mixed = attention.masked_fill(hidden, -torch.inf).softmax(-1) @ x
        both = mixed.reshape(x.shape[0], -1)[:, -DIM:].chunk(2, dim=1)
        return torch.cat(both, dim=1) * self.scale + self.shift


NETWORKS = {
    "recurrent": Last,
    "plain": Plain,
    "lstm": lambda: build("lstm", input_dim=DIM, output_dim=DIM, width=8),
    "amn": lambda: build("amn", input_dim=DIM, output_dim=DIM, width=8),
}


@pytest.mark.parametrize("name", list(NETWORKS))
def test_it_answers_as_its_network_in_any_batch(tmp_path, monkeypatch, name):
    net = NETWORKS[name]().eval().requires_grad_(False)
    exported(tmp_path / "m.pt2", net, contexts())
    monkeypatch.setattr(torch.export, "load", None)
    found = load_named("m.pt2", root=tmp_path)
    for n in (1, 4, 9):
        given = contexts(n=n)
        expected = net(torch.from_numpy(given)).numpy()
        said = found.predictor.predict(given)
        np.testing.assert_allclose(said, expected, atol=1e-5)
        np.testing.assert_array_equal(found.predictor.predict_tensor(torch.from_numpy(given)), said)
    assert (found.context, found.dim) == (3, DIM)
    assert found.identity.provenance == {"format": "torch.export"}


def refusal(folder):
    with pytest.raises(UserError) as caught:
        load_named("m.pt2", root=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_fixed_batch_is_refused_with_the_way(tmp_path):
    exported(tmp_path / "m.pt2", Last().eval(), contexts(), dynamic=False)
    assert "batches of 4 contexts and no other; export it again with" in refusal(tmp_path)


def spoiled(path, change):
    """The same archive with another graph."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            if name.endswith("models/model.json"):
                program = json.loads(content)
                change(program["graph_module"])
                content = json.dumps(program).encode()
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.hub.load",
        "_operator.attrgetter",
        "torch.ops.aten.from_file.default",
        "builtins.eval",
        "torch.ops.aten.__class__.default",
        "torch.ops.aten.add.__init__",
        "torch.ops.load_library",
        "math.sqrt",
        "",
        "torch.ops.inductor._alloc_from_pool.default",
        "torch.ops.aten.absent.default",
    ],
)
def test_what_is_no_operator_of_torch_is_refused_before_anything_runs(tmp_path, target):
    exported(tmp_path / "m.pt2", Last().eval(), contexts())
    spoiled(tmp_path / "m.pt2", lambda program: program["graph"]["nodes"][-1].update(target=target))
    said = refusal(tmp_path)
    assert "is no operator of torch's own set" in said
    assert "'python:mine:factory?weights=m.pt2'" in said


def test_expressions_are_not_evaluated(tmp_path):
    exported(tmp_path / "m.pt2", Last().eval(), contexts())
    hostile = {"as_expr": {"expr_str": f"open({str(tmp_path / 'written')!r}, 'w')", "hint": None}}

    def plant(program):
        program["graph"]["tensor_values"]["x"]["sizes"][0] = hostile

    spoiled(tmp_path / "m.pt2", plant)
    load_named("m.pt2", root=tmp_path).predictor.predict(contexts())
    assert not (tmp_path / "written").exists()


def test_garbage_in_the_graph_is_one_sentence(tmp_path):
    exported(tmp_path / "m.pt2", Last().eval(), contexts())
    spoiled(tmp_path / "m.pt2", lambda program: program.pop("signature"))
    assert "of which nothing was run, since it cannot be followed: KeyError" in refusal(tmp_path)
