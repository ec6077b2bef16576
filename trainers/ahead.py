"""The next batches are gathered while the network works on this one: by a thread, in the same order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

# Batches that may be ready or in the making beside the one in use. One is enough where each takes as long as the last;
# the second is for a page that has to come from the disk.
AHEAD = 2


def made_ahead(make: Callable[[Given], Made], given: Iterable[Given], depth: int = AHEAD) -> Generator[Made]:
    """``map(make, given)``, up to ``depth`` results ahead of who asks.

    One thread makes them all, in order, so that a generator of random numbers in ``make`` gives each its own. What
    ``make`` raises is raised where its result is asked for; whoever stops asking waits for what was begun.

    Args:
        make: called in a thread of its own.
        given: its arguments, one after another.
        depth: 0 makes each when it is asked for, in the caller's thread.
    """
    if depth < 1:
        yield from map(make, given)
        return
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="gather")
    try:
        for one in given:
            waiting.append(pool.submit(make, one))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
