"""The mutation runner on a project of one function: what is killed, what lives, and that nothing else is touched."""

import textwrap

import pytest

from ci import mutate
from ci.mutation.ledger import Explained, Ledger, Target, as_row, read_explained, read_targets
from ci.mutation.mutants import mutants_of
from ci.mutation.trial import Trial, copied

MODULE = """\
LIMIT = 3


def above(values: list[int]) -> bool:
    return all(v > LIMIT for v in values)
"""
TEST = """\
from little_module import above


def test_above():
    assert above([4, 9])
    assert not above([2, 9])
"""
TARGET = Target(("little_module.py",), ("test_little_module.py",))


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    (root / "little_module.py").write_text(MODULE)
    (root / "test_little_module.py").write_text(TEST)
    (root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return root


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_mutant_is_killed_a_survivor_is_told_and_nothing_is_written_to_the_project(project, tmp_path, monkeypatch):
    before = contents(project)
    # Shapes are checked by a plugin that the little_module project has no packages for.
    monkeypatch.setattr("ci.mutation.trial.SHAPES", "-q")
    ledger = Ledger(project, tmp_path / "results.json")
    with copied(project) as copy:
        runner = mutate.Runner(copy, ledger)
        mutants = mutants_of("little_module.py", MODULE)
        fates = {m.mutation: runner.fate(m, TARGET) for m in mutants}
        folder = copy.root
        assert (folder / "little_module.py").read_text() == MODULE
    assert {name: trial.fate for name, trial in fates.items()} == {
        "3 -> 6": "killed",
        "3 -> 1": "killed",
        "all(v > LIMIT for v in values) -> True": "killed",
        "all(v > LIMIT for v in values) -> False": "killed",
        "all -> any": "killed",
        "v > LIMIT -> (v >= LIMIT)": "survived",
        "v > LIMIT -> (v <= LIMIT)": "killed",
    }
    assert fates["all -> any"].killer == "test_little_module.py::test_above"
    assert contents(project) == before
    assert not folder.exists()

    # What is known is found again, until the module or what the result rests on changes.
    again = Ledger(project, tmp_path / "results.json")
    assert all(again.find(m, TARGET).fate == fates[m.mutation].fate for m in mutants)
    assert again.find(mutants_of("little_module.py", MODULE.replace("LIMIT = 3", "LIMIT = 4"))[0], TARGET) is None


def test_a_kill_while_tests_are_collected_is_remembered_as_long_as_their_file_stays(project, tmp_path):
    (mutant, *_) = mutants_of("little_module.py", MODULE)
    Ledger(project, tmp_path / "results.json").add(mutant, TARGET, Trial("killed", "test_little_module.py", 1.0))
    assert Ledger(project, tmp_path / "results.json").find(mutant, TARGET).fate == "killed"
    other = tmp_path / "other"
    other.mkdir()
    (other / "test_little_module.py").write_text(TEST + "\n")
    assert Ledger(other, tmp_path / "results.json").find(mutant, TARGET) is None


def test_tests_that_say_nothing_are_refused(project, tmp_path, monkeypatch):
    ledger, (mutant, *_) = Ledger(project, tmp_path / "results.json"), mutants_of("little_module.py", MODULE)
    for source, said in (
        (TEST.replace("not above", "above"), "fail without any mutation"),
        ("def test_nothing():\n    pass\n", "pass without it"),
    ):
        (project / "test_little_module.py").write_text(source)
        with copied(project) as copy, pytest.raises(mutate.UnsoundError, match=said):
            mutate.Runner(copy, ledger).fate(mutant, TARGET)


def test_what_the_clock_killed_is_tried_again_by_whoever_has_patience(project, tmp_path, monkeypatch):
    monkeypatch.setattr("ci.mutation.trial.SHAPES", "-q")
    mutant = next(m for m in mutants_of("little_module.py", MODULE) if m.mutation == "all -> any")
    ledger = Ledger(project, tmp_path / "results.json")
    ledger.add(mutant, TARGET, Trial("timed out", "", 9.0))
    with copied(project) as copy:
        assert mutate.Runner(copy, ledger).fate(mutant, TARGET).fate == "timed out"
        assert mutate.Runner(copy, ledger, 20).fate(mutant, TARGET).fate == "killed"
        assert mutate.Runner(copy, ledger).fate(mutant, TARGET).fate == "killed"


def test_an_endless_mutant_is_stopped(project):
    with copied(project) as copy:
        tried = copy.trial("little_module.py", "while True:\n    pass\n", ["test_little_module.py"], 1.0)
    assert tried.fate == "timed out"


def mutations(source):
    return {m.mutation for m in mutants_of("m.py", textwrap.dedent(source))}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("TIE = 1e-12", {"1e-12 -> 1e-09", "1e-12 -> 1e-15"}),
        ("BANK = 10_000", {"10_000 -> 1000000", "10_000 -> 100"}),
        ("SHARE = 0.5", {"0.5 -> 1.0", "0.5 -> 0.25"}),
        ("f(a and b)", {"a and b -> (a or b)", "f(a and b) -> pass"}),
        ("x = a & ~b", {"a & ~b -> (a | ~b)", "~b -> (b)"}),
        ("x = not a", {"not a -> (a)"}),
        ("x = -a + b", {"-a + b -> (-a - b)", "-a -> (a)"}),
        ("x = min(a, key=f)", {"min -> max"}),
        ("x = a.all()", {"a.all -> a.any"}),
        ("x = gain.low > 0", {
            "gain.low -> gain.value", "gain.low > 0 -> (gain.low >= 0)", "gain.low > 0 -> (gain.low <= 0)", "0 -> 1",
        }),
        ("x = a if b else c", {"b -> (not (b))"}),
        ("x += 1", {"x += 1 -> pass", "x += 1 -> x -= 1", "1 -> 2"}),
        ("x = a in b", {"a in b -> (a not in b)"}),
        ("def f() -> list[str]:\n    return a", {"a -> []"}),
        ("def f() -> str | None:\n    return a", {"a -> None"}),
        ("def f() -> int:\n    return a", set()),
        # Wording, types, names of random streams: no change there says anything.
        ('x = f"{a + 1}" + "b"', set()),
        ("x: Float[np.ndarray, 3]", set()),
        ("x = default_rng([seed, 3])", set()),
        ("if TYPE_CHECKING:\n    f()", set()),
        ("class A(Record, frozen=True):\n    pass", set()),
        ("x = zip(a, b, strict=True)", set()),
    ],
)  # fmt: skip
def test_the_ways_to_break_a_line(source, expected):
    assert mutations(source) == expected


def test_every_mutant_of_a_line_with_letters_beyond_ascii_is_python():
    source = 'X = "é…" if a > 1 else "ü"\n'
    made = mutants_of("m.py", source)
    assert {m.source for m in made} >= {'X = "é…" if (a >= 1) else "ü"\n', 'X = "é…" if a > 2 else "ü"\n'}
    assert {(m.line, m.text) for m in made} == {(1, source.strip())}


def test_the_sample_is_the_same_whatever_happens_elsewhere():
    ours, others = mutants_of("m.py", "A = 3\nB = 5\nC = x < y\n"), mutants_of("n.py", "D = 7\n")
    picked = mutate.sample(ours, 3, seed=0)
    assert picked == mutate.sample(mutants_of("m.py", "A = 3\nB = 5\nC = x < y\n"), 3, seed=0)
    moved = mutants_of("m.py", "import os\n\nA = 3\nB = 5\nC = x < y\n")
    assert [m.mutation for m in mutate.sample(moved, 3, seed=0)] == [m.mutation for m in picked]
    # One mutant more moves at most one out of the sample.
    assert len(set(picked) & set(mutate.sample([*ours, *others], 3, seed=0))) >= len(picked) - len(others)
    everything = mutate.sample(ours, 99, seed=1)
    assert set(everything) == set(ours)
    assert [m.line for m in everything] == sorted(m.line for m in ours)


def test_survivors_are_explained_by_their_text_and_stale_explanations_are_told(tmp_path):
    boundary, negated = (m for m in mutants_of("m.py", "C = x < y\n"))
    (tmp_path / "survivors.toml").write_text(as_row(boundary, "equivalent: x is never y") + "\n")
    (entry,) = explained = read_explained(tmp_path / "survivors.toml")
    assert entry == Explained("m.py", "C = x < y", "x < y -> (x <= y)", "equivalent: x is never y")
    alive = Trial("survived", "", 1.0)
    fates = {boundary: alive, negated: alive}
    assert mutate.table([boundary, negated], fates, explained).splitlines()[2:] == [
        "| m.py | 2 | 0 | 1 | 1 | 0 |",
        "| in all | 2 | 0 | 1 | 1 | 0 |",
    ]
    (other,) = mutants_of("gates/n.py", "D = x == y\n")
    by_room = mutate.table([boundary, negated, other], fates, explained, by_room=True).splitlines()[2:]
    assert by_room == ["|  | 2 | 0 | 1 | 1 | 0 |", "| gates | 1 | 0 | 0 | 0 | 1 |", "| in all | 3 | 0 | 1 | 1 | 1 |"]
    assert mutate.stale(explained, fates, [boundary, negated]) == []
    assert "is killed by t.py::a" in mutate.stale(explained, {boundary: Trial("killed", "t.py::a", 1.0)}, [boundary])[0]
    assert "no such mutant" in mutate.stale(explained, {}, mutants_of("m.py", "C = x <= y\n"))[0]


def test_every_target_and_every_explanation_is_of_this_project():
    """A module or a test that was moved would leave its mutants untried."""
    for module, target in read_targets(mutate.HERE / "targets.toml").items():
        for path in (module, *target.tests, *target.wider):
            assert (mutate.ROOT / path).exists(), path
    for entry in read_explained(mutate.HERE / "survivors.toml"):
        assert entry.why.partition(":")[0] in ("equivalent", "accepted"), entry
        assert entry.line in [line.strip() for line in (mutate.ROOT / entry.module).read_text().splitlines()], entry
