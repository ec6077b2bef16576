"""P5.1's stage gate: more position and bias in each retry, stage B behind it, and half-done attempts resumed."""

import pytest
from tiny import SMALL, assert_same, history, lvm_train, trained, weights

from lvm_gates.trainers import loop
from lvm_gates.trainers.sentinel_rules import StageGate

# What a stage of two epochs and one that follows it look like; the real ones have four and more.
SHORT = ["--set", "stages.b=3"]


@pytest.fixture
def gate(monkeypatch):
    """Sets what stage A must reach: nothing passes at 2, everything at -2."""

    def set_gate(threshold):
        documented = StageGate.documented()
        chosen = StageGate(tuple((label, name, threshold) for label, name, _ in documented.limits))
        monkeypatch.setattr(StageGate, "documented", lambda: chosen)

    return set_gate


def p51(corpus, out, *options):
    return ["p51", "--corpus", corpus.path, "--out", out, *SMALL, "--batch-size", "16", *SHORT, *options]


def runs(out):
    """Every run below ``out``, by folder name."""
    folders = [out, *sorted(out.glob("attempt-*"))]
    return {folder.name: folder for folder in folders if (folder / "final_model.pt").exists()}


def last_epoch(run):
    """(scale of the position channel, bias) that the run's last epoch trained with."""
    record = weights(run)
    bias = record["model_state_dict"]["last_slot_bias"].item()
    return history(run)[-1]["position_scale"], bias


def test_a_missed_gate_is_tried_again_with_more_position_and_bias(corpus, tmp_path, gate):
    gate(2.0)
    out = tmp_path / "run"
    said = trained(*p51(corpus, out, "--epochs", "2")).output.splitlines()
    assert list(runs(out)) == ["run", "attempt-2", "attempt-3"]
    verdicts = [line for line in said if "stage A" in line]
    assert [line.split(": ")[0] for line in verdicts] == [str(run) for run in runs(out).values()]
    assert all("misses its gate: margin is " in line and "wanted >= +2.00" in line for line in verdicts)
    assert "on text stages B and C are out of reach" in said[-1]
    # The second epoch is half and a third of the way up to .10 and .6, then .15 and .8, then .20 and 1.0.
    expected = [(0.1 / 2, 0.6 / 3), (0.15 / 2, 0.8 / 3), (0.2 / 2, 1.0 / 3)]
    for run, wanted in zip(runs(out).values(), expected, strict=True):
        assert last_epoch(run) == pytest.approx(wanted)
    assert [weights(run)["args"]["options"]["attempt"] for run in runs(out).values()] == [0, 1, 2]


def test_stages_b_and_c_follow_a_passed_gate_only(corpus, tmp_path, gate):
    gate(-2.0)
    said = trained(*p51(corpus, tmp_path / "passed", "--epochs", "6")).output
    assert list(runs(tmp_path / "passed")) == ["passed"]
    assert "stage A passes its gate" in said
    assert "out of reach" not in said
    records = history(tmp_path / "passed")
    # 132 windows: 40 of them in epochs 1 and 2, 93 from epoch 3.
    assert [record["windows"] for record in records] == [40, 40, 93, 93, 93, 93]
    gate(2.0)
    result = lvm_train(*p51(corpus, tmp_path / "missed", "--epochs", "6", "--retries", "1"))
    assert result.exit_code == 1
    assert "stage A missed its gate in all 2 attempts, so stages B and C were not trained" in result.output
    assert "on text stages B and C are out of reach" in result.output
    assert "R@5 of .60, and the best control has .20" in result.output
    assert [len(history(run)) for run in runs(tmp_path / "missed").values()] == [2, 2]


def test_a_retry_that_passes_goes_on(corpus, tmp_path, gate, monkeypatch):
    misses = iter([["margin is low"], []])
    monkeypatch.setattr("lvm_gates.trainers.p51._missed", lambda history, stage_a: next(misses))
    trained(*p51(corpus, tmp_path / "run", "--epochs", "3"))
    assert {name: len(history(run)) for name, run in runs(tmp_path / "run").items()} == {"run": 2, "attempt-2": 3}


def test_the_gate_only_prints_as_published(corpus, tmp_path, gate):
    gate(2.0)
    said = trained(*p51(corpus, tmp_path / "run", "--epochs", "3", "--as-published")).output
    assert "stage A misses its gate" in said
    assert list(runs(tmp_path / "run")) == ["run"]
    assert len(history(tmp_path / "run")) == 3
    assert weights(tmp_path / "run")["args"]["options"]["score"] == "corrected"


@pytest.mark.parametrize("stop", [2, 3])
def test_a_half_done_attempt_is_resumed(corpus, tmp_path, gate, monkeypatch, stop):
    """Killed in epoch 2 of the first attempt; in epoch 1 of the second, which left nothing to resume."""
    gate(2.0)
    options = ["--epochs", "2", "--retries", "1"]
    trained(*p51(corpus, tmp_path / "whole", *options))
    train_epoch, begun = loop.train_epoch, 0

    def killed(*given, **named):
        nonlocal begun
        begun += 1
        if begun == stop:
            raise SystemExit(137)
        return train_epoch(*given, **named)

    monkeypatch.setattr(loop, "train_epoch", killed)
    parts = p51(corpus, tmp_path / "parts", *options)
    assert lvm_train(*parts).exit_code == 137
    trained(*parts, "--resume")
    assert begun == 4 + 1, "no epoch but the killed one is trained twice"
    for whole, resumed in zip(runs(tmp_path / "whole").values(), runs(tmp_path / "parts").values(), strict=True):
        assert history(resumed) == history(whole)
        assert_same(weights(resumed)["model_state_dict"], weights(whole)["model_state_dict"])


def test_a_run_that_is_overwritten_takes_its_retries_with_it(corpus, tmp_path, gate):
    gate(2.0)
    trained(*p51(corpus, tmp_path / "run", "--epochs", "2", "--retries", "1"))
    gate(-2.0)
    trained(*p51(corpus, tmp_path / "run", "--epochs", "2", "--overwrite"))
    assert list(runs(tmp_path / "run")) == ["run"]
    assert not list((tmp_path / "run").rglob("attempt-*/**/*.pt"))


def test_an_overwritten_run_that_is_killed_does_not_resume_the_old_ones_retries(corpus, tmp_path, gate, monkeypatch):
    gate(2.0)
    options = ["--epochs", "2", "--retries", "1"]
    trained(*p51(corpus, tmp_path / "run", *options))
    anew = p51(corpus, tmp_path / "run", *options, "--seed", "5")
    train_epoch = loop.train_epoch

    def killed(run, epoch, *given, **named):
        if epoch == 2:
            raise SystemExit(137)
        return train_epoch(run, epoch, *given, **named)

    monkeypatch.setattr(loop, "train_epoch", killed)
    assert lvm_train(*anew, "--overwrite").exit_code == 137
    monkeypatch.setattr(loop, "train_epoch", train_epoch)
    trained(*anew, "--resume")
    assert {weights(run)["args"]["seed"] for run in runs(tmp_path / "run").values()} == {5}


def test_stage_b_is_resumed(corpus, tmp_path, gate):
    gate(-2.0)
    trained(*p51(corpus, tmp_path / "whole", "--epochs", "4"))
    trained(*p51(corpus, tmp_path / "parts", "--epochs", "3"))
    said = trained(*p51(corpus, tmp_path / "parts", "--epochs", "4", "--resume")).output
    assert "are done already" not in said
    assert history(tmp_path / "parts") == history(tmp_path / "whole")


def test_somebody_must_judge_stage_a(corpus, tmp_path):
    result = lvm_train(*p51(corpus, tmp_path / "run", "--sentinel", "off"))
    assert result.exit_code == 2
    assert "--sentinel off leaves nobody to judge stage A" in result.output
