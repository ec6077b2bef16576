"""Every number of a recipe is an option: found by its path, typed, bounded, recorded, shown and read back."""

from dataclasses import dataclass, fields

import pytest
import torch
from steps import build, step
from tiny import has_published, lvm_train, trained, weights

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.cli import main
from lvm_gates.trainers.declared import SHARED, RecipeCommand
from lvm_gates.trainers.schedule import Schedule, constant
from lvm_gates.trainers.settings import as_plain, changed, setting, settings_of
from lvm_gates.trainers.settings_files import as_toml, read_settings, typed_settings
from lvm_gates.trainers.training_settings import Training

RECIPES = sorted(name for name in main.commands if name != "grid")
CUSTOM = "python:examples.custom_recipe:p8"


@dataclass(frozen=True)
class Inner:
    weight: Schedule = setting(constant(0.1), "a weight", low=0)
    count: int = setting(2, low=1, high=9)
    on: bool = False
    limit: float | None = None


@dataclass(frozen=True)
class Tree:
    margin: float = 0.5
    inner: Inner = Inner()


def test_settings_are_the_fields_by_dotted_path():
    assert as_plain(Tree()) == {
        "margin": 0.5, "inner.weight": "0.1", "inner.count": 2, "inner.on": False, "inner.limit": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "given", "value"),
    [
        ("margin", "-.25", -0.25),
        ("margin", 3, 3.0),
        ("inner.count", "9", 9),
        ("inner.on", "true", True),
        ("inner.on", True, True),
        ("inner.limit", ".5", 0.5),
        ("inner.limit", "none", None),
        ("inner.weight", ".01", constant(0.01)),
        ("inner.weight", 1, constant(1.0)),
        ("inner.weight", "1:0 4:.005/.01 11:.01", Schedule({1: 0.0, 4: (0.005, 0.01), 11: 0.01})),
    ],
)
def test_a_value_is_read_as_its_type_and_nothing_else_changes(path, given, value):
    found = changed(Tree(), {path: given})
    ours = {one.path: one.value for one in settings_of(found)}
    assert ours.pop(path) == value
    assert type(ours) is dict
    assert ours.items() <= {one.path: one.value for one in settings_of(Tree())}.items()
    assert changed(Tree(), as_plain(found)) == found, "what is recorded reads back"


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("margin", "wide", "--set margin=wide: must be a number."),
        ("margin", "nan", "--set margin=nan: must be a finite number."),
        ("margin", True, "must be a number"),
        ("inner.count", "2.5", "must be a whole number"),
        ("inner.count", 2.0, "must be a whole number"),
        ("inner.count", "0", "must be at least 1 and at most 9"),
        ("inner.on", "1", "must be true or false"),
        ("inner.weight", "-.1", "must be at least 0"),
        ("inner.weight", "1:0 4:-1/0 5:0", "must be at least 0"),
        ("inner.weight", "inf", "a number or a schedule"),
        ("inner.weight", "2:.1", "start at epoch 1"),
        ("inner.weight", "1:0 1:1", "names an epoch again"),
        ("inner.weight", "1:0/1", "has no end"),
        ("inner.weight", "1:0/1/2 3:0", "EPOCH:FROM/TO"),
    ],
)
def test_a_value_that_cannot_be_is_one_sentence(path, given, said):
    with pytest.raises(UserError) as refused:
        changed(Tree(), {path: given})
    assert said in str(refused.value)


@pytest.mark.parametrize("value", [0.1, 1e-4, 1 / 3, 123456789.125])
def test_a_schedule_reads_back_as_it_was_written(value):
    schedule = Schedule({1: 0.0, 3: (value, 2 * value), 7: value})
    assert changed(Inner(), {"weight": str(schedule)}).weight == schedule
    assert changed(Inner(), {"weight": str(constant(value))}).weight == constant(value)


def test_files_and_typed_settings(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('margin = 0.25\ninner.count = 3\n[inner2]\nweight = "1:0 3:.1"\n')
    assert read_settings(file) == {"margin": 0.25, "inner.count": 3, "inner2.weight": "1:0 3:.1"}
    assert typed_settings(["a.b=1", "c = 2", "a.b=3"]) == {"a.b": "3", "c": "2"}
    for text in ("a.b", "=1", "a.b="):
        with pytest.raises(UserError, match="is not NAME=VALUE"):
            typed_settings([text])
    for content, said in (("margin = [1]", "margin is list"), ("margin", "is no TOML")):
        file.write_text(content)
        with pytest.raises(UserError, match=said):
            read_settings(file)
    with pytest.raises(UserError, match=r"none\.toml: cannot be read"):
        read_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("recipe", [*RECIPES, CUSTOM])
def test_what_is_shown_is_a_file_that_changes_nothing(monkeypatch, corpus, tmp_path, recipe):
    """And every setting says what it is, is within its own bounds, and is recorded."""
    for published in [[], ["--as-published"]] if has_published(recipe) else [[]]:
        shown = trained(recipe, *published, "--show-settings").output
        assert all("  # " in line for line in shown.splitlines())
        file = tmp_path / "shown.toml"
        file.write_text(shown)
        plain, _ = build(monkeypatch, corpus, recipe, *published)
        read, _ = build(monkeypatch, corpus, recipe, *published, "--settings", str(file))
        assert plain == read
        recorded = plain.as_args()["settings"]
        assert list(recorded) == [line.partition(" = ")[0] for line in shown.splitlines()]
        own = [path for path in plain.settings if path.partition(".")[0] in SHARED]
        assert not own, "a setting of its own would hide behind one of every recipe"


def test_every_weight_of_every_recipe_can_be_changed(monkeypatch, corpus):
    """Of each term whose weight is a schedule: the loss moves by what it weighs more."""
    for recipe in ("v3", "p2", "p3", "p4", "p5", "p51"):
        _, plain = build(monkeypatch, corpus, recipe)
        made = step(20, seed=3)
        total, parts = plain.objective(made)
        for name in {*parts} - {"base"}:
            config, heavier = build(monkeypatch, corpus, recipe, "--set", f"{name}.weight=.5")
            assert config.settings[f"{name}.weight"] == "0.5"
            before = next(one for one in settings_of(main.commands[recipe].declared.settings(
                {"as_published": False})) if one.path == f"{name}.weight").value.at(20)  # fmt: skip
            found = heavier.objective(made).total - total
            assert found.item() == pytest.approx((0.5 - before) * parts[name].item(), rel=1e-3)


def values(loss):
    """The total and its parts: P6b's term has its share of the total whatever it is."""
    return {"total": loss.total.item(), **{name: float(part) for name, part in loss.parts.items()}}


def test_the_constants_of_the_losses_can_be_changed(monkeypatch, corpus):
    """One of each loss that has any: another value is another loss."""
    asked = {
        "p3": ["directional.margin=.5", "future.margin=.5"],
        "p4": ["rollout.ceiling=.5", "rollout.scale=1", "rollout.steps=2", "adaptive.centre=-1", "adaptive.width=1"],
        "p51": ["ranking.sharpness=1", "ranking.margin=.5"],
        "p6b": [
            *("direction.sharpness=1", "direction.margin=.5", "direction.share=.01", "direction.high=.0005"),
            *("direction.low=.019", "direction.cap=.01", "direction.ratio=.5", "floor.weight=1 floor.cosine=.999"),
            *("orthogonality.weight=1", "confidence.on=true confidence.start=.9"),
        ],
        "p7": [
            *("rank.weight=.5", "rank.temperature=1", "hinge.weight=1", "hinge.margin=.5", "teacher.epochs=30"),
            *("anchor_floor.weight=1", "cosine.weight=1", "gate.low=.5", "gate.threshold=-2"),
            "negatives.same_article=true",
        ],
    }  # fmt: skip
    g = step(20, seed=3)
    far = step(20, seed=3, raw=g.target + 0.5 * g.raw + 0.2 * g.before)
    # The target is right after a chunk much like it, so that the margin is not met and lambda not at its clamp.
    before = torch.nn.functional.normalize(g.target + 0.5 * g.before, dim=-1)
    near = step(20, seed=3, raw=g.target + 0.1 * g.raw, before=before)
    for recipe, changes in asked.items():
        made = near if recipe == "p6b" else far
        plain = values(build(monkeypatch, corpus, recipe)[1].objective(made))
        for change in changes:
            typed = [word for one in change.split() for word in ("--set", one)]
            assert values(build(monkeypatch, corpus, recipe, *typed)[1].objective(made)) != plain, change


def test_the_last_word_is_that_of_the_command_line(monkeypatch, corpus, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("[optimizer]\nclip = 0.25\nweight_decay = 0.5\n")
    given = ["--settings", str(file), "--set", "optimizer.clip=2", "--set", "network.dropout=0.3"]
    config, _ = build(monkeypatch, corpus, "p7", *given)
    assert (config.training.optimizer.clip, config.training.optimizer.weight_decay) == (2.0, 0.5)
    assert (config.training.network.dropout, config.training.rate.schedule) == (0.3, "constant")


def test_a_run_records_its_settings(corpus, tmp_path):
    few = ["--width", "16", "--layers", "1", "--heads", "2", "--context", "3", "--epochs", "1", "--sentinel", "off"]
    given = ["--set", "contrast.weight=1:0 3:.05", "--set", "network.dropout=0", "--set", "optimizer.beta1=.5"]
    trained(CUSTOM, "--corpus", corpus.path, "--out", tmp_path, *few, *given)
    found = weights(tmp_path, "best_model.pt")
    settings = found["args"]["settings"]
    assert (settings["contrast.weight"], settings["contrast.temperature"]) == ("1:0 3:0.05", 0.1)
    assert settings["rate.patience"] == 3
    assert found["model_config"]["dropout"] == 0
    assert found["optimizer_state_dict"]["param_groups"][0]["betas"] == (0.5, 0.999)
    again = lvm_train(CUSTOM, "--corpus", corpus.path, "--out", tmp_path, *few, "--resume")
    assert "is another run (contrast.weight was '1:0 3:0.05', is '0.05'; " in again.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["p3", "--set", "directional.wieght=.1"], "p3 has no such setting; did you mean 'directional.weight'?"),
        (["p3", "--set", "contrast.weight=.1"], "p3 has no such setting"),
        (["p3", "--set", "drop.probability=2"], "--set drop.probability=2: must be at least 0 and at most 1."),
        (["p3", "--set", "rate.schedule=wave"], "must be one of plateau, constant, cosine"),
        (["p7", "--margin", ".1", "--set", "hinge.margin=.2"], "--set hinge.margin: is what --margin gives"),
    ],
)
def test_mistakes_are_those_of_an_option(tmp_path, arguments, said):
    result = lvm_train(*arguments, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "run").exists()


def test_every_recipe_of_the_command_takes_them():
    assert all(isinstance(main.commands[recipe], RecipeCommand) for recipe in RECIPES)
    assert {one.name for one in fields(Training)} == SHARED
    assert as_toml(Inner()).splitlines()[0] == 'weight = "0.1"  # a weight'
