"""Scratch arrays ask for their room at once: a mapped file with holes ends in a bus error when the disk is full."""

import errno
import os
import resource
import tempfile

import numpy as np
import pytest

from lvm_gates.harness.base.scratch import scratch_array


@pytest.fixture
def files(monkeypatch):
    """Every nameless file that is opened, as the number of bytes that it has on the disk."""
    opened, original = [], tempfile.TemporaryFile

    def watched(*arguments, **options):
        opened.append(original(*arguments, **options))
        handles.append(os.dup(opened[-1].fileno()))
        return opened[-1]

    handles: list[int] = []
    monkeypatch.setattr(tempfile, "TemporaryFile", watched)
    yield handles
    for handle in handles:
        os.close(handle)


@pytest.mark.parametrize("system", ["as it is", "without posix_fallocate"])
def test_the_room_is_taken_before_anything_is_written(tmp_path, files, monkeypatch, system):
    if system == "without posix_fallocate":
        monkeypatch.delattr(os, "posix_fallocate")
    array = scratch_array(tmp_path / "x", (300, 1000), "float64")
    (handle,) = files
    status = os.fstat(handle)
    assert status.st_size == 2_400_000
    assert status.st_blocks * 512 >= 2_400_000
    assert not array.any()
    array[-1] = 1.0
    assert array.sum() == 1000


def test_a_disk_without_room_is_an_error_and_no_crash(tmp_path):
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            scratch_array(tmp_path / "x", (1 << 20,), "float64")
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EFBIG


@pytest.mark.parametrize("shape", [(1,), (3, 5)])
def test_a_small_array_is_an_array(tmp_path, shape):
    array = scratch_array(tmp_path / "x", shape, "float32")
    array[:] = 2
    np.testing.assert_array_equal(array, np.full(shape, 2, dtype=np.float32))
