"""Pieces of work are done once, by whichever thread or process is free."""

import threading
import time

import pytest
from filelock import FileLock
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.threads import threads
from lvm_gates.harness.judging import shared_work
from lvm_gates.harness.judging.shared_work import Piece, do, do_all


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

        return Piece(name, tmp_path / name, write, alone)

    make.made = made
    return make


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


def test_a_failure_is_told_and_begins_nothing_more(workers, piece):
    def fails():
        raise UserError("this cannot be")

    later = [piece(f"later-{i}", work=lambda: time.sleep(0.01)) for i in range(50)]
    with pytest.raises(UserError, match="this cannot be"):
        do_all([piece("bad", work=fails), *later])
    assert len(piece.made) < 50


def test_what_another_holds_is_waited_for_last(workers, piece):
    held, others = piece("held"), [piece("b"), piece("c")]
    holds = threading.Event()

    def another():
        with FileLock(f"{held.file}.lock"):
            holds.set()
            while not all(other.file.is_file() for other in others):
                time.sleep(0.01)
            held.file.write_text("by another")

    thread = threading.Thread(target=another)
    thread.start()
    assert holds.wait(20)
    assert not do(held, wait=False)
    do_all([held, *others])
    thread.join()
    assert held.file.read_text() == "by another"
    assert sorted(name for name, _ in piece.made) == ["b", "c"]
