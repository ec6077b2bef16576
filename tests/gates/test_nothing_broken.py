"""Models that are good on average and broken somewhere: none is released, by whatever rule."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lvm_gates.harness.judging.session import GateRun

MakeRun = Callable[..., GateRun]


@pytest.fixture
def judged(make_run: MakeRun, arrow: Path, observed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """judged(predictor, **options): the card of one of `predictors`."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("KNOWN_CORPUS", str(arrow))

    def judge(name: str, **options: object) -> dict:
        run = make_run(f"python:predictors:{name}", beside=observed, **options)
        return run.card(run.settings.models[0]).record()

    return judge


def test_the_sound_twin_of_what_follows_is_released(judged):
    assert judged("Knowing", require="production")["verdict"] == "release"


@pytest.mark.parametrize(
    ("name", "gate", "said"),
    [
        ("KnowingWithoutRepeats", "C", "200 from a spoiled context"),
        ("KnowingWithoutFeedback", "D", " in the rollout"),
    ],
)
def test_production_tolerates_a_gate_and_not_an_undefined_prediction(judged, name, gate, said):
    card = judged(name, require="production")
    assert [g for g in "ABCDE" if not card["gates"][g]["passed"]] == [gate]
    assert card["verdict"] == "blocked"
    assert said in card["reasons"][0]
