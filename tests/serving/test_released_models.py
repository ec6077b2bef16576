"""A file is served under the verdict on those very bytes, and on no others."""

import shutil

import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.resolve_model import load_named
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.models.registry import build
from lvm_gates.serving.released import reports_near, require_released, standing_of
from lvm_gates.serving.service import load_model
from lvm_gates.serving.settings import Settings


def test_the_verdict_is_found_by_content_and_not_by_name(shelf, tmp_path):
    copied = shutil.copy(shelf / "good.pt", tmp_path / "renamed.pt")
    standing = standing_of(load_named(str(copied)).identity, [shelf / "good-report", shelf / "held-report"])
    assert standing.released
    assert standing.profile == "5cat"
    assert dict(standing.gates).keys() == set("ABCDE")


@pytest.mark.parametrize("name", ["held.pt", "new.pt"])
def test_what_is_not_released_is_refused_and_served_if_told_to(settings, corpus, name):
    with pytest.raises(UserError, match=r"--allow-blocked"):
        load_model(settings(name), corpus)
    served = load_model(settings(name, allow_blocked=True), corpus).served
    assert not served.released
    assert "not released" in served.warning


def test_a_byte_more_is_another_model(shelf, tmp_path):
    changed = tmp_path / "good.pt"
    changed.write_bytes((shelf / "good.pt").read_bytes() + b"\0")
    identity = Identity(str(changed), load_named(str(shelf / "good.pt")).identity.sha256[::-1])
    assert standing_of(identity, [shelf / "good-report"]).verdict == "unjudged"


def test_a_release_counts_wherever_another_report_holds_it(shelf, monkeypatch):
    identity = load_named(str(shelf / "held.pt")).identity
    assert standing_of(identity, reports_near(str(shelf / "held.pt"), shelf)).verdict == "hold"


def test_a_damaged_report_releases_nothing_and_is_named(shelf, tmp_path):
    broken = shutil.copytree(shelf / "good-report", tmp_path / "report")
    (broken / "scorecard.json").write_text("{")
    standing = standing_of(load_named(str(shelf / "good.pt")).identity, [broken])
    assert not standing.released
    with pytest.raises(UserError, match=r"cannot be read as JSON.*--report DIR"):
        require_released("good.pt", standing, [broken])


def test_a_withdrawn_report_releases_nothing(shelf, tmp_path):
    withdrawn = shutil.copytree(shelf / "good-report", tmp_path / "report")
    (withdrawn / "scorecard.json").rename(withdrawn / "scorecard.json.withdrawn")
    assert standing_of(load_named(str(shelf / "good.pt")).identity, [withdrawn]).verdict == "unjudged"


def test_the_original_battery_releases_nothing(shelf, tmp_path):
    old = shutil.copytree(shelf / "good-report", tmp_path / "report")
    file = old / "scorecard.json"
    file.write_text(file.read_text().replace('"profile": "5cat"', '"profile": "5cat-published"'))
    standing = standing_of(load_named(str(shelf / "good.pt")).identity, [old])
    assert standing.profile == "5cat-published"
    assert not standing.released


def test_a_control_is_not_served(corpus):
    with pytest.raises(UserError, match="controls are there to prove the gates"):
        load_model(Settings(model="control:oracle", corpus=corpus.path), corpus)


def test_a_model_of_another_width_names_both(corpus, shelf, tmp_path):
    torch.save(build("gru", input_dim=8, output_dim=8, width=16).state_dict(), tmp_path / "narrow.pt")
    with pytest.raises(UserError, match=r"8 dimensions and .* has 16.*--corpus"):
        load_model(Settings(model=str(tmp_path / "narrow.pt"), allow_blocked=True), corpus)
