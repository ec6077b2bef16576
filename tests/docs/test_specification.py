"""docs/specification.md says of gates, rules, audits and controls what the code says."""

import re
from pathlib import Path

import pytest

from lvm_gates.harness.audits import AUDITS
from lvm_gates.harness.controls import STANDARD_CONTROLS
from lvm_gates.harness.evaluation.contamination import MAX_LEAKED
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.release import COLLAPSE_LINE, COLLAPSE_RANK, COLLAPSE_VARIANCE
from lvm_gates.harness.worlds.parameters import WORLDS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "specification.md").read_text()


def section(heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    return re.split(r"^#+ .*$", TEXT.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(heading: str) -> dict[str, list[str]]:
    """First cell -> the rest of every row of the tables in a section."""
    found: dict[str, list[str]] = {}
    for line in section(heading).splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            first, rest = line.strip("|").split("|", 1)
            found.setdefault(re.split(r"[` ]+", first.strip(" `"))[0], []).append(rest)
    return found


def numbers(text: str) -> set[float]:
    return {float(number.replace("−", "-")) for number in re.findall(r"(?<!\d)[−+]?\.\d+", text)}


@pytest.mark.parametrize("gate", "ABCDE")
def test_the_limits_of_a_gate(gate):
    limits = {limit for row in load_profile("5cat").of_gate(gate) for limit in row.limits.values()}
    assert numbers(" ".join(rows("The five gates")[gate])) == limits


@pytest.mark.parametrize("name", ["production", "stage-a"])
def test_the_limits_of_a_rule(name):
    rule = load_profile("5cat").rule(name)
    (said,) = rows("Release rules")[name]
    assert numbers(said) == {limit for row in rule.checks for limit in row.limits.values()}
    assert f"at least {rule.gates}" in said


def test_every_rule_is_there_and_no_other():
    assert set(rows("Release rules")) - {"rule"} == {rule.name for rule in load_profile("5cat").rules}


def test_how_few_windows_and_articles_are_too_few():
    for name in ("5cat", "skill"):
        profile = load_profile(name)
        text = f"fewer than {profile.minimum_windows} windows or fewer than {profile.minimum_articles} articles"
        assert text in " ".join(section("Passing a gate").split())


@pytest.mark.parametrize(
    ("statistic", "heading", "said"),
    [
        ("task_figure", "Frontier", "at least .002"),
        ("rollout_worst", "Rollout beside a rival", "above −.01"),
        ("rank_ratio", "Spread", "at least half"),
        ("echo", "Spread", "at least a tenth"),
        ("retained", "Retained skill", "at least half"),
    ],
)
def test_the_limits_of_skill(statistic, heading, said):
    words = {"half": 0.5, "tenth": 0.1}
    last = said.split()[-1]
    limit = words.get(last) or float(last.replace("−", "-"))
    found = {
        value for row in load_profile("skill").thresholds if row.statistic == statistic for value in row.limits.values()
    }
    assert limit in found
    assert said in " ".join(section(heading).split())


def test_what_blocks():
    text = section("What blocks a model")
    assert {COLLAPSE_VARIANCE, COLLAPSE_RANK} <= numbers(text)
    assert f"at least {COLLAPSE_LINE:g}" in " ".join(text.split())
    assert f"More than {MAX_LEAKED:.0%}".replace("%", " %") in section("Leaks")


@pytest.mark.parametrize("name", sorted(AUDITS))
def test_an_audit_is_described(name):
    assert name in section("Audits")


@pytest.mark.parametrize("name", STANDARD_CONTROLS)
def test_a_control_is_described(name):
    said = {"context-mean": "context mean", "nan": "NaN", "ewma": "EWMA", "noisy-constant": "constant + 1e-4 noise"}
    assert said.get(name, name) in section("Controls")


def test_every_synthetic_dataset_is_described():
    assert {f"`{name}`" for name in WORLDS} <= set(re.findall(r"`\w+`", section("Synthetic datasets")))
