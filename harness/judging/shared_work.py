"""Work that several processes and threads share: pieces with a file each, made once by whoever comes first.

Each piece has a lock of its own; the lock of a process that dies goes with it, and a file appears complete or not at
all, so that the next one starts that piece again.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.threads import threads

OnProgress = Callable[[str, int, int], None]


class Piece(NamedTuple):
    """Work that is done once.

    Attributes:
        what: it is, for who watches.
        file: that is there when it is done.
        make: writes the file, atomically.
        alone: it uses all cores by itself, or runs code that is not ours: one at a time, in the main thread.
    """

    what: str
    file: Path
    make: Callable[[Path], None]
    alone: bool = False


def do(piece: Piece, *, wait: bool = True) -> bool:
    """Make the file of one piece unless it is there. False: another process or thread is at it and we do not wait."""
    try:
        with FileLock(f"{piece.file}.lock", timeout=-1 if wait else 0):
            if not piece.file.is_file():
                piece.make(piece.file)
    except Timeout:
        return False
    return True


def save_array(file: Path, values: np.ndarray) -> None:
    """Write the file of a piece that is one array, of any shape; atomically."""
    with atomic_write(file) as stream:
        np.save(stream, values, allow_pickle=False)


def load_array(file: Path) -> np.ndarray:
    """What `save_array` wrote."""
    return np.asarray(np.load(file, allow_pickle=False))


def as_file_name(name: str) -> str:
    """A model's name as part of a file's: it may be a path of any length, and need be no UTF-8."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]


def do_all(pieces: Sequence[Piece], on_progress: OnProgress | None = None) -> None:
    """Do all pieces, each taken by whoever is free: the threads of this process, and other processes that do the same.

    Args:
        pieces: to be done.
        on_progress: called with (what is being done, how many are done, how many there are).
    """
    tell = on_progress or (lambda what, done, total: None)
    total, pending = len(pieces), list(pieces)
    while pending:
        held: list[Piece] = []
        left = len(pending)
        for piece, done in _attempts(pending):
            if done is None:
                tell(piece.what, total - left, total)
            elif done:
                left -= 1
            else:
                held.append(piece)
        if held:  # all that is left is in other hands: wait for the first, then look again
            tell(held[0].what, total - left, total)
            do(held[0])
        pending = held[1:]


def _attempts(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, bool | None]]:
    """Try every piece: it is named with None before, and with whether it is done after; False is in other hands."""
    together = [piece for piece in pieces if not piece.alone]
    workers = min(threads(), len(together))
    for piece in pieces:
        if piece.alone or workers < 2:
            yield piece, None
            yield piece, do(piece, wait=False)
    if workers < 2:
        return
    # One thread a product: most of the work is not in products, and two of them at once would fight for the cores.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        doing: dict[Future[bool], Piece] = {pool.submit(do, piece, wait=False): piece for piece in together}
        try:
            while doing:
                yield next(iter(doing.values())), None
                for future in wait(doing, return_when=FIRST_COMPLETED).done:
                    yield doing.pop(future), future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C or a failure, no more of them is begun
