"""`p6b --recover`: a run that starts from another one's weights, which the original recovery did not."""

from dataclasses import replace

import pytest
import torch
from tiny import SMALL, lvm_train, trained, weights

from lvm_gates.harness.evaluation.contamination import RECORD
from lvm_gates.harness.leaks.record_file import FIELD
from lvm_gates.harness.predictors.checkpoint import load_checkpoint
from lvm_gates.trainers import loop
from lvm_gates.trainers.loop import train


@pytest.fixture(scope="module")
def first(corpus, tmp_path_factory):
    """The checkpoint of a P6 run."""
    out = tmp_path_factory.mktemp("first")
    trained("p6", "--corpus", corpus.path, "--out", out, *SMALL, "--epochs", "1", "--sentinel", "off")
    return out / "best_model.pt"


def recover(corpus, out, *options):
    line = ["p6b", "--corpus", corpus.path, "--out", out, *SMALL, "--epochs", "1", "--sentinel", "off"]
    return [*line, *options]


def test_the_first_step_is_taken_from_the_checkpoints_weights(corpus, tmp_path, first, monkeypatch):
    seen = []
    train_epoch = loop.train_epoch

    def looked_at(run, epoch, *given, **named):
        seen.append((epoch, {key: value.clone() for key, value in run.model.state_dict().items()}))
        return train_epoch(run, epoch, *given, **named)

    monkeypatch.setattr(loop, "train_epoch", looked_at)
    trained(*recover(corpus, tmp_path / "fresh"))
    trained(*recover(corpus, tmp_path / "recovered", "--recover", first))
    start = load_checkpoint(first)
    same = [
        [torch.equal(value, start.module.state_dict()[key]) for key, value in state.items()]
        for epoch, state in seen
        if epoch == 1
    ]
    assert all(same[1])
    assert not all(same[0]), "a fresh run starts elsewhere"
    assert weights(tmp_path / "recovered")["args"]["start_from"] == start.sha256
    assert weights(tmp_path / "fresh")["args"]["start_from"] is None


def test_it_is_resumed_as_the_same_run_only(corpus, tmp_path, first):
    trained(*recover(corpus, tmp_path / "parts", "--recover", first))
    result = lvm_train(*recover(corpus, tmp_path / "parts", "--resume", "--epochs", "2"))
    assert result.exit_code == 1
    assert "start_from was" in result.output
    trained(*recover(corpus, tmp_path / "parts", "--recover", first, "--resume", "--epochs", "2"))
    trained(*recover(corpus, tmp_path / "whole", "--recover", first, "--epochs", "2"))
    states = [weights(tmp_path / run)["model_state_dict"] for run in ("parts", "whole")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--width", "32"], "width 16, here 32"),
        (["--layers", "2"], "depth 1, here 2"),
        (["--heads", "4"], "heads 2, here 4"),
    ],
)
def test_another_networks_sizes_are_refused_in_one_sentence(corpus, tmp_path, first, options, what):
    result = lvm_train(*recover(corpus, tmp_path / "run", "--recover", first, *options))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {first}: is another network than this run's ({what});")
    assert result.output.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_position_channel_is_another_network(corpus, tmp_path):
    v3 = ["v3", "--corpus", corpus.path, "--out", tmp_path / "v3", *SMALL, "--epochs", "1", "--sentinel", "off"]
    trained(*v3)
    result = lvm_train(*recover(corpus, tmp_path / "run", "--recover", tmp_path / "v3" / "best_model.pt"))
    assert "(input_dim 9, here 8)" in result.output


def test_what_the_checkpoint_was_trained_on_stays_on_the_record(corpus, tmp_path, first):
    """A gate finds contamination by that record; the start's corpus may be split otherwise."""
    record = weights(first.parent, "best_model.pt")
    torch.save(record | {RECORD: [*record[RECORD], "0f"]}, tmp_path / "start.pt")
    trained(*recover(corpus, tmp_path / "run", "--recover", tmp_path / "start.pt"))
    assert weights(tmp_path / "run")[RECORD] == sorted([*record[RECORD], "0f"])


def test_the_chunks_trained_on_stay_on_the_record_and_a_start_without_one_is_remembered(corpus, tmp_path, first):
    """Trained on the same corpus again, the record is the same; weights that say nothing make it incomplete."""
    record = weights(first.parent, "best_model.pt")
    own = load_checkpoint(first).trained_on
    trained(*recover(corpus, tmp_path / "again", "--recover", first))
    again = load_checkpoint(tmp_path / "again" / "best_model.pt").trained_on
    assert [part.signatures.tobytes() for part in again.parts] == [part.signatures.tobytes() for part in own.parts]
    assert own.complete
    assert again.complete
    torch.save({key: value for key, value in record.items() if key != FIELD}, tmp_path / "silent.pt")
    trained(*recover(corpus, tmp_path / "run", "--recover", tmp_path / "silent.pt"))
    assert not load_checkpoint(tmp_path / "run" / "best_model.pt").trained_on.complete


def test_another_architecture_is_refused(corpus, tmp_path, first):
    from tiny import CONFIG, RECIPE

    from lvm_gates.harness.base.errors import UserError

    start = load_checkpoint(first)
    with pytest.raises(UserError, match="is another network than this run's"):
        train(CONFIG, replace(RECIPE, model_type="gru", model={"width": 16}), corpus, tmp_path / "run", start=start)


def test_an_absent_checkpoint_is_refused(corpus, tmp_path):
    result = lvm_train(*recover(corpus, tmp_path / "run", "--recover", tmp_path / "absent.pt"))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "absent.pt: no such checkpoint file" in result.output
