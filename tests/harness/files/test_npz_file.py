"""Archives that are damaged, or say of themselves what is not so: refused in one sentence, nothing wrong read."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest

from ci.fuzzing.cases import flipped, raw_zip, with_field, zeros_compressed, zip_of
from ci.fuzzing.npz_files import article_arrays, members_of, npy, sequence_arrays
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.npz import SequenceFile, read_articles
from lvm_gates.harness.files import npz_file, verified

RNG = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def refusal(path, action=read_articles):
    with pytest.raises(UserError) as caught:
        action(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert said.isprintable()
    assert said.endswith(".")
    assert len(said) < 500
    return said


def wide_arrays():
    """Embeddings of more bytes than are read to find the header, at whose end zipfile checks the checksum itself."""
    return article_arrays() | {"embeddings": np.tile(article_arrays()["embeddings"], 64)}


def body_of(content, array):
    begin = content.find(array.tobytes()[:256])
    return begin, begin + array.nbytes


@pytest.mark.parametrize("name", ["embeddings", "article_ids", "chunk_indices"])
def test_a_bit_turned_over_in_a_stored_member_is_refused(path, name):
    """A mapped member passes no checksum by itself: 36 of 120 such files were read."""
    content = zip_of(members_of(wide_arrays()))
    path.write_bytes(flipped(content, *body_of(content, wide_arrays()[name]), RNG))
    said = "its checksum is not that of its bytes" if name == "embeddings" else "Bad CRC-32"
    assert said in refusal(path)


def with_body(change):
    (name, body), *rest = members_of(article_arrays())
    return [(name, change(body)), *rest]


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("change", [lambda b: b[:-32], lambda b: b + bytes(32), lambda b: b[:70], lambda b: b""])
def test_a_member_that_is_shorter_or_longer_than_its_header_says_is_refused(path, packing, change):
    path.write_bytes(zip_of(with_body(change), packing))
    assert "member 'embeddings' cannot be read" in refusal(path)


@pytest.mark.parametrize("method", [1, 6, 9, 12, 14, 93, 99])
def test_other_ways_of_packing_are_refused_or_damaged(path, method):
    path.write_bytes(with_field(zip_of(members_of(article_arrays())), 0, "method", method))
    assert "member 'embeddings' cannot be read" in refusal(path)


@pytest.mark.parametrize("flags", [1, 0x41, 0x20])
def test_an_encrypted_or_patched_member_is_refused(path, flags):
    path.write_bytes(with_field(zip_of(members_of(article_arrays())), 0, "flags", flags))
    assert "member 'embeddings' cannot be read" in refusal(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_ways_of_packing_are_read_whole_and_refused_damaged(path, packing):
    content = zip_of(members_of(article_arrays()), packing)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_articles(path).stored, article_arrays()["embeddings"])
    path.write_bytes(content[:300] + bytes(100) + content[400:])
    assert "member 'embeddings' cannot be read" in refusal(path)


def test_a_member_that_stands_twice_is_refused(path):
    other = npy(np.zeros_like(article_arrays()["embeddings"]))
    path.write_bytes(zip_of([*members_of(article_arrays()), ("embeddings.npy", other)]))
    assert "holds member 'embeddings.npy' 2 times" in refusal(path)


def test_a_name_with_a_nul_is_refused(path):
    other = npy(np.zeros_like(article_arrays()["embeddings"]))
    content = zip_of([("embeddings.npyX.npy", other), *members_of(article_arrays())])
    path.write_bytes(content.replace(b"embeddings.npyX", b"embeddings.npy\0"))
    assert "name holds a NUL" in refusal(path)


def test_names_are_shown_without_their_control_letters_and_not_all(path):
    path.write_bytes(zip_of([("\x1b[2J\n.npy", b""), *((f"m{i}.npy", b"") for i in range(1000))]))
    said = refusal(path)
    assert "found \\x1b[2J" in said
    assert "and 993 more" in said


HEADERS = {
    "a negative axis": {"shape": "(-96, 8)"},
    "two negative axes": {"shape": "(-96, -8)"},
    "an axis of 2**64": {"shape": f"({2**64}, 8)"},
    "axes that multiply past 2**64": {"shape": f"({2**40}, {2**40})"},
    "axes that multiply to 2**64": {"shape": f"({2**32}, {2**32})"},
    "an empty axis beside a vast one": {"shape": f"(0, {2**62})"},
    "no bytes an item": {"descr": "'<U0'", "shape": "(1000000000, 8)"},
    "an array in each item": {"descr": "('<f4', (100000, 100000))"},
    "braces without end": {"text": "{" * 9000},
    "nested": {"text": "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ")" * 3000 + "}"},
    "signs without end": {"text": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 5000 + "1,)}"},
    "a string without end": {"text": "{'descr': '''<f4"},
    "of four gigabytes": {"length": 2**32 - 1},
    "version 9": {"version": (9, 9)},
}


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("fault", HEADERS)
def test_a_header_is_believed_only_as_far_as_the_bytes_behind_it_go(path, fault, packing):
    member = npy(article_arrays()["embeddings"], **HEADERS[fault])
    path.write_bytes(zip_of([("embeddings.npy", member), *members_of(article_arrays())[1:]], packing))
    refusal(path)


def test_a_header_written_under_python_2_is_read(path):
    member = npy(article_arrays()["embeddings"], shape="(96L, 8L)")
    path.write_bytes(zip_of([("embeddings.npy", member), *members_of(article_arrays())[1:]]))
    assert read_articles(path).stored.shape == (96, 8)


@pytest.mark.parametrize("kind", ["header", "body"])
def test_a_member_that_unpacks_to_far_more_than_any_numbers_is_not_unpacked(path, kind, monkeypatch, tmp_path):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "cache"))
    if kind == "header":
        head = b"\x93NUMPY\x02\x00" + struct.pack("<I", 300 << 20)
    else:
        out = io.BytesIO()
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (300 << 11, 128)})
        head = out.getvalue()
    packed, crc, size = zeros_compressed(300, head)
    path.write_bytes(raw_zip("embeddings.npy", packed, crc, size))
    assert "member 'embeddings' cannot be read" in refusal(path)
    assert not (tmp_path / "cache").exists()


def test_numbers_beyond_64_bits_are_refused_and_not_wrapped(path):
    arrays = article_arrays()
    np.savez(path, **arrays | {"article_ids": arrays["article_ids"].astype(np.uint64) + np.uint64(2**63)})
    assert "must be a list of integers below 2**63" in refusal(path)
    np.savez(path, **arrays | {"article_ids": arrays["article_ids"].astype(np.uint64)})
    assert read_articles(path).article_ids.tolist() == list(range(8))


@pytest.mark.parametrize(("dtype", "value"), [(np.float32, 1e30), (np.float64, 1e300)])
def test_vast_coordinates_raise_no_warning(path, dtype, value):
    from lvm_gates.harness.corpus.npz import matching_rows

    store, arrays = path.with_name("store.npz"), dict(sequence_arrays())
    np.savez(store, **article_arrays())
    arrays["contexts"] = arrays["contexts"].astype(dtype)
    arrays["contexts"][3] *= value
    np.savez(path, **arrays)
    _, matches = matching_rows(SequenceFile.open(path), read_articles(store))
    # 1e30 times a vector has its direction; beyond float32 it has none.
    assert matches.sum() == len(matches) - (dtype is np.float64)


def test_a_name_too_long_for_the_system_is_no_file(tmp_path):
    with pytest.raises(UserError, match="no such NPZ file"):
        read_articles(tmp_path / ("x" * 5000 + ".npz"))


# the checksum is made once


@pytest.fixture
def checks(monkeypatch, tmp_path):
    """How many bytes have been read for checksums; small files are remembered too."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(verified, "WORTH_REMEMBERING", 0)
    read = []
    crc32 = npz_file.zlib.crc32

    class Counting:
        error = npz_file.zlib.error

        @staticmethod
        def crc32(block, *before):
            read.append(len(block))
            return crc32(block, *before)

    monkeypatch.setattr(npz_file, "zlib", Counting)
    return read


def test_the_checksum_of_a_file_is_made_once(path, checks):
    np.savez(path, **wide_arrays())
    read_articles(path)
    first = sum(checks)
    assert first == sum(len(body) for _, body in members_of(wide_arrays()))
    read_articles(path)
    assert sum(checks) == first


def test_a_file_that_was_changed_is_checked_again_although_size_and_time_are_as_before(path, checks):
    np.savez(path, **wide_arrays())
    read_articles(path)
    stat, content = path.stat(), path.read_bytes()
    path.write_bytes(flipped(content, *body_of(content, wide_arrays()["embeddings"]), RNG))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert "its checksum" in refusal(path)


def test_a_damaged_file_is_never_remembered_as_sound(path, checks):
    content = zip_of(members_of(wide_arrays()))
    path.write_bytes(flipped(content, *body_of(content, wide_arrays()["embeddings"]), RNG))
    refusal(path)
    assert "its checksum" in refusal(path)


def test_without_a_cache_that_can_be_written_the_file_is_checked_each_time(path, checks, monkeypatch, tmp_path):
    np.savez(path, **wide_arrays())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "file" / "below"))
    read_articles(path)
    first = sum(checks)
    read_articles(path)
    assert sum(checks) == 2 * first > 0
