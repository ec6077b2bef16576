"""A small scorecard with everything a reader may meet; judged by the real judge, so that its shape stays true."""

from typing import Any

import msgspec

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.judge import judge_gate
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.statistics.generalisation import Generalisation
from lvm_gates.harness.statistics.offsets import OffsetSweep
from lvm_gates.harness.statistics.perturbations import AblationEffects
from lvm_gates.harness.statistics.retrieval import Retrieval
from lvm_gates.harness.statistics.rollout import Rollout
from lvm_gates.harness.statistics.split import BySplit
from lvm_gates.harness.statistics.task_skill import SkillStatistics

SPLITS = ("VAL", "OOD")
NAN = float("nan")


STATISTICS: dict[str, Any] = {
    "A": BySplit[OffsetSweep],
    "B": BySplit[Retrieval],
    "C": BySplit[AblationEffects],
    "D": BySplit[Rollout],
    "E": Generalisation,
}


def metric(value: float, n: int = 400) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.01, n, 30)


def five_gates(level: float, n: int = 400) -> dict[str, Any]:
    """Statistics of a predictor whose every score is about ``level``; NaN for one that answers nothing."""
    f = metric(level, n)
    finite = level == level
    pool = {"R@1": f, "R@5": f, "MRR": f, "mean_rank": metric(3.2), "size": 50.0, "chance": 0.02}
    pool["chance_of"] = {"R@1": 0.02, "R@5": 0.1, "MRR": 0.09}
    effect = metric(-level / 2, n)
    offsets = {str(k): metric(level if k == 1 else level / 3, n) for k in range(-3, 4)}
    a = {
        "c": offsets,
        "margin": effect.replace(value=level - 0.6),
        "peak": (1 if level > 0.6 else 0) if finite else None,
    }
    a |= {"margin_vs_last": metric(level / 4), "margin_vs_previous": metric(level / 4)}
    c = dict.fromkeys(("shuffle", "reverse", "leave_one_out", "repeat_last", "cross_article"), effect)
    bins = dict.fromkeys(("normal", "low", "high"), f)
    found = {
        "A": dict.fromkeys(SPLITS, a),
        "B": dict.fromkeys(SPLITS, dict.fromkeys(("article", "novel", "global"), pool)),
        "C": {split: {**c, "leave_one_out_by_frame": [effect] * 3} for split in SPLITS},
        "D": {split: {"mean": f, "by_horizon": [f] * 4} for split in SPLITS},
        "E": {"delta": metric(0.02 if finite else NAN, n), **dict.fromkeys(SPLITS, bins)},
    }
    return {gate: msgspec.convert(jsonable(found[gate]), kind) for gate, kind in STATISTICS.items()}


def skill_metrics(level: float) -> SkillStatistics:
    f, gain = metric(level), metric(0.03)
    points = {
        name: {"cosine": metric(0.3 + 0.05 * i), "MRR": metric(0.2 - 0.02 * i), "weights": [0.2] * 7}
        for i, name in enumerate(("persistence", "ewma-0.5", "context-mean", "climatology", "linear"))
    }
    rank = {"rankme": 20.0, "rankme_centred": 21.0, "variance": 0.5, "n": 400}
    split = {
        "near_duplicates": 7,
        "cosine": f,
        "MRR": f,
        "F": gain,
        "excess_cosine": gain.replace(value=-0.02),
        "beyond_frontier": False,
        "rivals": 700,
        "rivals_know_domain": False,
        "frontier": points,
        "best_mrr_control": "persistence",
        "best_cosine_control": "linear",
        "order": {"shuffle": metric(-0.1), "reverse": metric(-0.1)},
        "rollout": [{"horizon": 1, "control": "linear", "difference": gain}],
        "by_coherence": [{"from": 0.1, "to": 0.4, "F": gain}],
        "par": f,
        "par_linear": f,
        "echo": f,
        "rankme": {"model": rank, "linear": rank, "target": rank},
        "rank_ratio": Estimate(0.9, NAN, NAN, 512, 30),
        "rank_ratio_centred": Estimate(0.9, NAN, NAN, 512, 30),
        "retrieval": gain,
        "decoding": gain,
        "n": 400,
        "articles": 30,
        "task_figure": gain,
        "rollout_worst": gain,
    }
    retained = Estimate(0.8, 0.6, 1.1, 300, 30)
    found = {"task": "frontier", "VAL": split, "OOD": split, "retained": retained}
    return msgspec.convert(jsonable(found), SkillStatistics)


def card(name: str, level: float, verdict: str, reasons: list[str], *, n: int = 400, **more: Any) -> dict[str, Any]:
    found = five_gates(level, n)
    gates = {gate: {**_judged(gate, found[gate], "5cat"), **jsonable(found[gate])} for gate in "ABCDE"}
    metrics = skill_metrics(level)
    judged = {gate: _judged(gate, metrics, "skill") for gate in load_profile("skill").gates}
    skill = {**jsonable(metrics), "gates": judged, "passed": all(gate["passed"] for gate in judged.values())}
    made = {"name": name, "sha256": None, "verdict": verdict, "reasons": reasons, "tolerated": [], "provenance": None}
    made |= {"blocked": verdict == "blocked", "gates": gates, "skill": skill}
    if name.startswith("control:"):
        made |= {"misbehaved": [], "unusual": [], "open_gates": []}
    return jsonable({**made, **more})


def scorecard(models: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    controls = [
        card("control:oracle", 0.99, "release", ["5 of 5 gates passed"]),
        card("control:persistence", 0.4, "blocked", ["negative margin"], unusual=["fails gate C"], open_gates=["C"]),
        card("control:nan", NAN, "blocked", ["not finite"]),
    ]
    made = {
        "schema_version": 1,
        "created": "2025-01-01T00:00:00+00:00",
        "profile": "5cat",
        "task": "frontier",
        "require": "strict",
        "arguments": {"given": ["gates/", "--model=m.pt"], "resolved": {"model": ["m.pt"], "corpus": None}},
        "corpus": {"path": "wiki", "kind": "synthetic", "world": "wiki", "splits": {"VAL": {"windows": 400}}},
        "revision": {"commit": None, "dirty": None},
        "packages": {"python": "3.11"},
        "audits": [{"name": "unit norm", "status": "pass", "detail": "fine", "figures": {}}],
        "models": models or [card("m.pt", 0.97, "release", ["5 of 5 gates passed"])],
        "controls": controls,
    }
    return {**made, **more}


def typed(whole: dict[str, Any]) -> Scorecard:
    """As it is read."""
    return msgspec.convert(whole, Scorecard)


def typed_card(card: dict[str, Any]) -> CardRecord:
    """The same of one card."""
    return msgspec.convert(card, CardRecord)


def without_skill(whole: dict[str, Any]) -> dict[str, Any]:
    """As profile `5cat-published` leaves it: no skill, and nothing known of two candidate sets."""
    null = {"value": None, "low": None, "high": None, "n": 400, "articles": 0, "df": None}
    for each in [*whole["models"], *whole["controls"]]:
        each["skill"] = {}
        for split in SPLITS:
            for pool in ("novel", "global"):
                empty = dict.fromkeys(("R@1", "R@5", "MRR", "mean_rank"), null)
                each["gates"]["B"][split][pool] = {
                    **empty,
                    "size": None,
                    "chance": None,
                    "chance_of": dict.fromkeys(("R@1", "R@5", "MRR")),
                }
    return {**whole, "profile": "5cat-published"}


def numbered(node: Any, places: list[str], place: str = "") -> Any:
    """A copy in which every decimal number is its index in ``places``, where its path is put down."""
    if isinstance(node, dict) and {"value", "n"} <= node.keys():
        places.append(place)
        return {"value": float(len(places) - 1), "low": None, "high": None, "n": node["n"], "articles": 0, "df": None}
    if isinstance(node, dict):
        return {key: numbered(value, places, f"{place} {key}".strip()) for key, value in node.items()}
    if isinstance(node, list):
        return [numbered(value, places, f"{place} {i}") for i, value in enumerate(node)]
    if not isinstance(node, float):
        return node
    places.append(place)
    return float(len(places) - 1)


def _judged(gate: str, statistics: BySplit[Any], profile: str) -> dict[str, Any]:
    checks = judge_gate(gate, statistics, load_profile(profile))
    return {
        "passed": all(check.passed for check in checks),
        "checks": checks,
    }
