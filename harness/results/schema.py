"""The shape of ``scorecard.json``, as far as its readers rely on it; other fields may hold anything."""

from typing import Any

from lvm_gates.harness.files.json_shape import (
    Shape,
    ShapeError,
    either,
    flag,
    listed,
    mapped,
    maybe,
    number,
    one_of,
    record,
    text,
    whole,
)

# VALUE; null or {} where a figure was not computed.
_FIGURE = maybe(record({}, {"value": maybe(number), "low": maybe(number), "high": maybe(number), "n": maybe(whole)}))
_CHECK = record(
    {
        "label": text,
        "split": one_of("VAL", "OOD", "BOTH"),
        "figure": record({}, {"value": maybe(number), "low": maybe(number), "high": maybe(number), "n": maybe(whole)}),
        "relation": text,
        "limit": number,
        "passed": flag,
        "note": text,
        "source": text,
    }
)


def _gate(split: Shape | None = None, **more: Shape) -> Shape:
    by_split = {} if split is None else {"VAL": maybe(split), "OOD": maybe(split)}
    return record({"passed": flag}, {"checks": listed(_CHECK), **by_split, **more})


def _offsets(value: Any, place: str) -> None:
    mapped(_FIGURE)(value, place)
    for name in value:
        if not name.removeprefix("-").isdecimal() or len(name) > 4:
            raise ShapeError(f"{place} has an offset {name[:20]!r}, which is no whole number")


_MARGINS = dict.fromkeys(("margin", "margin_vs_last", "margin_vs_previous"), _FIGURE)
_POOL = record(
    {},
    {
        **dict.fromkeys(("R@1", "R@5", "MRR", "mean_rank"), _FIGURE),
        "size": maybe(number),
        "chance": maybe(number),
        "chance_of": maybe(mapped(maybe(number))),
    },
)
_EFFECTS = ("shuffle", "reverse", "leave_one_out", "repeat_last", "cross_article")
_GATES = record(
    {
        "A": _gate(record({}, {"c": maybe(_offsets), "peak": maybe(whole), **_MARGINS})),
        "B": _gate(mapped(_POOL)),
        "C": _gate(record({}, {**dict.fromkeys(_EFFECTS, _FIGURE), "leave_one_out_by_frame": maybe(listed(_FIGURE))})),
        "D": _gate(record({}, {"mean": _FIGURE, "by_horizon": maybe(listed(_FIGURE))})),
        "E": _gate(mapped(_FIGURE), delta=_FIGURE),
    }
)
_RANK = record({}, {"rankme": maybe(number), "rankme_centred": maybe(number), "n": maybe(whole)})
_GAINS = ("F", "excess_cosine", "retrieval", "decoding", "task_figure", "rollout_worst")
_SCORES = ("cosine", "MRR", "par", "par_linear", "echo", "rank_ratio")
_SKILL = record(
    {},
    {
        **dict.fromkeys((*_GAINS, *_SCORES), _FIGURE),
        "near_duplicates": maybe(whole),
        "best_mrr_control": maybe(text),
        "best_cosine_control": maybe(text),
        "rollout": maybe(listed(record({"horizon": whole, "control": text, "difference": _FIGURE}))),
        "by_coherence": maybe(listed(record({"from": maybe(number), "to": maybe(number), "F": _FIGURE}))),
        "rankme": maybe(mapped(_RANK)),
        "frontier": maybe(mapped(record({"cosine": _FIGURE, "MRR": _FIGURE}))),
    },
)
_CARD = record(
    {
        "name": text,
        "verdict": one_of("release", "hold", "blocked"),
        "reasons": listed(text),
        "gates": _GATES,
        "skill": maybe(
            record(
                {},
                {
                    "VAL": maybe(_SKILL),
                    "OOD": maybe(_SKILL),
                    "task": maybe(text),
                    "retained": maybe(either(number, _FIGURE)),  # a number before it had an interval
                    "gates": maybe(mapped(_gate())),
                },
            )
        ),
    },
    {
        "sha256": maybe(text),
        "tolerated": listed(text),
        "misbehaved": listed(text),
        "unusual": listed(text),
        "open_gates": listed(text),
        "provenance": maybe(mapped(lambda value, place: None)),
    },
)
_CORPUS = record(
    {},
    {
        "path": maybe(text),
        "fingerprint": maybe(text),
        "kind": maybe(text),
        "world": maybe(text),
        "splits": maybe(mapped(record({}, {"windows": maybe(whole)}))),
    },
)
_AUDIT = record({"name": text, "status": text, "detail": text}, {"blocks": flag})
_ARGUMENTS = record({}, {"given": maybe(listed(text)), "resolved": maybe(mapped(lambda value, place: None))})

#: Raises `ShapeError` at the first place of a scorecard that is not as its readers expect.
check_scorecard: Shape = record(
    {
        "profile": text,
        "require": text,
        "models": listed(_CARD),
        "controls": listed(_CARD),
    },
    {
        "task": maybe(text),
        "corpus": maybe(_CORPUS),
        "audits": listed(_AUDIT),
        "arguments": maybe(_ARGUMENTS),
        "packages": maybe(mapped(maybe(text))),
        "revision": maybe(record({}, {"commit": maybe(text), "dirty": maybe(flag)})),
    },
)
