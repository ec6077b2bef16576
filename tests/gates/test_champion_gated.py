"""A champion under profile `skill`: its checkpoint loads, is asked, and meets the rivals of the text it learnt from."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "trainers"))
from tiny import trained


def test_a_champion_is_judged_and_its_rivals_know_what_its_corpus_told(make_run, arrow, observed, tmp_path):
    line = ["champion", "--corpus", arrow, "--out", tmp_path / "run", "--epochs", "1", "--width", "8", "--heads", "2"]
    line += ["--context", "5"]
    trained(*line, "--batch-size", "64", "--sentinel", "off")
    name = str(tmp_path / "run" / "final_model.pt")
    run = make_run(name, profile="skill", beside=observed)
    run.prepare()
    card = run.card(name)
    assert card.decision.verdict in ("release", "hold")
    assert "contaminated" not in " ".join(card.decision.reasons)
    assert run.rivals.has_met_their_text(run.loaded[name])
