"""Pieces of work are done once, by whichever thread or process is free."""

import re
import threading
import time

import numpy as np
import pytest
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.threads import threads
from lvm_gates.harness.judging import shared_work
from lvm_gates.harness.judging.shared_work import Piece, as_file_name, do, do_all, load_array, save_array


@pytest.fixture(params=[1, 2, 4])
def workers(request, monkeypatch):
    monkeypatch.setattr(shared_work, "threads", lambda: request.param)
    return request.param


@pytest.fixture
def piece(tmp_path):
    made = []

    def make(name, alone=False, work=lambda: None):
        def write(file):
            made.append((name, threading.current_thread() is threading.main_thread()))
            work()
            file.write_text(name)

        return Piece(name, tmp_path / name, write, alone) if alone else Piece(name, tmp_path / name, write)

    make.made = made
    return make


def test_whoever_waits_does_so_for_ever_and_whoever_does_not_goes_on_at_once(monkeypatch, piece):
    asked = []

    class Held:
        """A lock that another gives up one day."""

        def __init__(self, path, timeout):
            self.path, self.timeout = path, timeout

        def __enter__(self):
            asked.append(self.timeout)
            if self.timeout >= 0:
                raise Timeout(self.path)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(shared_work, "FileLock", Held)
    assert do(piece("a"))
    assert not do(piece("b"), wait=False)
    assert asked[0] < 0
    assert asked[1] == 0
    assert [name for name, _ in piece.made] == ["a"]


def test_every_piece_is_done_once_and_counted(workers, piece):
    seen = []
    pieces = [piece("a", alone=True), *(piece(name) for name in "bcdef")]
    do_all(pieces, lambda *told: seen.append(told))
    assert sorted(name for name, _ in piece.made) == list("abcdef")
    assert all(p.file.read_text() == p.what for p in pieces)
    done = [count for _, count, _ in seen]
    assert done == sorted(done)
    assert seen[0] == ("a", 0, 6)
    assert {total for *_, total in seen} == {6}
    do_all(pieces)
    assert len(piece.made) == 6


def test_code_that_is_not_ours_stays_in_the_main_thread(workers, piece):
    do_all([piece("a", alone=True), piece("b"), piece("c"), piece("d", alone=True)])
    assert {name for name, main in piece.made if main} >= {"a", "d"}
    assert all(main for _, main in piece.made) == (workers == 1)


def test_pieces_run_side_by_side_with_one_thread_a_product(monkeypatch, piece):
    monkeypatch.setattr(shared_work, "threads", lambda: 2)
    together, limits = threading.Barrier(2, timeout=20), []

    def work():
        together.wait()  # ends only if both are at it
        limits.append(threads())

    with threadpool_limits(2, user_api="blas"):
        do_all([piece("a", work=work), piece("b", work=work)])
        assert limits == [1, 1]
        assert threads() == 2


def test_it_is_told_what_is_done_and_what_is_waited_for(monkeypatch, piece):
    told, asked = [], []

    def busy_at_first(given, wait=True):
        """Others are at "held" and "later"; "held" they leave undone."""
        asked.append((given.what, wait))
        return given.what not in ("held", "later") or len(asked) > 4

    monkeypatch.setattr(shared_work, "threads", lambda: 1)
    monkeypatch.setattr(shared_work, "do", busy_at_first)
    do_all([piece(name) for name in ("a", "held", "b", "later")], lambda *one: told.append(one))
    assert told == [("a", 0, 4), ("held", 1, 4), ("b", 1, 4), ("later", 2, 4), ("held", 2, 4), ("later", 3, 4)]
    assert asked == [*((name, False) for name in ("a", "held", "b", "later")), ("held", True), ("later", False)]


def test_a_failure_is_told_and_begins_nothing_more(workers, piece):
    def fails():
        raise UserError("this cannot be")

    later = [piece(f"later-{i}", work=lambda: time.sleep(0.01)) for i in range(50)]
    with pytest.raises(UserError, match="this cannot be"):
        do_all([piece("bad", work=fails), *later])
    assert len(piece.made) < 50


def test_what_another_holds_is_waited_for_last(workers, piece):
    held, too, others = piece("held"), piece("held, too"), [piece("b"), piece("c")]
    holds, late = threading.Event(), time.monotonic() + 10

    def another():
        with FileLock(f"{held.file}.lock"), FileLock(f"{too.file}.lock"):
            holds.set()
            while not all(other.file.is_file() for other in others) and time.monotonic() < late:
                time.sleep(0.01)
            for mine in (held, too):
                mine.file.write_text("by another")

    thread = threading.Thread(target=another)
    thread.start()
    assert holds.wait(20)
    assert not do(held, wait=False)
    do_all([held, too, *others])
    assert time.monotonic() < late, "the others were not done meanwhile"
    assert held.file.is_file(), "it came back before all was done"
    thread.join()
    assert held.file.read_text() == "by another"
    assert sorted(name for name, _ in piece.made) == ["b", "c"]


def test_a_piece_that_is_an_array_is_read_as_it_was_written_and_no_code_with_it(tmp_path):
    save_array(tmp_path / "a.npy", np.array([[True, False]]))
    assert load_array(tmp_path / "a.npy").tolist() == [[True, False]]
    np.save(tmp_path / "code.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_array(tmp_path / "code.npy")


def test_every_name_of_a_model_is_a_file_name_of_its_own():
    names = ["m.pt", "../" * 200 + "m.pt", "\udcff.pt", "埋め込み.pt"]
    made = {as_file_name(name) for name in names}
    assert len(made) == len(names)
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)
