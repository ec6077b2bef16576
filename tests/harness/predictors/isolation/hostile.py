"""Predictors and factories that misbehave as a user's may; numpy only, so that their processes start quickly."""

# ruff: noqa: NPY002, PTH115, T201 - what users do

import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np


class Last:
    def predict(self, contexts):
        return contexts[:, -1]


def answering(answer):
    """A factory of predictors that call ``answer(contexts)``."""

    class Answering:
        def predict(self, contexts):
            return answer(contexts)

    return Answering


Doubles = answering(lambda c: c[:, -1].astype(np.float64) / 3)
LongDoubles = answering(lambda c: c[:, -1].astype(np.longdouble) / 3)
Halves = answering(lambda c: c[:, -1].astype(np.float16))
BigEndian = answering(lambda c: c[:, -1].astype(">f4"))
Integers = answering(lambda c: np.sign(c[:, -1]).astype(np.int8))
Lists = answering(lambda c: c[:, -1].tolist())
Spoils = answering(lambda c: c.fill(0.0) or c[:, -1])
Objects = answering(lambda c: np.full((len(c), c.shape[2]), None))
Words = answering(lambda c: np.full((len(c), c.shape[2]), "x"))
Records = answering(lambda c: np.zeros((len(c), c.shape[2]), [("a", "f4")]))
Nothing = answering(lambda c: None)
Ragged = answering(lambda c: [[0.0]] + [[0.0, 1.0]] * (len(c) - 1))
TooWide = answering(lambda c: np.zeros((len(c), c.shape[2] + 1)))
SysExit = answering(lambda c: sys.exit(0))
HardExit = answering(lambda c: print("done, goodbye", flush=True) or os._exit(0))
Segfault = answering(lambda c: os.kill(os.getpid(), signal.SIGSEGV))
Hangs = answering(lambda c: print("thinking\x1b[2J", flush=True) or time.sleep(600))
HangsUp = answering(lambda c: os.closerange(3, 256) or time.sleep(600))
Chatty = answering(lambda c: [print("x" * 1000) for _ in range(3000)] and c[:, -1])
Babbles = answering(lambda c: [os.write(fd, b"{}\n") for fd in range(3, 256) if _is_socket(fd)] and c[:, -1])


def _is_socket(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False


class Faults:
    """Answers with the pages that the system had to give it anew, for layers of 3 MB as a network has them."""

    def predict(self, contexts):
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        layers = [np.ones(3 * 2**20, np.uint8) for _ in range(5)]
        del layers
        given = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        return np.full((len(contexts), contexts.shape[2]), given)


class Interrupts:
    def predict(self, contexts):
        raise KeyboardInterrupt


class Wordy:
    def predict(self, contexts):
        raise RuntimeError("out of\ncheese \x1b[31m" + "!" * 5000)


class Unspeakable:
    def predict(self, contexts):
        class NoText(Exception):
            def __str__(self):
                raise ValueError

        raise NoText


class Forks:
    """Its child comes back from predict as well, later and with another answer."""

    def predict(self, contexts):
        if os.fork():
            return contexts[:, -1]
        time.sleep(0.2)
        return -contexts[:, -1]


class LeavesChildren:
    """One in the group of its process, one in a session of its own where it can still be found by name."""

    def predict(self, contexts):
        child = os.fork()
        if child == 0:
            time.sleep(600)
        Path("child").write_text(str(child))
        return contexts[:, -1]


class HangsInPredict:
    """Says who it is before it hangs."""

    def predict(self, contexts):
        Path("pid").write_text(str(os.getpid()))
        time.sleep(600)


class Keeps:
    """Keeps what it is given, and answers with the first that it was ever given."""

    def __init__(self):
        self.first = None

    def predict(self, contexts):
        self.first = contexts if self.first is None else self.first
        return self.first[:, -1]


class Patches:
    """Changes everything in its process that others might share."""

    def predict(self, contexts):
        warnings.simplefilter("error")
        np.random.seed(7)
        np.seterr(all="raise")
        os.environ["HOSTILE"] = "1"
        os.chdir("/")
        np.asarray = None
        return contexts[:, -1]


class Where:
    """Writes down what it finds about it."""

    def predict(self, contexts):
        lines = [
            str(Path.cwd()),
            sys.path[0],
            repr(sys.argv[1:]),
            str("lvm_gates.harness.predictors.isolation.worker" in sys.modules),
        ]
        Path("where").write_text("\n".join(lines))
        return contexts[:, -1]


class FailsOnce:
    def predict(self, contexts):
        if not Path("failed").exists():
            Path("failed").touch()
            os._exit(3)
        return contexts[:, -1]


class SaysGoodbye:
    """Leaves by its exit handlers."""

    def __init__(self):
        import atexit

        atexit.register(Path("goodbye").touch)

    def predict(self, contexts):
        return contexts[:, -1]


class Deaf:
    """Has no predict at all."""


NOT_CALLABLE = 3


def needs_an_argument(weights):
    return Last()


def exits():
    sys.exit("no licence")


def raises():
    raise ValueError("no weights")


def returns_garbage():
    return 5


def never_returns():
    time.sleep(600)


def interrupts():
    raise KeyboardInterrupt
