"""A recipe from outside is a subcommand like any other."""

import math
from importlib.metadata import EntryPoint

import pytest
import torch
from tiny import SMALL, lvm_train, trained, weights

from examples.custom_recipe import in_article_contrast
from lvm_gates.trainers import cli

NAME = "python:examples.custom_recipe:p8"


def test_it_trains_and_is_another_run_than_p1(corpus, tmp_path):
    few = ["--corpus", corpus.path, *SMALL, "--epochs", "1", "--sentinel", "off"]
    trained(NAME, *few, "--out", tmp_path / "p8")
    trained(NAME, *few, "--set", "contrast.weight=0", "--out", tmp_path / "none")
    trained("p1", *few, "--batch-size", "64", "--out", tmp_path / "p1")
    p8, none, p1 = (weights(tmp_path / name)["model_state_dict"] for name in ("p8", "none", "p1"))
    assert all(torch.equal(none[key], p1[key]) for key in p1), "without its term it is P1"
    assert any(not torch.equal(p8[key], p1[key]) for key in p1)


def test_a_chunk_of_the_context_is_no_negative():
    target, frame, other = torch.eye(4)[:3, None]
    context = frame[:, None]
    nothing_left = in_article_contrast(target, target, frame[:, None], context, 0.1)
    assert nothing_left == 0
    one_left = in_article_contrast(other, target, torch.stack([frame, other], dim=1), context, 0.1)
    assert one_left == pytest.approx(math.log(1 + math.exp(10)))


def test_one_that_an_installed_package_offers_goes_by_its_name(monkeypatch):
    point = EntryPoint("p8", "examples.custom_recipe:p8", cli.RECIPES)
    monkeypatch.setattr(cli, "offered", lambda group: [point] if group == cli.RECIPES else [])
    assert "\n  p8 " in lvm_train("--help").output
    assert "contrast.weight = " in lvm_train("p8", "--show-settings").output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("python:examples.custom_recipe:in_article_contrast", "is function, not a recipe"),
        ("python:nowhere:p8", "cannot be imported"),
        ("python:nowhere", "write python:package.module:name"),
    ],
)
def test_what_is_no_recipe_is_one_sentence(name, said):
    result = lvm_train(name)
    assert result.exit_code != 0
    assert said in result.output
