"""ONNX runs on the CPU; weights beside it are part of what was judged, and weights elsewhere are not read."""

import hashlib

import numpy as np
import onnx
import pytest
from graphs import DIM, contexts
from onnx import TensorProto, helper, numpy_helper

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named

WEIGHT = np.random.default_rng(1).standard_normal((3 * DIM, DIM)).astype(np.float32)


def graph(path, *, shape=("batch", 3, DIM), outputs=1, inputs=1, operator="MatMul", domain="", **external):
    """Flatten, then a product with a matrix."""
    given = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, list(shape)) for i in range(inputs)]
    results = [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, ["batch", DIM]) for i in range(outputs)]
    nodes = [
        helper.make_node("Flatten", ["x0"], ["flat"], axis=1),
        helper.make_node(operator, ["flat", "w"], ["y0"], domain=domain),
        *(helper.make_node("Neg", ["y0"], [f"y{i}"]) for i in range(1, outputs)),
    ]
    made = helper.make_graph(nodes, "g", given, results, [numpy_helper.from_array(WEIGHT, "w")])
    sets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save_model(helper.make_model(made, opset_imports=sets, ir_version=8), path, size_threshold=0, **external)


def flat(given):
    return given.reshape(len(given), -1) @ WEIGHT


def test_it_answers_as_its_graph(tmp_path):
    graph(tmp_path / "m.onnx")
    found = load_named("m.onnx", root=tmp_path)
    for n in (1, 4, 7):
        np.testing.assert_allclose(found.predictor.predict(contexts(n=n)), flat(contexts(n=n)), atol=1e-5)
    assert (found.context, found.dim, found.identity.assumed) == (3, DIM, ())


def test_flattened_input_and_several_outputs_are_said(tmp_path):
    graph(tmp_path / "m.onnx", shape=("batch", 3 * DIM), outputs=2)
    found = load_named("m.onnx", root=tmp_path)
    np.testing.assert_allclose(found.predictor.predict(contexts()), flat(contexts()), atol=1e-5)
    assert found.identity.assumed == ("the first of 2 outputs, y0", "frames of a context flattened, oldest first")
    assert (found.context, found.dim) == (None, None)


def test_weights_beside_it_are_identified(tmp_path):
    graph(tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    found = load_named("m.onnx", root=tmp_path)
    np.testing.assert_allclose(found.predictor.predict(contexts()), flat(contexts()), atol=1e-5)
    expected = hashlib.sha256((tmp_path / "m.data").read_bytes()).hexdigest()
    assert found.identity.files == (("m.data", expected),)


def refusal(folder):
    with pytest.raises(UserError) as caught:
        load_named("m.onnx", root=folder)
    return str(caught.value)


def test_weights_elsewhere_are_not_read(tmp_path):
    graph(tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    content = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(content.replace(b"m.data", b"../abc"))
    assert "'../abc', which is no file beside it" in refusal(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "m.data")
    (tmp_path / "m.onnx").write_bytes(content.replace(b"\x06m.data", b"\x04link").replace(b"m.data", b"link"))
    refusal(tmp_path)


def test_an_operator_of_a_library_is_refused(tmp_path):
    graph(tmp_path / "m.onnx", operator="Anything", domain="com.example")
    assert "is not an ONNX model that onnxruntime reads" in refusal(tmp_path)


def test_a_fixed_batch_is_refused_with_the_way(tmp_path):
    graph(tmp_path / "m.onnx", shape=(4, 3, DIM))
    assert "batches of 4 contexts and no other; export it again with" in refusal(tmp_path)


def test_two_inputs_are_refused_with_the_way(tmp_path):
    graph(tmp_path / "m.onnx", inputs=2)
    assert "one input of contexts (B, C, D) is wanted; put `def factory(weights)" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"x" * 200])
def test_garbage_is_one_sentence(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    assert "\n" not in refusal(tmp_path)
