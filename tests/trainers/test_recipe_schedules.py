"""Every recipe's weights, epoch by epoch, against the documents' tables (docs/sources.md, "Recipes") written out."""

import math

import numpy as np
import pytest
import torch
from steps import build, step

# One value per epoch. V3 rises from .005 in epoch 4 to .010 in epoch 10, a sixth of the way each time.
V3_AUXILIARY = [0, 0, 0, 0.005, 0.0058333, 0.0066667, 0.0075, 0.0083333, 0.0091667, 0.010, *[0.010] * 10]
V3_DROP = [0, 0, 0, 0.05, 0.058333, 0.066667, 0.075, 0.083333, 0.091667, 0.10, *[0.10] * 10]
FROM_6 = [0, 0, 0, 0, 0, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, *[0.002] * 9]
FROM_10 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.002, 0.002, *[0.002] * 9]
FROM_11 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.002, *[0.002] * 9]
P2_FUTURE = [0, 0, 0, 0, 0, 0.002, 0.002, 0.002, 0.002, 0.002, 0.003, *[0.003] * 9]
P4_ROLLOUT = [0, 0, 0, 0.05, 0.05, 0.05, 0.10, 0.10, 0.10, 0.10, 0.10, *[0.10] * 9]
FROM_7 = [0, 0, 0, 0, 0, 0, 0.002, 0.002, 0.002, 0.002, 0.002, *[0.002] * 9]
DROP_FROM_7 = [0, 0, 0, 0, 0, 0, 0.05, 0.05, 0.05, 0.05, 0.05, *[0.05] * 9]
DROP_FROM_6 = [0, 0, 0, 0, 0, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, *[0.05] * 9]
# P5.1's code counts epochs from 0: .001 min(e, 6) / 6, .10 min(e, 3) / 3, and the bias beside the latter.
P51_RANKING_CODE = [0, 0.00016667, 0.00033333, 0.0005, 0.00066667, 0.00083333, 0.001, *[0.001] * 13]
P51_POSITION_CODE = [0, 0.033333, 0.066667, 0.10, *[0.10] * 16]
# The documents: 0 to .10 over epochs 1 to 3, and one weight.
P51_POSITION = [0, 0.05, 0.10, *[0.10] * 17]
P51_BIAS = [0, 0.2, 0.4, 0.6, *[0.6] * 16]
P5_STAGES = [*"aaaa", *"bbbbbb", *"cccccccccc"]

WEIGHTS = {
    ("v3",): {"directional": V3_AUXILIARY, "anti_copy": V3_AUXILIARY},
    ("v3", "--as-published"): {"directional": V3_AUXILIARY, "anti_copy": V3_AUXILIARY},
    ("p1",): {},
    ("p2",): {"directional": FROM_6, "future": P2_FUTURE, "residual": [1e-4] * 20},
    ("p2", "--as-published"): {"directional": FROM_6},
    ("p3",): {"directional": FROM_6, "future": FROM_6},
    ("p3", "--as-published"): {"directional": FROM_6},
    ("p4",): {"rollout": P4_ROLLOUT, "directional": FROM_7, "future": FROM_10},
    ("p4", "--as-published"): {"rollout": P4_ROLLOUT, "directional": FROM_6},
    ("p5",): {"directional": FROM_11},
    ("p5", "--as-published"): {"directional": FROM_11},
    ("p51",): {"ranking": [0.001] * 20},
    ("p51", "--as-published"): {"ranking": P51_RANKING_CODE},
    ("p6",): {},
    ("p6", "--as-published"): {},
}


@pytest.fixture
def built(monkeypatch, corpus):
    return lambda *arguments: build(monkeypatch, corpus, *arguments)


@pytest.mark.parametrize("arguments", WEIGHTS, ids=" ".join)
def test_the_loss_is_the_table_at_every_epoch(built, arguments):
    """Total = MSE + the table's weight x each term, and a term whose weight is zero is not computed."""
    _, recipe = built(*arguments)
    table = WEIGHTS[arguments]
    for epoch in range(1, 21):
        total, parts = recipe.objective(step(epoch, seed=epoch))
        now = {name: weights[epoch - 1] for name, weights in table.items() if weights[epoch - 1]}
        assert set(parts) == {"base", *now}
        assert parts["base"].item() == pytest.approx(mse(step(epoch, seed=epoch)))
        # Without this a wrong weight could hide behind a term that is zero.
        assert all(parts[name].item() > 1e-4 for name in now)
        extra = sum(weight * parts[name].item() for name, weight in now.items())
        assert total.item() - parts["base"].item() == pytest.approx(extra, rel=1e-3, abs=1e-7)


def mse(made):
    return (made.raw - made.target).square().mean().item()


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        (["v3"], V3_DROP),
        (["p3"], DROP_FROM_6),
        (["p4"], DROP_FROM_7),
        (["p4", "--as-published"], DROP_FROM_6),
        (["p51"], [0.15] * 20),
        (["p6", "--as-published"], [0.15] * 20),
        (["p6b", "--as-published"], [0.15] * 20),
    ],
    ids=lambda given: " ".join(given) if isinstance(given[0], str) else "",
)
def test_the_last_frame_is_replaced_as_often_as_the_table_says(built, arguments, table):
    _, recipe = built(*arguments)
    context = torch.nn.functional.normalize(torch.randn(40_000, 2, 4), dim=-1)
    torch.manual_seed(0)
    for epoch, share in enumerate(table, 1):
        hit = (recipe.augment(context, epoch) != context).any(dim=2)
        assert not hit[:, 0].any()
        # Four standard deviations, below the least step of .0083.
        assert hit[:, 1].float().mean().item() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 40_000))


@pytest.mark.parametrize("recipe", ["p1", "p2", "p5", "p6", "p6b", "p7"])
def test_the_others_leave_the_frames_alone(built, recipe):
    assert built(recipe)[1].augment is None


@pytest.mark.parametrize(
    ("arguments", "table"),
    [("v3", [0.03] * 20), ("p5", [0.03] * 20), ("p51", P51_POSITION), ("p51 --as-published", P51_POSITION_CODE)]
    + [(name, None) for name in ("p1", "p2", "p3", "p4", "p6", "p6b", "p7")],
)
def test_the_position_channel(built, arguments, table):
    _, recipe = built(*arguments.split())
    if table is None:
        assert recipe.position_scale is None
    else:
        assert [recipe.position_scale.at(epoch) for epoch in range(1, 21)] == pytest.approx(table, abs=1e-6)


def test_the_attention_bias_of_p51(built):
    _, recipe = built("p51")
    told = []

    class Network:
        def set_last_slot_bias(self, beta):
            told.append(beta)

    for epoch in range(1, 21):
        recipe.tune(Network(), epoch)
    assert told == pytest.approx(P51_BIAS)
    assert built("p51", "--as-published")[1].tune is None


@pytest.mark.parametrize("recipe", ["p5", "p51"])
def test_the_stages_of_the_curriculum(built, corpus, recipe):
    from lvm_gates.trainers.batches import training_windows

    _, recipe = built(recipe)
    windows = training_windows(corpus, 3)[0]
    counts = {"a": math.ceil(0.3 * len(windows)), "b": math.ceil(0.7 * len(windows)), "c": len(windows)}
    found = [len(recipe.select_windows(windows, epoch)) for epoch in range(1, 21)]
    assert found == [counts[letter] for letter in P5_STAGES]


P6B = {
    # version: gamma, upper clamp, m, share, cap (None without one), per epoch.
    "v1": (
        8,
        0.05,
        [0.02, 0.02, 0.04, 0.04, 0.04, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05],
        [0.10, 0.10, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25],
        None,
    ),
    "v2": (
        4,
        0.02,
        [0.02, 0.02, 0.03, 0.03, 0.03, 0.04, 0.04, 0.04, 0.05, 0.05, 0.05, 0.05],
        [0.10, 0.10, 0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25, 0.25],
        None,
    ),
    "v2.1": (
        4,
        0.02,
        [0.02, 0.02, 0.02, 0.03, 0.03, 0.03, 0.04, 0.04, 0.04, 0.05, 0.05, 0.05],
        [0.10, 0.10, 0.10, 0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25],
        [0.25] * 12,
    ),
    "v2.2": (
        4,
        0.03,
        [0.02, 0.02, 0.04, 0.04, 0.06, 0.06, 0.06, 0.06, 0.07, 0.07, 0.07, 0.07],
        [0.15, 0.15, 0.25, 0.25, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35],
        [0.35, 0.35, 0.45, 0.45, 0.50, 0.50, 0.50, 0.50, 0.50, 0.50, 0.50, 0.50],
    ),
    "v2.3": (
        4,
        0.018,
        [0.02, 0.02, 0.02, 0.03, 0.03, 0.03, 0.03, 0.04, 0.04, 0.04, 0.04, 0.04],
        [0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25, 0.25, 0.25],
        [0.30, 0.30, 0.30, 0.35, 0.35, 0.35, 0.35, 0.40, 0.40, 0.40, 0.40, 0.40],
    ),
}
P6B_CODE = P6B | {
    "v2": (
        4,
        0.02,
        [0.02, 0.02, 0.02, 0.03, 0.03, 0.03, 0.04, 0.04, 0.04, 0.05, 0.05, 0.05],
        [0.10, 0.10, 0.10, 0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25],
        None,
    ),
    "v2.3": (
        4,
        0.018,
        [0.02, 0.02, 0.02, 0.02, 0.03, 0.03, 0.03, 0.04, 0.04, 0.04, 0.04, 0.04],
        [0.15, 0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.25, 0.25, 0.25, 0.25, 0.25],
        [0.30, 0.30, 0.30, 0.30, 0.35, 0.35, 0.35, 0.40, 0.40, 0.40, 0.40, 0.40],
    ),
}
# Share of the ratio term; floor; weights of floor, norm and orthogonality; whether lambda fades.
P6B_BRAKES = {
    "v1": (0.0, 0.0, 0.0, 0.0, False),
    "v2": (0.0, 0.0, 0.0, 0.0, False),
    "v2.1": (0.3, 0.10, 1e-3, 0.0, False),
    "v2.2": (0.3, 0.12, 2e-3, 5e-4, False),
    "v2.3": (0.3, 0.10, 1e-3, 1e-4, True),
}


def softplus(z, gamma):
    return np.logaddexp(0, gamma * z) / gamma


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("version", P6B)
# The prediction's distance from the target: the clamp from above, the free middle, the clamp from below and the cap.
@pytest.mark.parametrize("distance", [0.9, 0.01, 0.0005])
def test_p6b_is_its_formula_at_every_epoch(built, version, published, distance):
    _, recipe = built("p6b", "--version", version, *(["--as-published"] if published else []))
    gamma, high, margins, shares, caps = (P6B_CODE if published else P6B)[version]
    ratio_share, floor, floor_weight, orthogonality, fades = P6B_BRAKES[version]
    made = step(1)
    raw = made.target + distance * torch.randn(made.target.shape, generator=torch.Generator().manual_seed(2))
    # A little of both candidates for "the previous chunk", so that no version skips the term.
    raw = raw + 0.3 * distance * (made.before + made.read[:, -2])
    y, before, old, r = (np.float64(x.numpy()) for x in (made.target, made.before, made.read[:, -2], raw))
    p = r / np.linalg.norm(r, axis=1, keepdims=True)
    positive, negative = (p * y).sum(1), (p * (old if published else before)).sum(1)
    assert positive.mean() > 0.05
    skipped = version == "v2" and negative.mean() < 0
    regression = np.mean((r - y) ** 2)
    for epoch in range(1, 13):
        at = epoch - 1
        d = softplus(margins[at] - (positive - negative), gamma).mean()
        ratio = (positive - negative) / (np.abs(positive) + np.abs(negative))
        d = (1 - ratio_share) * d + ratio_share * softplus(0.05 - ratio, gamma).mean()
        weight = np.clip(shares[at] * regression / d, 1e-4, high)
        if fades:
            weight *= np.clip((positive.mean() - 0.30) / 0.15, 0, 1)
        if caps is not None:
            weight = min(weight, caps[at] * regression / d)
        expected = regression if skipped else regression + weight * d
        expected += floor_weight * np.mean(np.maximum(floor - positive, 0) ** 2) + orthogonality * np.mean(negative**2)
        total, parts = recipe.objective(step(epoch, raw=raw))
        assert total.item() == pytest.approx(expected, rel=1e-4)
        assert parts["direction"].item() == pytest.approx(d, rel=1e-4)
        assert bool(parts["lambda"].isnan()) == skipped
        if not skipped:
            assert float(parts["lambda"]) == pytest.approx(weight, rel=1e-3)


P7 = {
    # InfoNCE, hinge, teacher by epoch, anchor floor, cosine.
    "baseline": (1.0, 0.5, [0.2, 0.2, *[0] * 13], 0.0, 0.0),
    "strong-margin": (0.5, 1.5, [0.2, 0.2, 0.2, 0.2, 0.2, *[0] * 10], 0.0, 0.0),
    "anchor": (1.0, 0.5, [0.2, 0.2, *[0] * 13], 0.5, 0.0),
    "pure-margin": (0.0, 0.5, [0.2, 0.2, *[0] * 13], 0.0, 1.0),
}


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("option", P7)
def test_p7_is_its_formula_at_every_epoch(built, option, published):
    _, recipe = built("p7", "--option", option, *(["--as-published"] if published else []))
    rank, hinge, teacher, anchor, cosine = P7[option]
    for epoch in range(1, 16):
        total, parts = recipe.objective(step(epoch, seed=epoch))
        parts = {name: float(value) for name, value in parts.items()}
        computed = {"info_nce": rank, "hinge": hinge, "teacher": teacher[epoch - 1], "anchor": anchor, "cosine": cosine}
        assert set(parts) == {"gate", "anchor_cosine", *(name for name, weight in computed.items() if weight)}
        gated = rank * parts.get("info_nce", 0) + hinge * parts["hinge"]
        expected = parts["gate"] * gated + teacher[epoch - 1] * parts.get("teacher", 0)
        expected += anchor * parts.get("anchor", 0) + cosine * parts.get("cosine", 0)
        assert total.item() == pytest.approx(expected, rel=1e-5)
        assert (parts["gate"] == 0.25) == published
