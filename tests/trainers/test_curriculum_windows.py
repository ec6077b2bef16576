"""A curriculum's stages: they grow, equal those of `lvm-data score`, and are refused where they do not fit."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import SMALL, history, lvm_train, trained, weights

from lvm_gates.harness.cli.data import main as lvm_data
from lvm_gates.harness.corpus.curriculum import DEFINITIONS
from lvm_gates.harness.corpus.curriculum_files import read_stage
from lvm_gates.trainers.batches import training_windows
from lvm_gates.trainers.cli import main
from lvm_gates.trainers.curriculum import Stages, curriculum_options, select_windows


@pytest.fixture(scope="module")
def windows(corpus):
    return training_windows(corpus, 3)[0]


def score(corpus, folder, *options):
    line = ["score", "--corpus", corpus.path, "--out", folder, *options]
    result = CliRunner().invoke(lvm_data, [str(argument) for argument in line])
    assert result.exit_code == 0, result.output
    return folder


def test_the_scores_offered_are_those_that_exist():
    for recipe in ("p5", "p51"):
        (option,) = (option for option in main.commands[recipe].params if option.name == "score")
        assert list(option.type.choices) == list(DEFINITIONS)
    assert len(curriculum_options("plan")) == 2


def test_the_stage_of_an_epoch():
    assert "".join(Stages().at(epoch) for epoch in range(1, 21)) == "aaaabbbbbbcccccccccc"


@pytest.mark.parametrize("by", DEFINITIONS)
def test_stages_grow_and_equal_the_files(corpus, windows, tmp_path, by):
    folder = score(corpus, tmp_path / "stages", "--by", by, "--context", "3")
    ranked, read = select_windows(by, None), select_windows("as-run", folder)
    found = []
    for epoch, letter in ((1, "a"), (4, "a"), (5, "b"), (10, "b"), (11, "c"), (20, "c")):
        targets = ranked(windows, epoch).targets
        np.testing.assert_array_equal(targets, read_stage(folder, letter, corpus).targets)
        np.testing.assert_array_equal(targets, read(windows, epoch).targets)
        found.append(set(targets.tolist()))
    assert found[0] == found[1] < found[2] == found[3] < found[4] == set(windows.targets.tolist())


def test_stage_a_holds_the_windows_with_the_largest_score(windows):
    chosen = select_windows("as-run", None)(windows, 1)
    similarity = (windows.contexts()[:, -1] * windows.target_vectors()).sum(1)
    inside = np.isin(windows.targets, chosen.targets)
    assert inside.sum() == np.ceil(0.3 * len(windows))
    assert similarity[inside].max() <= similarity[~inside].min()


def test_the_ranking_is_made_once(windows, monkeypatch):
    from lvm_gates.harness.corpus import curriculum

    made, similarities = [], curriculum.similarities
    monkeypatch.setattr(curriculum, "similarities", lambda given: made.append(1) or similarities(given))
    select = select_windows("plan", None)
    for epoch in range(1, 21):
        select(windows, epoch)
    assert len(made) == 1


def run(corpus, out, *options):
    return ["p5", "--corpus", corpus.path, "--out", out, *SMALL, "--sentinel", "off", *options]


def test_a_run_on_stage_files_is_the_run_on_their_score(corpus, tmp_path):
    """Recorded, resumable, and the weights are those of --score."""
    folder = score(corpus, tmp_path / "stages", "--by", "plan", "--context", "3")
    trained(*run(corpus, tmp_path / "read", "--epochs", "1", "--stages", folder))
    trained(*run(corpus, tmp_path / "read", "--epochs", "2", "--stages", folder, "--resume"))
    trained(*run(corpus, tmp_path / "ranked", "--epochs", "2", "--score", "plan"))
    assert history(tmp_path / "read") == history(tmp_path / "ranked")
    assert [record["windows"] for record in history(tmp_path / "read")] == [40, 40]
    recorded = weights(tmp_path / "read")["args"]["options"]
    assert (recorded["score"], len(recorded["stages"])) == (None, 64)
    folder.rename(tmp_path / "elsewhere")
    trained(*run(corpus, tmp_path / "read", "--epochs", "2", "--stages", tmp_path / "elsewhere", "--resume"))
    score(corpus, tmp_path / "stages", "--by", "as-run", "--context", "3")
    line = run(corpus, tmp_path / "read", "--epochs", "3", "--stages", tmp_path / "stages", "--resume")
    assert "is another run (options was" in lvm_train(*line).output


def test_stages_beside_a_score_are_refused(corpus, tmp_path):
    result = lvm_train(*run(corpus, tmp_path / "run", "--stages", tmp_path, "--score", "plan"))
    assert result.exit_code == 2
    assert "--score has no effect beside --stages; leave it out." in result.output


def refused(corpus, out, *options):
    result = lvm_train(*run(corpus, out, "--epochs", "11", *options))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert not out.exists(), "before a minute is spent or a file written"
    return result.output


def test_stages_that_do_not_fit_are_refused_before_training(corpus, make_corpus, tmp_path):
    other = make_corpus(tmp_path / "other", ["TRAIN"] * 5 + ["VAL"], seed=3)
    of_another = score(other, tmp_path / "of-another", "--by", "plan", "--context", "3")
    assert "of another corpus" in refused(corpus, tmp_path / "run", "--stages", of_another)
    longer = score(corpus, tmp_path / "longer", "--by", "plan", "--context", "4")
    assert "context of 4" in refused(corpus, tmp_path / "run", "--stages", longer)
    held_out = score(corpus, tmp_path / "held-out", "--by", "plan", "--context", "3", "--split", "VAL")
    assert "not training windows" in refused(corpus, tmp_path / "run", "--stages", held_out)
    assert "cannot be read" in refused(corpus, tmp_path / "run", "--stages", tmp_path / "absent")


def test_a_missing_later_stage_is_found_before_the_first_epoch(corpus, tmp_path):
    folder = score(corpus, tmp_path / "stages", "--by", "plan", "--context", "3")
    (folder / "stage_c.npy").unlink()
    assert "stage c cannot be read" in refused(corpus, tmp_path / "run", "--stages", folder)
    assert json.loads((folder / "stages.json").read_text())["score"] == "plan"
    trained(*run(corpus, tmp_path / "run", "--epochs", "1", "--stages", folder))
