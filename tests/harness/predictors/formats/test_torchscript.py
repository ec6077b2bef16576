"""TorchScript runs as a graph; a program that could do more than compute is refused before it is loaded."""

import warnings
import zipfile

import numpy as np
import pytest
import torch
from graphs import DIM, Last, Saving, Waking, contexts

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.harness.predictors.checkpoint import _sha256


def scripted(path, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(str(path))
    return path


@pytest.mark.parametrize("traced", [True, False])
def test_it_answers_as_its_network_in_eval_mode(tmp_path, traced):
    net = Last().eval()
    given = contexts()
    expected = net(torch.from_numpy(given)).detach().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.trace(net, torch.from_numpy(given)) if traced else torch.jit.script(net.train())
        made.save(str(tmp_path / "m.pt"))
    found = load_named("m.pt", root=tmp_path)
    said = found.predictor.predict(given)
    np.testing.assert_allclose(said, expected, atol=1e-6)
    np.testing.assert_array_equal(found.predictor.predict_tensor(torch.from_numpy(given)), said)
    assert found.identity.sha256 == _sha256(tmp_path / "m.pt")
    assert found.identity.provenance == {"format": "TorchScript"}


@pytest.mark.parametrize(("module", "named"), [("saving", "save"), ("waking", "__setstate__")])
def test_what_does_more_than_compute_is_refused_unloaded(tmp_path, monkeypatch, module, named):
    target = tmp_path / "written"
    scripted(tmp_path / "m.pt", {"saving": Saving(str(target)), "waking": Waking()}[module])
    monkeypatch.setattr(torch.jit, "load", None)
    with pytest.raises(
        UserError, match=rf"its program uses '{named}'.*def factory\(weights\): return torch\.jit\.load"
    ):
        load_named("m.pt", root=tmp_path)
    assert not target.exists()


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = scripted(tmp_path / "m.pt", Last().eval())
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        (info,) = [one for one in archive.infolist() if one.filename.endswith("data/0")]
    content[info.header_offset + 120] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        load_named("m.pt", root=tmp_path)


def test_an_error_of_the_graph_is_its_last_line(tmp_path):
    scripted(tmp_path / "m.pt", Last().eval())
    predictor = load_named("m.pt", root=tmp_path).predictor
    with pytest.raises(RuntimeError, match=r"^input\.size\(-1\) must be equal"):
        predictor.predict(contexts(DIM + 1))
