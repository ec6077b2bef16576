"""Checkpoints looked over before torch reads them: what is damaged is refused, what would cost memory or time too."""

import io
import struct
import zipfile
from functools import cache

import numpy as np
import pytest
import torch

from ci.fuzzing.cases import flipped, with_field, zip_of
from ci.fuzzing.checkpoint_files import record_of, saved
from ci.fuzzing.pickles import HARMLESS, PLACEHOLDER, PROGRAMS
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.checkpoint import load_checkpoint
from lvm_gates.harness.predictors.checkpoint_file import plain

RNG = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.pt"


def refusal(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert said.isprintable()
    assert said.endswith(".")
    assert len(said.removeprefix(str(path))) < 500, "what the file says is quoted in brief"
    return said


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def changed(**fields):
    return saved({**record_of("gru"), **fields})


@pytest.mark.parametrize("part", ["archive/data.pkl", "archive/data/0", "archive/data/3", "archive/version"])
def test_a_bit_turned_over_is_refused(path, part):
    """torch checks no checksum: 103 of 103 files with a bit of the weights turned over were loaded."""
    content = saved(record_of("gru"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        info = archive.getinfo(part)
    begin = info.header_offset + 30 + sum(struct.unpack_from("<HH", content, info.header_offset + 26))
    said = refusal(path, flipped(content, begin, begin + info.file_size, RNG))
    assert f"is damaged: the checksum of {part} is not that of its bytes" in said


def test_archives_that_torch_does_not_write(path):
    members = members_of(saved(record_of("gru")))
    name, body = next((n, b) for n, b in members if n.endswith("data/0"))
    assert "an archive that torch.save does not write" in refusal(path, zip_of([*members, (name, bytes(len(body)))]))
    assert "compressed or encrypted member" in refusal(path, zip_of(members, zipfile.ZIP_DEFLATED))
    assert "compressed or encrypted member" in refusal(path, with_field(zip_of(members), 0, "flags", 1))
    moved = [("x/" + name, body), *((n, b) for n, b in members if n != name)]
    assert "m.pt: " in refusal(path, zip_of(moved))
    short = [(n, b[:-4] if n == name else b) for n, b in members]
    assert "bytes of data '0' that are not there" in refusal(path, zip_of(short))


# The same as at a fiftieth of the depth, but for the time that checking every type takes here.
SLOW = ("100,000 deep", "tuples 100,000 deep")


@cache
def with_placeholder(zipped):
    return saved({**record_of("gru"), "note": PLACEHOLDER}, zipped=zipped)


@pytest.mark.parametrize("kind", [kind for kind in PROGRAMS if kind not in HARMLESS + SLOW])
@pytest.mark.parametrize("zipped", [True, False])
def test_programs_that_no_torch_save_writes_are_refused_unread(path, tmp_path, kind, zipped, monkeypatch):
    """A hundred kilobytes asked for four gigabytes, or for minutes."""
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("torch was asked"))
    marker = tmp_path / "code-was-run"
    spelled = b"X" + struct.pack("<I", len(PLACEHOLDER)) + PLACEHOLDER.encode()
    program = PROGRAMS[kind](marker)
    whole = with_placeholder(zipped)
    if zipped:
        content = zip_of([(name, body.replace(spelled, program)) for name, body in members_of(whole)])
    else:
        content = whole.replace(spelled, program)
    refusal(path, content)
    assert not marker.exists()


def loop():
    found = []
    found.append(found)
    return found


def nested(levels):
    found = []
    for _ in range(levels):
        found = [found]
    return found


def shared(levels):
    found = ["x"] * 10
    for _ in range(levels):
        found = [found] * 10
    return found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (loop(), "metadata that contains itself or is nested too deep"),
        (nested(100), "metadata that contains itself or is nested too deep"),
        (shared(7), "metadata of more than 2,000,000 values"),
        (["y" * 1_000_000] * 200, "metadata of more than 2,000,000 values"),
        ({(1, (2, 3)): 1}, "keys are neither text nor numbers"),
        (torch.zeros(1).expand(10**9), "a tensor of 1,000,000,000 elements of which 1 are in the file"),
        (torch.zeros(4096).as_strided((2000, 2000), (1, 1)), "a tensor of 4,000,000 elements of which 4,096"),
        (torch.empty(10**10, device="meta"), "holds code or a Python object (torch._utils._rebuild_meta_tensor"),
        (torch.ones(2, 2).to_sparse(), "holds code or a Python object (torch._utils._rebuild_sparse_tensor)"),
        (torch.nn.Linear(1, 1), "holds code or a Python object (torch.nn.modules.linear.Linear)"),
    ],
    ids=["loop", "nested", "shared", "long text", "odd keys", "expanded", "overlapping", "meta", "sparse", "module"],
)
@pytest.mark.parametrize("field", ["note", "training_state", "optimizer_state_dict"])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_values_that_would_grow_are_refused(path, field, value, said):
    assert said in refusal(path, changed(**{field: {"x": value}}))


def test_what_honest_files_hold_is_read(path):
    fields = {
        "set": {1, 2},
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"ab"),
        "size": torch.Size([3]),
        "device": torch.device("cuda", 1),
        "type": torch.float32,
        "complex": 1j,
        "tensor": torch.arange(3),
        "half": "a\ud800b",
    }
    path.write_bytes(changed(**fields))
    metadata = load_checkpoint(path).metadata
    assert metadata["set"] == [1, 2]
    assert metadata["size"] == [3]
    assert metadata["tensor"] == [0, 1, 2]
    assert metadata["type"] == "torch.float32"
    assert metadata["half"] == "a?b"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_weights_of_every_precision_and_shared_weights_are_read(path, dtype):
    state = {key: value.to(dtype) for key, value in record_of("gru")["model_state_dict"].items()}
    path.write_bytes(changed(model_state_dict=state))
    loaded = load_checkpoint(path).module.state_dict()
    assert all(torch.equal(loaded[key], value.float()) for key, value in state.items())


def test_parameters_and_transposed_weights_are_read(path):
    state = {
        key: torch.nn.Parameter(value.mT.contiguous().mT if value.ndim > 1 else value)
        for key, value in record_of("gru")["model_state_dict"].items()
    }
    path.write_bytes(changed(model_state_dict=state))
    loaded = load_checkpoint(path).module.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_a_long_tensor_in_the_metadata_is_shown_by_its_shape():
    assert plain(torch.zeros(2, 1 << 20)) == "torch.float32 of shape (2, 1048576)"


def test_layers_without_end_are_refused(path):
    state = dict(record_of("gru")["model_state_dict"])
    of_one = [key for key in state if key.startswith("blocks.0.")]
    for number in range(1, 300):
        state |= {key.replace(".0.", f".{number}."): state[key] for key in of_one}
    said = refusal(path, changed(model_state_dict=state))
    assert "have 300 layers (blocks.0 and so on), more than 256" in said


ARGS = record_of("gru")["args"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"context": "5"}, "context is '5' and must be a whole number"),
        ({"context": True}, "context is True and must be a whole number"),
        ({"context": 0}, "records a context of 0 frames"),
        ({"context": 2**62}, "records a context of 4611686018427387904 frames"),
        ({"dim": 9}, "records a dim of 9 and predicts 8 dimensions"),
        ({"dim": "x"}, "records a dim of 'x'"),
        ({"corpus": "somewhere"}, "corpus is 'somewhere' and must be a dictionary"),
        ({"corpus": {"path": 5}}, "corpus.path is 5 and must be text"),
        ({"corpus": {"fingerprint": [1]}}, "corpus.fingerprint is [1] and must be text"),
        ({"train_article_hashes": "ab"}, "train_article_hashes is 'ab' and must be a list of text"),
        ({"train_article_hashes": [["a"]]}, "an entry of train_article_hashes is ['a'] and must be text"),
        ({"args": [1]}, "args is [1] and must be a dictionary"),
        ({"model_config": 3}, "model_config is 3 and must be a dictionary"),
        ({"args": ARGS | {"position_scale": "x"}}, "args name a position_scale of 'x'"),
        ({"args": ARGS | {"position_scale": True}}, "args name a position_scale of True"),
        ({"args": ARGS | {"position_scale": 10**400}}, "args name a position_scale of 1000"),
        ({"format_version": "1" * 1000}, "checkpoint format '111"),
        ({"model_type": "x" * 1000}, "unknown model type"),
        ({"model_state_dict": {"n" * 1000: 3}}, "is not a tensor of real numbers"),
    ],
)
def test_fields_of_another_type_are_not_read_as_absent(path, fields, said):
    assert said in refusal(path, changed(**fields))


def test_an_original_scale_that_no_float_holds_is_passed_over(path):
    record = {**record_of("gru"), "args": {"positional_scalar": 10**400, "pos_scale": 0.07}}
    path.write_bytes(saved(record))
    assert load_checkpoint(path).position_scale == 0.07


def test_a_name_too_long_for_the_system_is_no_file(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint file"):
        load_checkpoint(tmp_path / ("x" * 5000))
