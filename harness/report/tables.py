"""Every metric of a card as plain tables, for readers who want more than the metrics that decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.card import CardRecord, Skill
from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.report import words
from lvm_gates.harness.report.view import SPLITS
from lvm_gates.harness.results.paired import PairedDifferences
from lvm_gates.harness.statistics.offsets import OffsetSweep
from lvm_gates.harness.statistics.perturbations import AblationEffects
from lvm_gates.harness.statistics.retrieval import Pool
from lvm_gates.harness.statistics.rollout import Rollout
from lvm_gates.harness.statistics.skill_metrics import EffectiveRank, TaskSkill

_BINS = {"normal": "[.45, .55]", "low": "below", "high": "above"}


@dataclass(frozen=True)
class Table:
    """A title, a heading row, and rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def metric_tables(card: CardRecord) -> list[Table]:
    """The statistics of the five gates, whatever the profile."""
    gates = card.gates
    tables = [
        Table(
            "Offsets: mean cosine to the chunk at offset k", ("", *SPLITS), _offsets([gates.a.of(s) for s in SPLITS])
        ),
        Table(
            "Retrieval: rank of the target among the candidates",
            ("split, candidate set", "R@1", "R@5", "MRR", "mean rank", "candidates", "R@1, chance"),
            [_pool(split, name, pool) for split in SPLITS for name, pool in gates.b.of(split).items()],
        ),
        Table(
            "Ablations: change of the cosine to the target",
            ("", *SPLITS),
            _ablation_rows([gates.c.of(s) for s in SPLITS]),
        ),
        Table(
            "Rollout: cosine at horizon h of the closed loop", ("", *SPLITS), _rollout([gates.d.of(s) for s in SPLITS])
        ),
        Table(
            "Coherence of the context: mean cosine to the target in each bin",
            ("bin", *SPLITS),
            [[label, *(_full(gates.e.of(s)[key]) for s in SPLITS)] for key, label in _BINS.items()],
        ),
    ]
    return [table for table in tables if table.rows]


def skill_tables(skill: Skill) -> list[Table]:
    """The statistics of profile `skill`; none where it was not computed."""
    by_split = {split: found for split in SPLITS if (found := skill.of(split)) is not None}
    if not by_split:
        return []
    return [
        Table("Skill against the rivals, near-duplicate targets left out", ("", *by_split), _skill(by_split, skill)),
        Table(
            "F within each third of context coherence",
            ("split", "coherence", "F"),
            [
                [split, f"{words.number(third.start)} to {words.number(third.end)}", _full(third.gain, signed=True)]
                for split, found in by_split.items()
                for third in found.by_coherence
            ],
        ),
        Table(
            "Rollout minus that of the rival on the frontier nearest in cosine",
            ("split", "horizon", "rival", "difference"),
            [
                [split, str(step.horizon), step.control, _full(step.difference, signed=True)]
                for split, found in by_split.items()
                for step in found.rollout
            ],
        ),
    ]


def difference_tables(by_split: Mapping[str, PairedDifferences]) -> list[Table]:
    """A model minus the accepted one, a table a split."""
    return [
        Table(
            f"{split}, {words.count(found.windows)} windows in common",
            ("metric", "accepted", "this model", "difference [95 %]", "detectable", "n"),
            [
                [
                    one.metric,
                    words.number(one.first),
                    words.number(one.second),
                    words.metric_text(one.estimate, signed=True),
                    words.number(one.detectable).replace(words.UNDEFINED, "-"),
                    words.count(one.estimate.n),
                ]
                for one in found.differences
            ],
        )
        for split, found in by_split.items()
    ]


def _offsets(sweeps: Sequence[OffsetSweep]) -> list[list[str]]:
    offsets = sorted({int(k) for sweep in sweeps for k in sweep.c})
    rows = [[show_offset(k), *(_full(sweep.c.get(str(k))) for sweep in sweeps)] for k in offsets]
    return [
        *rows,
        ["margin over the best other k", *(_full(sweep.margin, signed=True) for sweep in sweeps)],
        ["margin over k=0", *(_full(sweep.margin_vs_last, signed=True) for sweep in sweeps)],
        ["margin over k=-1", *(_full(sweep.margin_vs_previous, signed=True) for sweep in sweeps)],
        ["peak", *(show_offset(sweep.peak) for sweep in sweeps)],
    ]


def _pool(split: str, name: str, pool: Pool) -> list[str]:
    scores = [words.metric_text(score) for score in (pool.r1, pool.r5, pool.mrr)]
    mean_rank, size = words.metric_text(pool.mean_rank, digits=1), words.number(pool.size, digits=0)
    if pool.approximation is not None:
        recall = pool.approximation.recall
        name = f"{name}; recall {words.metric_text(recall)} of {words.count(recall.n)} queries"
    return [f"{split}, {name}", *scores, mean_rank, size, words.number(pool.chance)]


def _ablation_rows(found: Sequence[AblationEffects]) -> list[list[str]]:
    rows = [
        ["shuffled", *(_full(f.shuffle, signed=True) for f in found)],
        ["reversed", *(_full(f.reverse, signed=True) for f in found)],
        ["leave-one-out, the most harmful frame", *(_full(f.leave_one_out, signed=True) for f in found)],
        ["last frame repeated", *(_full(f.repeat_last, signed=True) for f in found)],
        ["last frame from another article", *(_full(f.cross_article, signed=True) for f in found)],
    ]
    frames = [f.leave_one_out_by_frame for f in found]
    for i in range(max(len(of) for of in frames)):
        rows.append([f"frame {i + 1} left out", *(_full(of[i] if i < len(of) else None, signed=True) for of in frames)])
    return rows


def _rollout(found: Sequence[Rollout]) -> list[list[str]]:
    curves = [f.by_horizon for f in found]
    steps = range(max(len(of) for of in curves))
    rows = [[f"h={i + 1}", *(_full(of[i] if i < len(of) else None) for of in curves)] for i in steps]
    return [*rows, ["mean", *(_full(f.mean) for f in found)]]


def _skill(by_split: dict[str, TaskSkill], skill: Skill) -> list[list[str]]:
    found = list(by_split.values())

    def row(label: str, text: Callable[[TaskSkill], str]) -> list[str]:
        return [label, *(text(f) for f in found)]

    return [
        row("cosine", lambda f: _full(f.cosine)),
        row("MRR, candidate set novel", lambda f: _full(f.mrr)),
        row("F: MRR minus the frontier's at that cosine", lambda f: _full(f.gain, signed=True)),
        row("cosine minus every rival's best", lambda f: _full(f.excess_cosine, signed=True)),
        row("rivals", _rivals),
        row("MRR minus the best rival's", lambda f: _full(f.mrr_vs_best, signed=True)),
        row("the rival of best MRR", lambda f: f.best_mrr_control or "none"),
        row("cosine minus the best rival's, paired", lambda f: _full(f.cosine_vs_best, signed=True)),
        row("the rival of best cosine", lambda f: f.best_cosine_control or "none"),
        row("PAR: nearness to the context over the target's", lambda f: _full(f.par)),
        row("PAR of the ridge control", lambda f: _full(f.par_linear)),
        row("distance to the context over ridge's", lambda f: _full(f.echo)),
        row("effective rank of predictions", lambda f: _rank(f.rankme.model)),
        row("effective rank of ridge's predictions", lambda f: _rank(f.rankme.linear)),
        row("effective rank of targets", lambda f: _rank(f.rankme.target)),
        row("near-duplicate targets left out", lambda f: words.count(f.near_duplicates)),
        [
            "share of the skill kept on OOD",
            words.UNDEFINED if skill.retained is None else words.metric_text(skill.retained),
            "(both splits)",
        ],
    ]


def _rivals(found: TaskSkill) -> str:
    knowing = ", some of them of the judged text's mean" if found.rivals_know_domain else ""
    return f"{words.count(found.rivals)}{knowing}"


def _rank(spread: EffectiveRank) -> str:
    plain, centred = (words.number(value, digits=1) for value in (spread.rankme, spread.rankme_centred))
    return f"{plain} (centred {centred}), n = {words.count(spread.n)}"


def _full(metric: Estimate | None, *, signed: bool = False) -> str:
    return "not computed" if metric is None else words.metric_text(metric, signed=signed, count=True)
