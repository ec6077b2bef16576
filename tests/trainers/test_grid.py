"""`lvm-train grid`: a run for every combination, each once, resumed where it was interrupted."""

import pytest
from tiny import SMALL, assert_same, history, lvm_train, trained, weights

from lvm_gates.harness.predictors.checkpoint import load_checkpoint
from lvm_gates.trainers.cli import main


def grid(corpus, out, *arguments):
    return ["grid", *arguments, "--out", out, "--corpus", corpus.path, *SMALL]


def test_a_line_and_a_run_for_every_combination(corpus, tmp_path):
    """Each run is, to the bit, what the recipe does by hand."""
    line = grid(corpus, tmp_path, "p7", "--vary", "margin=.1,.5", "--vary", "seed=0,3", "--epochs", "2")
    lines = trained(*line).output.splitlines()
    names = ["margin=.1,seed=0", "margin=.1,seed=3", "margin=.5,seed=0", "margin=.5,seed=3"]
    assert [line.split(": ")[0] for line in lines] == names
    assert sorted(folder.name for folder in tmp_path.iterdir()) == names
    for text, name in zip(lines, names, strict=True):
        records = history(tmp_path / name)
        best = max(records, key=lambda record: record["score"])
        assert f"best epoch {best['epoch']} of 2, val cosine {best['val_cosine']:.3f}" in text
        assert f"margin over the last frame {best['val_margin']:+.3f}" in text
        assert f"lift over persistence {best['sentinel']['skill_cosine']['value']:+.3f}" in text
    by_hand = tmp_path / "by-hand"
    options = ["--corpus", corpus.path, *SMALL, "--epochs", "2", "--margin", ".5", "--seed", "3"]
    trained("p7", *options, "--out", by_hand)
    run = tmp_path / "margin=.5,seed=3"
    assert history(run) == history(by_hand)
    for name in ("final_model.pt", "best_model.pt"):
        assert_same(weights(run, name), weights(by_hand, name))
    assert len({weights(tmp_path / name)["model_state_dict"]["head.0.weight"].sum().item() for name in names}) > 1


def test_finished_runs_stay_and_unfinished_ones_are_resumed(corpus, tmp_path):
    line = ["p1", "--vary", "seed=0,1,2", "--epochs", "2", "--sentinel", "off"]
    whole = trained(*grid(corpus, tmp_path / "whole", *line)).output
    # What an interruption leaves: one run is finished, one half done, one died while it saved its first epoch.
    parts = tmp_path / "parts"
    trained(*grid(corpus, parts, "p1", "--vary", "seed=0", "--epochs", "2", "--sentinel", "off"))
    trained(*grid(corpus, parts, "p1", "--vary", "seed=1,2", "--epochs", "1", "--sentinel", "off"))
    for name in ("final_model.pt", "training_history.json"):
        (parts / "seed=2" / name).unlink()
    finished = (parts / "seed=0" / "final_model.pt").stat().st_mtime_ns
    assert trained(*grid(corpus, parts, *line)).output == whole
    assert (parts / "seed=0" / "final_model.pt").stat().st_mtime_ns == finished
    for run in ("seed=0", "seed=1", "seed=2"):
        assert_same(*(weights(folder / run)["model_state_dict"] for folder in (parts, tmp_path / "whole")))
        assert history(parts / run) == history(tmp_path / "whole" / run)


def test_a_grid_can_be_made_anew(corpus, tmp_path):
    line = ["p1", "--vary", "seed=0", "--epochs", "1", "--sentinel", "off", "--overwrite"]
    assert trained(*grid(corpus, tmp_path, *line)).output == trained(*grid(corpus, tmp_path, *line)).output


def test_a_run_that_fails_is_told_and_the_others_are_made(corpus, tmp_path):
    result = lvm_train(*grid(corpus, tmp_path, "p1", "--vary", "lr=1e30,1e-3", "--epochs", "1", "--sentinel", "off"))
    assert result.exit_code == 1
    failed, made, summary = result.output.splitlines()
    assert failed.startswith("lr=1e30: failed: training stopped: ")
    assert made.startswith("lr=1e-3: best epoch 1 of 1")
    assert summary == "Error: 1 of 2 runs failed: lr=1e30."


def test_settings_vary_too_of_a_recipe_from_outside_as_well(corpus, tmp_path):
    line = ["python:examples.custom_recipe:p8", "--vary", "contrast.weight=0,1:.1/.2 9:.2", "--epochs", "1"]
    lines = trained(*grid(corpus, tmp_path, *line, "--sentinel", "off", "--set", "contrast.negatives=2")).output
    names = ["contrast.weight=0", "contrast.weight=1:.1/.2 9:.2"]
    assert [line.split(": best")[0] for line in lines.splitlines()] == names
    # A ramp is spelled with a slash.
    runs = [tmp_path / name.replace("/", "~") for name in names]
    assert [weights(run)["args"]["settings"]["contrast.weight"] for run in runs] == ["0", "1:0.1/0.2 9:0.2"]


def test_a_grid_of_p51_has_a_line_a_run_too(corpus, tmp_path):
    line = ["p51", "--vary", "score=plan,corrected", "--epochs", "1", "--retries", "0"]
    lines = trained(*grid(corpus, tmp_path, *line)).output.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["score=plan", "score=corrected"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["p7"], "Missing option '--vary'"),
        (["p9", "--vary", "margin=.1"], "unknown recipe 'p9'"),
        (["grid", "--vary", "margin=.1"], "unknown recipe 'grid'"),
        (["p7", "--vary", "margin"], "--vary 'margin' is not NAME=A,B"),
        (["p7", "--vary", "=.1"], "is not NAME=A,B"),
        (["p7", "--vary", "margin="], "is not NAME=A,B"),
        (["p7", "--vary", "margin=.1,wide"], "'wide' is not a valid float"),
        (["p7", "--vary", "margin=.1", "--vary", "margin=.2"], "--vary names an option twice"),
        (["p7", "--vary", "breadth=1"], "--set breadth: p7 has no such setting; Known: anchor.learnable"),
        (["p7", "--vary", "hinge.wieght=1,2"], "did you mean 'hinge.weight'?"),
        (["p7", "--vary", "hinge.weight=1,wide"], "--set hinge.weight=wide: must be a number."),
        (["p7", "--vary", "margin=.1", "--breadth", "1"], "No such option '--breadth'"),
    ],
)
def test_mistakes_are_found_before_the_first_run(corpus, tmp_path, arguments, said):
    result = lvm_train(*grid(corpus, tmp_path / "grid", *arguments))
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "grid").exists()


def test_a_run_that_fails_names_its_mistake(corpus, tmp_path):
    result = lvm_train(*grid(corpus, tmp_path, "p1", "--vary", "width=16,15", "--epochs", "1"))
    assert result.exit_code == 1
    assert "width=15: failed: " in result.output.splitlines()[-2]
    assert "does not divide" in result.output.splitlines()[-2]
    assert result.output.startswith("width=16: best epoch 1 of 1")


@pytest.mark.parametrize("arguments", [["grid", "--help"], ["grid", "p7", "--help"]])
def test_help_explains_the_grid(arguments):
    output = trained(*arguments).output
    assert "RECIPE [ARGUMENTS]" in output
    assert "--vary" in output


def test_the_example_of_the_help_runs(corpus, tmp_path):
    (example,) = (line for line in main.commands["grid"].help.splitlines() if "lvm-train grid" in line)
    arguments = example.split()[1:]
    arguments[arguments.index("--out") + 1] = tmp_path
    arguments[arguments.index("--epochs") + 1] = "1"
    lines = trained(*arguments, "--corpus", corpus.path, *SMALL).output.splitlines()
    assert len(lines) == 4
    assert load_checkpoint(tmp_path / lines[0].split(": ")[0] / "best_model.pt").metadata["recipe"] == "p7"
