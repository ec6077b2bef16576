"""What is kept between runs is made again where it is damaged, never in the way, and bounded."""

import os

import numpy as np
import pytest

from lvm_gates.harness.base import cache
from lvm_gates.harness.base.cache import cached_arrays, code_digest, trim
from lvm_gates.harness.controls.linear import cached_linear, fit_linear
from lvm_gates.harness.corpus.corpus import content_fingerprint
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.files import npz_file
from lvm_gates.harness.files.npz_file import NpzFile
from lvm_gates.harness.worlds.world import default_corpus


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"a": np.arange(1000.0)}


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, empty, flip])
def test_a_damaged_entry_is_made_again(empty_cache, damage):
    maker = Maker()
    for calls in (1, 1):
        np.testing.assert_array_equal(cached_arrays("fits", "k", ["a"], maker)["a"], np.arange(1000.0))
        assert maker.calls == calls
    damage(empty_cache / "fits" / "k.npz")
    for _ in range(2):
        np.testing.assert_array_equal(cached_arrays("fits", "k", ["a"], maker)["a"], np.arange(1000.0))
        assert maker.calls == 2


@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_fit_is_fitted_again(empty_cache, make_corpus, damage):
    windows = [windows_of(make_corpus([30] * 6, dim=6), np.arange(6), 3)]
    expected = fit_linear(windows, 0).model.weights
    cached_linear(windows, 0)
    (file,) = (empty_cache / "linear").glob("*.npz")
    damage(file)
    np.testing.assert_array_equal(cached_linear(windows, 0).model.weights, expected)


def test_a_disk_too_full_for_an_entry_does_without(empty_cache, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    maker = Maker()
    for calls in (1, 2):
        np.testing.assert_array_equal(cached_arrays("fits", "k", ["a"], maker)["a"], np.arange(1000.0))
        assert maker.calls == calls
    assert not list((empty_cache / "fits").glob("*.npz"))


def test_the_entries_unused_for_longest_leave(empty_cache, monkeypatch):
    monkeypatch.setattr(cache, "FITS", 30_000)  # of entries of 8,300 bytes, three
    for i, key in enumerate("abc"):
        cached_arrays("fits", key, ["a"], Maker())
        os.utime(empty_cache / "fits" / f"{key}.npz", (i, i))
    cached_arrays("fits", "a", ["a"], Maker())  # used again
    cached_arrays("fits", "d", ["a"], Maker())
    assert {file.stem for file in (empty_cache / "fits").glob("*.npz")} == {"a", "c", "d"}


def test_the_entry_in_use_stays_whatever_its_size(tmp_path):
    (tmp_path / "only.npy").write_bytes(bytes(100))
    trim(tmp_path, 10)
    assert (tmp_path / "only.npy").exists()


@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_world_is_drawn_again(damage):
    good = default_corpus()
    vectors = good.path / "vectors.npy"
    content = vectors.read_bytes()
    damage(vectors)
    again = default_corpus()
    assert content_fingerprint(again) == again.fingerprint
    assert vectors.read_bytes() == content


def test_an_unpacked_member_cut_short_is_unpacked_again(tmp_path, empty_cache):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(5000.0))
    file = NpzFile.open(tmp_path / "a.npz")
    file.map("x")
    (unpacked,) = (empty_cache / "npz").glob("*.npy")
    cut(unpacked)
    np.testing.assert_array_equal(file.map("x"), np.arange(5000.0))


def test_unpacked_members_are_bounded(tmp_path, empty_cache, monkeypatch):
    monkeypatch.setattr(npz_file, "_UNPACKED", 50_000)
    for name in "abc":
        np.savez_compressed(tmp_path / f"{name}.npz", x=np.arange(5000.0))
        NpzFile.open(tmp_path / f"{name}.npz").map("x")
    assert len(list((empty_cache / "npz").glob("*.npy"))) == 1


def test_what_a_kill_left_in_the_cache_is_swept_a_day_later(empty_cache):
    cached_arrays("fits", "a", ["a"], Maker())
    left, fresh, foreign = (
        empty_cache / "fits" / name for name in (".b.npz.abcd1234.tmp", ".c.npz.abcd1234.tmp", "notes.tmp")
    )
    for path in (left, fresh, foreign):
        path.write_text("")
    for path in (left, foreign):
        os.utime(path, (0, 0))
    cached_arrays("fits", "d", ["a"], Maker())
    assert not left.exists()
    assert fresh.exists()
    assert foreign.exists()


def test_the_code_is_part_of_a_key(tmp_path, monkeypatch):
    package = tmp_path / "grown"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_digest("grown")
    code_digest.cache_clear()
    (package / "part.py").write_text("X = 2\n")
    assert code_digest("grown") != before
    with pytest.raises(ModuleNotFoundError):
        code_digest("no_such_module")
