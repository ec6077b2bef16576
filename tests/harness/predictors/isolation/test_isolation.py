"""A predictor in a process of its own answers as it would in ours, and whatever else it does is one sentence."""

import os
import platform
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.harness.predictors.isolation.predictor import IsolatedPredictor, Isolation
from lvm_gates.harness.predictors.isolation.process import WorkerProcess

HERE = Path(__file__).parent
DIM = 6
UNHURRIED = 60.0


def contexts(n=4, dim=DIM, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3, dim)).astype(np.float32)


@pytest.fixture
def isolated(tmp_path, monkeypatch):
    """A predictor of `hostile` by its factory's name; its working directory is ``tmp_path``."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    made = []

    def make(factory, module="hostile", python=None, batch=UNHURRIED, start=UNHURRIED):
        isolation = Isolation(python, batch, start)
        made.append(IsolatedPredictor(f"python:{module}:{factory}", module, factory, tmp_path, isolation))
        return made[-1]

    yield make
    for predictor in made:
        predictor.close()


def sentence(predictor, given=None):
    with pytest.raises(UserError) as caught:
        predictor.predict(contexts() if given is None else given)
    text = str(caught.value)
    assert text.isprintable(), "one line, safe for any terminal"
    assert len(text) < 600
    assert text.startswith(predictor.name)
    return text


def gone(pid):
    """Whether a process has ended within a few seconds; one that nobody has waited for yet counts as ended."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_answers_are_those_of_this_process(isolated, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    import hostile

    for name in ("Last", "Doubles", "Halves", "BigEndian", "Integers", "Lists"):
        there, here = isolated(name), getattr(hostile, name)()
        for n, dim in ((4, DIM), (9, 2 * DIM), (1, 1)):
            given = contexts(n, dim)
            answer, expected = there.predict(given), np.asarray(here.predict(given))
            np.testing.assert_array_equal(answer, expected)
            assert answer.dtype == expected.dtype.newbyteorder("=")
        there.close()
    wide = (contexts()[:, -1].astype(np.longdouble) / 3).astype(np.float64)  # which is all that is used of it
    np.testing.assert_array_equal(isolated("LongDoubles").predict(contexts()), wide)


def test_what_it_is_given_is_its_own_to_keep(isolated):
    keeping = isolated("Keeps")
    first = keeping.predict(contexts(seed=1))
    assert np.array_equal(keeping.predict(contexts(seed=2)), first)


PREDICTORS = {
    "Objects": r"predict\(\) returned object of shape \(4, 6\) for contexts of shape \(4, 3, 6\); it must return",
    "Words": r"predict\(\) returned <U1",
    "Records": r"predict\(\) returned \[\('a', '<f4'\)\] of shape \(4, 6\)",
    "Nothing": r"predict\(\) returned object of shape \(\)",
    "Ragged": r"predict\(\) raised ValueError: setting an array element with a sequence",
    "TooWide": r"predict\(\) returned float64 of shape \(4, 7\)",
    "SysExit": r"predict\(\) raised SystemExit: 0\.",
    "Interrupts": r"predict\(\) raised KeyboardInterrupt\.",
    "Wordy": r"predict\(\) raised RuntimeError: out of cheese \\x1b\[31m!+…\.",
    "Unspeakable": r"predict\(\) raised NoText\.",
    "HardExit": r"its process ended with exit status 0 while predict\(\) was running.*last printed: 'done, goodbye'",
    "Segfault": r"its process was killed by SIGSEGV while predict\(\) was running",
    "Babbles": r"while predict\(\) was running; it must return",
}


@pytest.mark.parametrize("factory", list(PREDICTORS))
def test_a_bad_predictor_is_one_sentence(isolated, factory):
    assert re.search(PREDICTORS[factory], sentence(isolated(factory)))


FACTORIES = {
    "absent": r"cannot be imported \(module 'hostile' has no attribute 'absent'\)",
    "Deaf": r"Deaf\(\) returned Deaf, which has no predict\(contexts\)",
    "NOT_CALLABLE": r"NOT_CALLABLE\(\) raised TypeError: 'int' object is not callable",
    "needs_an_argument": r"needs_an_argument\(\) raised TypeError: .*missing 1 required positional argument: 'weights'",
    "exits": r"exits\(\) raised SystemExit: no licence\.",
    "raises": r"raises\(\) raised ValueError: no weights\.",
    "returns_garbage": r"returns_garbage\(\) returned int, which has no predict\(contexts\)",
}


def test_what_it_spoils_is_a_copy_in_its_own_process_so_that_ours_makes_none(isolated, tmp_path, monkeypatch):
    given = contexts()
    assert not isolated("Spoils").predict(given).any()
    np.testing.assert_array_equal(given, contexts())
    assert load_named("python:hostile:Spoils", root=tmp_path, isolation=Isolation()).only_reads
    monkeypatch.syspath_prepend(HERE)
    assert not load_named("python:hostile:Spoils", root=tmp_path).only_reads


MODULES = {
    "def f(:": r"importing broken raised SyntaxError: invalid syntax",
    "nonsense": r"importing broken raised NameError: name 'nonsense' is not defined",
    "raise ValueError('bad\\nconfiguration')": r"importing broken raised ValueError: bad configuration\.",
    "import sys; sys.exit()": r"importing broken raised SystemExit\.",
    "import not_installed_here": r"cannot be imported \(No module named 'not_installed_here'\)",
    "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('old')": r"importing broken raised UserWarning",
}


@pytest.mark.parametrize("factory", list(FACTORIES))
def test_a_bad_factory_is_the_same_sentence_in_either_process(isolated, factory, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    there = sentence(isolated(factory))
    assert re.search(FACTORIES[factory], there)
    with pytest.raises(UserError, match=re.escape(there)):
        load_named(f"python:hostile:{factory}", root=tmp_path)


@pytest.mark.parametrize("text", list(MODULES))
def test_a_bad_module_is_the_same_sentence_in_either_process(isolated, text, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken.py").write_text(text)
    there = sentence(isolated("f", module="broken"))
    assert re.search(MODULES[text], there)
    with warnings.catch_warnings(), pytest.raises(UserError, match=re.escape(there)):
        load_named("python:broken:f", root=tmp_path)


def test_an_interrupt_in_a_factory_is_not_the_users(isolated):
    assert "importing hostile or calling interrupts() raised KeyboardInterrupt" in sentence(isolated("interrupts"))


def test_a_deadline_for_a_batch_and_one_for_the_start(isolated):
    late = sentence(isolated("Hangs", batch=0.5))
    assert "predict() did not return 4 contexts within 0.5 s and was stopped" in late
    assert r"it last printed: 'thinking\\x1b[2J'" in late
    assert "is not ready after 0.5 s in its imports and never_returns()" in sentence(
        isolated("never_returns", start=0.5)
    )


def test_one_that_hangs_up_is_ended(isolated, monkeypatch):
    monkeypatch.setattr("lvm_gates.harness.predictors.isolation.process._GRACE", 1.0)
    assert "while predict() was running" in sentence(isolated("HangsUp"))


def test_a_fresh_process_after_a_failure(isolated):
    failing = isolated("FailsOnce")
    assert "ended with exit status 3" in sentence(failing)
    np.testing.assert_array_equal(failing.predict(contexts()), contexts()[:, -1])


def test_a_forked_child_that_comes_back_does_not_answer(isolated, monkeypatch):
    receive = WorkerProcess.receive

    def read_late(process, seconds):
        reply = receive(process, seconds)
        time.sleep(0.5)  # long enough for the child to overwrite the answer
        return reply

    monkeypatch.setattr(WorkerProcess, "receive", read_late)
    forking = isolated("Forks")
    for seed in range(2):
        np.testing.assert_array_equal(forking.predict(contexts(seed=seed)), contexts(seed=seed)[:, -1])


def test_a_child_that_is_left_behind_does_not_stay(isolated, tmp_path):
    leaving = isolated("LeavesChildren")
    leaving.predict(contexts())
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)
    leaving.close()
    assert gone(child)


def test_three_megabytes_of_print_hold_nothing_up(isolated):
    chatty = isolated("Chatty")
    np.testing.assert_array_equal(chatty.predict(contexts()), contexts()[:, -1])


def test_what_it_changes_stays_there(isolated, tmp_path):
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one, which users seed
    before = (Path.cwd(), np.geterr(), list(warnings.filters), "HOSTILE" in os.environ)
    patching = isolated("Patches")
    np.testing.assert_array_equal(patching.predict(contexts()), contexts()[:, -1])
    assert (Path.cwd(), np.geterr(), list(warnings.filters), "HOSTILE" in os.environ) == before
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_it_runs_in_the_folder_of_the_session_and_finds_its_modules_first_there(isolated, tmp_path):
    (tmp_path / "worker.py").write_text("from hostile import Where\n")  # not the worker that runs it
    isolated("Where", module="worker").predict(contexts())
    assert (tmp_path / "where").read_text().splitlines() == [str(tmp_path), str(tmp_path), "[]", "False"]


def test_exit_handlers_run_when_it_is_closed(isolated, tmp_path):
    leaving = isolated("SaysGoodbye")
    leaving.predict(contexts())
    leaving.close()
    assert (tmp_path / "goodbye").exists()


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_another_interpreter(isolated, tmp_path):
    other = script(tmp_path / "other", f'MARK=1 exec {sys.executable} "$@"')
    np.testing.assert_array_equal(isolated("Last", python=other).predict(contexts()), contexts()[:, -1])
    bare = script(tmp_path / "bare", f'exec {sys.executable} -S -E "$@"')
    assert "cannot import numpy (No module named 'numpy'); install it there" in sentence(isolated("Last", python=bare))
    none = script(tmp_path / "none", "echo no Python; exit 7")
    assert "its process ended with exit status 7 before it was ready" in sentence(isolated("Last", python=none))
    (tmp_path / "text").write_text("text")
    (tmp_path / "garbage").write_bytes(b"\0\1")
    (tmp_path / "garbage").chmod(0o755)
    for wrong in ("./text", "absent-python", "."):
        with pytest.raises(UserError, match=r"no such interpreter; give its path, such as .venv/bin/python"):
            isolated("Last", python=wrong)
    with pytest.raises(UserError, match=r"--python=.*garbage: cannot be started"):
        isolated("Last", python="./garbage").predict(contexts())


def test_the_worker_needs_nothing_of_this_project(tmp_path):
    """It and the file beside it, elsewhere, without our modules on the path."""
    from lvm_gates.harness.predictors.isolation import factory, worker

    for copy, module in {"alone.py": worker, "factory.py": factory}.items():
        (tmp_path / copy).write_text(Path(module.__file__).read_text())
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import alone, json; "
         "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('lvm_gates', 'numpy')]))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


SESSION = """
import signal
import sys
from pathlib import Path
import numpy as np
from lvm_gates.harness.predictors.isolation.predictor import IsolatedPredictor, Isolation
folder = Path(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background of a shell ignores it
predictor = IsolatedPredictor("python:hostile:HangsInPredict", "hostile", "HangsInPredict", folder, Isolation())
predictor.predict(np.zeros((2, 3, 4), np.float32))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_its_session_however_that_ends(tmp_path, how, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[3] / "src")]), prepend=os.pathsep)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    session = subprocess.Popen([sys.executable, "-c", SESSION, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
                break
            time.sleep(0.05)
        predicting = int((tmp_path / "pid").read_text())
        session.send_signal(how)
        session.wait(timeout=60)
        assert gone(predicting)
        assert [path.name for path in tmp_path.iterdir()] == ["pid"], "nothing is left on the disk"
    finally:
        session.kill()
        session.wait()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how freed memory is kept is glibc's way")
def test_memory_that_a_batch_frees_is_there_for_the_next(isolated):
    """Else a network's layers were mapped and zeroed anew for each batch, at a third of what the network took."""
    predictor = isolated("Faults")
    first, *later = (int(predictor.predict(contexts())[0, 0]) for _ in range(4))
    assert first > 3000, "15 MB are 3,840 pages"
    assert max(later) < 400
