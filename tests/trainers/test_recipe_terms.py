"""What a recipe's terms look at, as documented and as run, and what is left of them without auxiliary terms."""

import dataclasses
import math

import pytest
import torch
from steps import BATCH, DIM, build, step, unit

from lvm_gates.models.ranker import context_anchor
from lvm_gates.trainers.losses import (
    adaptive_weight,
    anti_copy,
    cosine,
    directional_gate,
    directional_margin,
    future_margin,
    micro_ranking,
    mse_loss,
    softplus_margin,
)


@pytest.fixture
def built(monkeypatch, corpus):
    return lambda *arguments: build(monkeypatch, corpus, *arguments)[1]


@pytest.fixture(scope="module")
def made():
    """A step of epoch 20 in which every candidate for a frame is another vector."""
    g = torch.Generator().manual_seed(5)
    plain = step(20, seed=5)
    read = torch.cat([plain.context[:, :-1], unit(BATCH, 1, DIM, generator=g)], dim=1)
    return step(20, seed=5, read=read, before=unit(BATCH, DIM, generator=g))


@pytest.mark.parametrize(("recipe", "margin"), [("v3", 0.03), ("p2", 0.01), ("p3", 0.01)])
def test_the_previous_chunk_is_the_one_before_the_target(built, made, recipe, margin):
    found = built(recipe).objective(made).parts["directional"]
    assert torch.equal(found, directional_margin(made.prediction, made.target, made.before, margin))
    found = built(recipe, "--as-published").objective(made).parts["directional"]
    assert torch.equal(found, directional_margin(made.prediction, made.target, made.context[:, -2], margin))


@pytest.mark.parametrize("recipe", ["p4", "p5"])
def test_the_adaptive_weight_is_of_each_sample_or_as_published_of_the_batch(built, made, recipe):
    found = built(recipe).objective(made).parts["directional"]
    each = adaptive_weight(made.context[:, -1], made.target)
    assert torch.equal(found, directional_margin(made.prediction, made.target, made.before, 0.01, each))
    found = built(recipe, "--as-published").objective(made).parts["directional"]
    plain = directional_margin(made.prediction, made.target, made.context[:, -2], 0.01)
    assert found.item() == pytest.approx(plain.item() * adaptive_weight(made.read[:, -1], made.target).mean().item())


def test_v3_compares_with_the_true_frames_or_as_published_with_the_corrupted(built, made):
    for arguments, frames in ((["v3"], made.context), (["v3", "--as-published"], made.read)):
        found = built(*arguments).objective(made).parts["anti_copy"]
        assert torch.equal(found, anti_copy(made.prediction, made.target, frames, 0.01))


def test_p51_ranks_against_the_true_last_frame_or_as_published_the_corrupted(built, made):
    for arguments, last in ((["p51"], made.context[:, -1]), (["p51", "--as-published"], made.read[:, -1])):
        found = built(*arguments).objective(made).parts["ranking"]
        assert torch.equal(found, micro_ranking(made.prediction, made.target, last))


@pytest.mark.parametrize(("recipe", "margin"), [("p2", 0.01), ("p3", 0.008), ("p4", 0.008)])
def test_the_future_margin_is_the_documents_or_as_published_missing_until_asked_for(built, made, recipe, margin):
    expected = future_margin(made.prediction, made.target, made.future, made.future_exists, margin)
    assert torch.equal(built(recipe).objective(made).parts["future"], expected)
    published = built(recipe, "--as-published")
    assert "future" not in published.objective(made).parts
    assert published.needs.ahead == 0
    asked = built(recipe, "--as-published", "--set", "future.weight=.002")
    assert torch.equal(asked.objective(made).parts["future"], expected)
    assert asked.needs.ahead == 2


@pytest.mark.parametrize("extra", [[], ["--as-published"]])
def test_p2s_anti_copy_is_off_until_it_is_asked_for(built, made, extra):
    assert "anti_copy" not in built("p2", *extra).objective(made).parts
    asked = built("p2", *extra, "--set", "anti_copy.weight=1:0 11:.002")
    assert "anti_copy" not in asked.objective(dataclasses.replace(made, epoch=10)).parts
    found = asked.objective(dataclasses.replace(made, epoch=11)).parts["anti_copy"]
    assert torch.equal(found, anti_copy(made.prediction, made.target, made.read if extra else made.context, 0.01))


def test_p2_penalises_what_is_added_to_the_last_frame(built, made):
    found = built("p2").objective(made).parts["residual"]
    assert found.item() == pytest.approx((made.raw - made.read[:, -1]).square().mean().item())


def test_p4_rolls_out_with_gradient_or_as_published_asks_again_and_moves_the_first_step(built):
    """A mean over three steps, the first the error to the target; as run the second alone has a penalty."""
    asked = []

    def stands_still(context):
        asked.append((context, torch.is_grad_enabled()))
        return context[:, -1]

    made = step(4, predict=stands_still)
    made.raw.requires_grad_()
    error = mse_loss(made.prediction, made.target).item() / 3
    assert error > 0.05, "the first step must show"
    assert built("p4").objective(made).parts["rollout"].item() == pytest.approx(error + 2 / 3 * 10 * 0.05, rel=1e-4)
    # The first step is what the regression loss has.
    (first, _), (second, _) = asked
    assert torch.equal(first, torch.cat([made.read[:, 1:], made.prediction[:, None]], dim=1))
    assert torch.equal(second, torch.cat([first[:, 1:], made.prediction[:, None]], dim=1))
    assert first.requires_grad
    asked.clear()
    error = mse_loss(made.read[:, -1], made.target).item() / 3
    published = built("p4", "--as-published").objective(made).parts["rollout"]
    assert published.item() == pytest.approx(error + 1 / 3 * 10 * 0.05, rel=1e-4)
    (first, moves), (second, follows) = asked
    assert torch.equal(first, made.read)
    assert torch.equal(second, torch.cat([made.read[:, 1:], made.read[:, -1:]], dim=1))
    assert (moves, follows) == (True, False)


WITHOUT_AUXILIARY = {
    "v3": {"base"},
    "p2": {"base", "residual"},
    "p3": {"base"},
    "p4": {"base"},
    "p5": {"base"},
    "p51": {"base"},
    "p6b": {"mse"},
    "p7": {"gate", "info_nce", "anchor_cosine"},
}


@pytest.mark.parametrize("recipe", WITHOUT_AUXILIARY)
def test_without_auxiliary_terms_the_others_stay(built, recipe):
    made = step(20, auxiliary=False)
    total, parts = built(recipe).objective(made)
    assert set(parts) == WITHOUT_AUXILIARY[recipe]
    if recipe == "p2":
        assert total.item() == pytest.approx((parts["base"] + 1e-4 * parts["residual"]).item(), rel=1e-6)
    elif recipe == "p7":
        assert total.item() == pytest.approx((parts["gate"] * parts["info_nce"]).item(), rel=1e-6)
    else:
        assert torch.equal(total, mse_loss(made.raw, made.target))


def towards(made, *, target, before):
    """Predictions with the given mean sign of the cosines to the target and to the chunk before it."""
    return made.target * target + made.before * before + 0.01 * unit(BATCH, DIM, generator=torch.Generator())


@pytest.mark.parametrize(("target", "before"), [(1.0, 0.5), (1.0, -0.5), (-1.0, 0.5), (-1.0, -0.5)])
@pytest.mark.parametrize("published", [False, True])
def test_v2_skips_its_term_exactly_when_a_mean_cosine_is_negative(built, made, target, before, published):
    """Then the loss is plain MSE to the bit; else it is not."""
    raw = towards(made, target=target, before=before)
    now = step(3, seed=5, raw=raw, before=made.before, context=made.context, read=made.context)
    if published:
        context = torch.cat([made.context[:, :-2], made.before[:, None], made.context[:, -1:]], dim=1)
        now = step(3, seed=5, raw=raw, before=-made.before, context=context, read=context)
    recipe = built("p6b", "--version", "v2", *(["--as-published"] if published else []))
    total, parts = recipe.objective(now)
    positive = torch.nn.functional.cosine_similarity(raw, now.target).mean().item()
    negative = torch.nn.functional.cosine_similarity(raw, made.before).mean().item()
    skipped = positive < 0 or negative < 0
    assert (positive < 0, negative < 0) == (target < 0, before < 0), "the step must be what it was made to be"
    assert torch.equal(total, mse_loss(raw, now.target)) == skipped
    assert (bool(parts["skipped"]), bool(parts["lambda"].isnan())) == (skipped, skipped)
    assert float(parts["previous_cosine"]) == pytest.approx(negative, abs=1e-6)


def test_v1_never_skips(built, made):
    raw = towards(made, target=-1.0, before=-0.5)
    total, parts = built("p6b", "--version", "v1").objective(step(3, seed=5, raw=raw, before=made.before))
    assert parts["skipped"] == 0.0
    assert total > mse_loss(raw, made.target)


@pytest.mark.parametrize(("version", "high"), [("v1", 0.05), ("v2", 0.02), ("v2.1", 0.02), ("v2.2", 0.03)])
def test_the_logged_lambda_lies_inside_its_clamp(built, version, high):
    objective = built("p6b", "--version", version).objective
    found = []
    for seed in range(40):
        plain = step(1 + seed % 12, seed=seed)
        raw = plain.target + 10 ** (-3 + seed / 10) * plain.raw
        parts = objective(step(plain.epoch, seed=seed, raw=raw)).parts
        if not parts["lambda"].isnan() and float(parts["mse"]) > 1e-3:
            found.append(float(parts["lambda"]))
    assert len(found) > 5
    assert all(1e-4 * (1 - 1e-6) <= value <= high * (1 + 1e-6) for value in found)
    assert max(found) == pytest.approx(high)


def test_p6b_weighs_against_the_chunk_it_never_sees(built, made):
    raw = towards(made, target=1.0, before=0.5)
    for extra, previous in (([], made.before), (["--as-published"], made.read[:, -2])):
        parts = built("p6b", *extra).objective(step(1, seed=5, raw=raw, read=made.read, before=made.before)).parts
        gap = torch.nn.functional.cosine_similarity(raw, made.target)
        gap = gap - torch.nn.functional.cosine_similarity(raw, previous)
        assert parts["direction"].item() == pytest.approx(softplus_margin(gap, 0.02, 4.0).item(), rel=1e-5)


@pytest.mark.parametrize("extra", [[], ["--as-published"]])
def test_v23s_confidence_comes_before_its_cap(built, made, extra):
    """A clamp of 1 lets the cap act: the weight is then the cap's, whatever the confidence has left of it."""
    asked = ["--set", "direction.low=1", "--set", "direction.high=1", "--set", "confidence.start=-1"]
    recipe = built("p6b", "--version", "v2.3", *extra, *asked, "--set", "confidence.width=4")
    now = dataclasses.replace(made, epoch=1, raw=0.1 * made.raw)
    parts = {name: float(part) for name, part in recipe.objective(now).parts.items()}
    cap = 0.30 * parts["mse"] / parts["direction"]
    faded = (1 + float(cosine(now.prediction, now.target))) / 4
    assert cap < faded < 0.5
    assert parts["lambda"] == pytest.approx(cap, rel=1e-5)


def test_p7s_gate_asks_whether_the_text_moves_on(built):
    """Samples nearer to the target than to the frame before the last count in full; as run none ever does."""
    made = step(20)
    context = made.context.clone()
    context[:, -1] = made.target
    context[: BATCH // 2, -2] = made.target[: BATCH // 2]
    now = step(20, context=context, read=context, before=context[:, -1])
    assert float(built("p7").objective(now).parts["gate"]) == pytest.approx((0.25 + 1) / 2)
    assert float(built("p7", "--as-published").objective(now).parts["gate"]) == 0.25


def test_p7_weighs_each_sample_by_its_gate(built, made):
    gates = directional_gate(made.last, made.target, made.context[:, -2])
    assert 0.25 < gates.mean() < 1, "some move on and some do not"
    cosines = [torch.nn.functional.cosine_similarity(made.prediction, other) for other in (made.target, made.last)]
    hinges = (0.07 - cosines[0] + cosines[1]).clamp(min=0)
    expected = (gates * hinges).sum() / gates.sum()
    assert abs(expected - hinges.mean()) > 1e-3, "the weights must show"
    assert float(built("p7").objective(made).parts["hinge"]) == pytest.approx(float(expected), rel=1e-5)
    plain = float(built("p7", "--as-published").objective(made).parts["hinge"])
    assert plain == pytest.approx(float(hinges.mean()), rel=1e-5)


def test_p7s_anchor_floor_is_under_the_query_and_not_under_its_mixture(built):
    """A query orthogonal to the anchor pays the whole floor, though its mixture has a cosine of .555."""
    made = step(20)
    anchor = context_anchor(made.context)
    query = torch.nn.functional.normalize(made.raw - (made.raw * anchor).sum(1, keepdim=True) * anchor, dim=-1)
    parts = built("p7", "--option", "anchor").objective(step(20, raw=0.6 * query + 0.4 * anchor)).parts
    assert float(parts["anchor_cosine"]) == pytest.approx(0.555, abs=1e-3)
    assert float(parts["anchor"]) == pytest.approx(0.5, abs=1e-5)


def test_p7s_rivals_of_the_same_article_are_left_out_or_as_published_counted(built):
    """With one article in the batch only the last frame and the two drawn negatives are rivals: at most ln 4."""
    g = torch.Generator().manual_seed(0)
    far = unit(1, DIM, generator=g).expand(BATCH, DIM)
    same = step(20, raw=-far, article=torch.zeros(BATCH, dtype=torch.int64), target=far)
    same = step(
        20,
        raw=far,
        target=far,
        context=far[:, None].expand(BATCH, 4, DIM),
        negatives=far[:, None].expand(BATCH, 2, DIM),
        article=same.article,
    )
    # Every candidate is alike, so the loss is the logarithm of their number.
    assert float(built("p7").objective(same).parts["info_nce"]) == pytest.approx(math.log(4), rel=1e-5)
    for counted in (["--as-published"], ["--set", "negatives.same_article=true"]):
        found = float(built("p7", *counted).objective(same).parts["info_nce"])
        assert found == pytest.approx(math.log(4 + BATCH - 1), rel=1e-5)
