"""Every figure of a card as plain tables, for readers who want more than the figures that decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.report.view import SPLITS

_BINS = {"normal": "[.45, .55]", "low": "below", "high": "above"}


@dataclass(frozen=True)
class Table:
    """A title, a heading row, and rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure_tables(card: Mapping[str, Any]) -> list[Table]:
    """The statistics of the five gates, whatever the profile."""
    gates = card["gates"]
    a, b, c, d, e = ({s: gates[g].get(s) or {} for s in SPLITS} for g in "ABCDE")
    tables = [
        Table("Offsets: mean cosine to the chunk at offset k", ("", *SPLITS), _offsets(a)),
        Table(
            "Retrieval: rank of the target among the candidates",
            ("split, pool", "R@1", "R@5", "MRR", "mean rank", "candidates", "R@1, chance"),
            [_pool(split, name, pool) for split in SPLITS for name, pool in b[split].items()],
        ),
        Table("Ablations: change of the cosine to the target", ("", *SPLITS), _ablations(c)),
        Table("Rollout: cosine at horizon h of the closed loop", ("", *SPLITS), _rollout(d)),
        Table(
            "Coherence of the context: mean cosine to the target in each bin",
            ("bin", *SPLITS),
            [[label, *(_full(e[s].get(key)) for s in SPLITS)] for key, label in _BINS.items()],
        ),
    ]
    return [table for table in tables if table.rows]


def skill_tables(skill: Mapping[str, Any]) -> list[Table]:
    """The statistics of profile `skill`; none where it was not computed."""
    if not skill:
        return []
    by_split = {split: skill.get(split) or {} for split in SPLITS}
    return [
        Table("Skill against the rivals, near-duplicate targets left out", ("", *SPLITS), _skill(by_split, skill)),
        Table(
            "F within each third of context coherence",
            ("split", "coherence", "F"),
            [
                [split, f"{words.number(third['from'])} to {words.number(third['to'])}", _full(third["F"], signed=True)]
                for split, found in by_split.items()
                for third in found.get("by_coherence") or []
            ],
        ),
        Table(
            "Rollout less that of the rival on the frontier nearest in cosine",
            ("split", "horizon", "rival", "difference"),
            [
                [split, str(step["horizon"]), step["control"], _full(step["difference"], signed=True)]
                for split, found in by_split.items()
                for step in found.get("rollout") or []
            ],
        ),
    ]


def _offsets(by_split: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    offsets = sorted({int(k) for found in by_split.values() for k in found.get("c") or {}})
    rows = [[show_offset(k), *((_full((by_split[s].get("c") or {}).get(str(k)))) for s in SPLITS)] for k in offsets]
    for key, label in (
        ("margin", "margin over the best other k"),
        ("margin_vs_last", "margin over k=0"),
        ("margin_vs_previous", "margin over k=-1"),
    ):
        rows.append([label, *(_full(by_split[s].get(key), signed=True) for s in SPLITS)])
    return [*rows, ["peak", *(show_offset(by_split[s].get("peak")) for s in SPLITS)]]


def _pool(split: str, name: str, pool: Mapping[str, Any]) -> list[str]:
    size, chance = words.number(pool.get("size"), digits=0), words.number(pool.get("chance"))
    scores = [words.figure_text(pool.get(metric) or {}) for metric in ("R@1", "R@5", "MRR")]
    return [f"{split}, {name}", *scores, words.figure_text(pool.get("mean_rank") or {}, digits=1), size, chance]


def _ablations(by_split: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    rows = [
        [label, *(_full(by_split[s].get(key), signed=True) for s in SPLITS)]
        for key, label in (
            ("shuffle", "shuffled"),
            ("reverse", "reversed"),
            ("leave_one_out", "leave-one-out, the most harmful frame"),
            ("repeat_last", "last frame repeated"),
            ("cross_article", "last frame from another article"),
        )
    ]
    frames = [by_split[s].get("leave_one_out_by_frame") or [] for s in SPLITS]
    for i in range(max(len(of) for of in frames)):
        rows.append([f"frame {i + 1} left out", *(_full(of[i] if i < len(of) else None, signed=True) for of in frames)])
    return rows


def _rollout(by_split: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    curves = [by_split[s].get("by_horizon") or [] for s in SPLITS]
    steps = range(max(len(of) for of in curves))
    rows = [[f"h={i + 1}", *(_full(of[i] if i < len(of) else None) for of in curves)] for i in steps]
    return [*rows, ["mean", *(_full(by_split[s].get("mean")) for s in SPLITS)]]


def _skill(by_split: Mapping[str, Mapping[str, Any]], skill: Mapping[str, Any]) -> list[list[str]]:
    found = list(by_split.values())
    best = [[f.get(key) or "none" for f in found] for key in ("best_mrr_control", "best_cosine_control")]
    ranks = [f.get("rankme") or {} for f in found]
    return [
        ["cosine", *(_full(f.get("cosine")) for f in found)],
        ["MRR, pool novel", *(_full(f.get("MRR")) for f in found)],
        ["F: MRR less the frontier's at that cosine", *(_full(f.get("F"), signed=True) for f in found)],
        ["cosine less every rival's best", *(_full(f.get("excess_cosine"), signed=True) for f in found)],
        ["rivals", *(_rivals(f) for f in found)],
        ["MRR less the best rival's", *(_full(f.get("retrieval"), signed=True) for f in found)],
        ["the rival of best MRR", *best[0]],
        ["cosine less the best rival's, paired", *(_full(f.get("decoding"), signed=True) for f in found)],
        ["the rival of best cosine", *best[1]],
        ["PAR: nearness to the context over the target's", *(_full(f.get("par")) for f in found)],
        ["PAR of the ridge control", *(_full(f.get("par_linear")) for f in found)],
        ["distance to the context over ridge's", *(_full(f.get("echo")) for f in found)],
        *(
            [f"effective rank of {label}", *(_rank(rank.get(key) or {}) for rank in ranks)]
            for key, label in (("model", "predictions"), ("linear", "ridge's predictions"), ("target", "targets"))
        ),
        ["near-duplicate targets left out", *(words.count(f.get("near_duplicates")) for f in found)],
        ["share of the skill kept on OOD", _share(skill.get("retained")), "(both splits)"],
    ]


def _share(retained: Mapping[str, Any] | float | None) -> str:
    # Scorecards from before it had an interval hold a number.
    return words.figure_text(retained) if isinstance(retained, Mapping) else words.number(retained)


def _rivals(found: Mapping[str, Any]) -> str:
    knowing = ", some of them of the judged text's mean" if found.get("rivals_know_domain") else ""
    return f"{words.count(found.get('rivals'))}{knowing}"


def _rank(spread: Mapping[str, Any]) -> str:
    plain, centred = (words.number(spread.get(key), digits=1) for key in ("rankme", "rankme_centred"))
    return f"{plain} (centred {centred}), n = {words.count(spread.get('n'))}"


def _full(figure: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    if not figure:
        return "not computed"
    return f"{words.figure_text(figure, signed=signed)}, n = {words.count(figure.get('n'))}"
