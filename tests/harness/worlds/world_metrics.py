"""Every gate metric of a predictor in a world, by brute force: no code is shared with `harness`.

Source: docs/specification.md, "The five gates".
"""

from collections.abc import Callable

import numpy as np

from lvm_gates.harness.worlds.optimum import BayesPredictor
from lvm_gates.harness.worlds.world import WORLDS, World

C, H = 5, 5
Predict = Callable[[np.ndarray], np.ndarray]


def unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def articles_of(world: World, split: str) -> list[np.ndarray]:
    parts = np.split(world.vectors, np.cumsum(world.lengths)[:-1])
    return [part for part, its in zip(parts, world.splits, strict=True) if its == split]


def windows(articles: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Contexts, targets, article and position in it of each target."""
    where = [(a, t) for a, article in enumerate(articles) for t in range(C, len(article))]
    contexts = np.stack([articles[a][t - C : t] for a, t in where])
    targets = np.stack([articles[a][t] for a, t in where])
    return contexts, targets, *np.array(where).T


def optimum(name: str) -> Predict:
    law = WORLDS[name]
    return BayesPredictor(law, law.mean(law.dim, 0)).predict


def ridge(articles: list[np.ndarray]) -> Predict:
    contexts, targets, _, _ = windows(articles)
    flat = contexts.reshape(len(contexts), -1)
    x0, y0 = flat.mean(axis=0), targets.mean(axis=0)
    x = flat - x0
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (targets - y0))
    return lambda c: unit((c.reshape(len(c), -1) - x0) @ weights + y0)


def offset_curve(predict: Predict, articles: list[np.ndarray]) -> dict[int, float]:
    contexts, _, article, position = windows(articles)
    predicted = predict(contexts)
    curve = {}
    for k in range(-3, 4):
        cosines = [
            float(p @ articles[a][t - 1 + k])
            for p, a, t in zip(predicted, article, position, strict=True)
            if t - 1 + k < len(articles[a])
        ]
        curve[k] = float(np.mean(cosines))
    return curve


def margin(curve: dict[int, float]) -> float:
    return curve[1] - max(value for k, value in curve.items() if k != 1)


def metrics(predict: Predict, articles: list[np.ndarray]) -> dict[str, float]:
    contexts, targets, article, position = windows(articles)
    predicted = predict(contexts)
    curve = offset_curve(predict, articles)

    ranks = []
    for p, a, t in zip(predicted, article, position, strict=True):
        scores = articles[a] @ p
        ranks.append(1 + (scores > scores[t]).sum())
    rank = np.array(ranks)

    def change(ablated: np.ndarray) -> float:
        return float(((predict(ablated) - predicted) * targets).sum(axis=1).mean())

    rng = np.random.default_rng(0)
    order = rng.permuted(np.tile(np.arange(C), (len(contexts), 1)), axis=1)
    while (same := (order == np.arange(C)).all(axis=1)).any():
        order[same] = rng.permuted(order[same], axis=1)
    left_out = []
    for i in range(C):
        ablated = contexts.copy()
        ablated[:, i] = contexts[:, i - 1 if i else 1]
        left_out.append(change(ablated))
    foreign = contexts.copy()
    foreign[:, -1] = np.roll(contexts[:, -1], len(contexts) // 2, axis=0)

    frames, rollout = contexts, []
    for h in range(1, H + 1):
        step = predict(frames)
        rollout.append(
            np.mean(
                [
                    p @ articles[a][t - 1 + h]
                    for p, a, t in zip(step, article, position, strict=True)
                    if t - 1 + h < len(articles[a])
                ]
            )
        )
        frames = np.concatenate([frames[:, 1:], step[:, None]], axis=1)

    coherence = (contexts[:, 1:] * contexts[:, :-1]).sum(axis=2).mean(axis=1)
    normal = (coherence >= 0.45) & (coherence <= 0.55)
    cosine = (predicted * targets).sum(axis=1)
    return {
        "c(+1)": curve[1],
        "margin": margin(curve),
        "R@1": float((rank == 1).mean()),
        "R@5": float((rank <= 5).mean()),
        "MRR": float((1 / rank).mean()),
        "shuffle": change(np.take_along_axis(contexts, order[:, :, None], axis=1)),
        "reverse": change(contexts[:, ::-1]),
        "leave_one_out": min(left_out),
        "repeat_last": change(np.repeat(contexts[:, -1:], C, axis=1)),
        "cross_article": change(foreign),
        "rollout": float(np.mean(rollout)),
        "in bin": float(normal.mean()),
        "cosine in bin": float(cosine[normal].mean()),
    }


# docs/specification.md, "The five gates", VAL and OOD: at least the first group, at most the second.
AT_LEAST = {
    "c(+1)": (0.50, 0.48),
    "margin": (0.12, 0.10),
    "R@1": (0.60, 0.55),
    "R@5": (0.95, 0.92),
    "MRR": (0.80, 0.75),
    "rollout": (0.45, 0.42),
}
AT_MOST = {
    "shuffle": -0.15,
    "reverse": -0.10,
    "leave_one_out": -0.08,
    "repeat_last": 0.05,
    "cross_article": 0.05,
}
# "Clear room": the optimum clears each bound by this much, so that a network short of it can pass too.
ROOM = 0.05
