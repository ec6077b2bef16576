"""What leaked windows would have done to the figures of a model: each with them and without."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.base.estimate import Estimate, cluster_share
from lvm_gates.harness.evaluation.observations import Observations


def effect(
    kept: Mapping[str, Any],
    whole: Mapping[str, Any],
    observed: Mapping[str, Observations],
    left_out: Mapping[str, Bool[np.ndarray, " _"]],
) -> dict[str, Any]:
    """Leaked windows of each split, and the main figures with and without them.

    Args:
        kept: statistics of gates A-E without the leaked windows.
        whole: the same of all windows.
        observed: split -> observations of all windows.
        left_out: split -> which of them are leaked.

    Returns:
        split -> ``windows``, ``leaked`` (counts), ``share`` (Estimate) and ``figures``: name -> ``with``, ``without``.
    """
    found = {}
    for split, mask in left_out.items():
        without, all_of_them = _main(kept, split), _main(whole, split)
        found[split] = {
            "windows": len(mask),
            "leaked": int(mask.sum()),
            "share": cluster_share(mask.astype(np.float64), observed[split].clusters),
            "figures": {name: {"with": all_of_them[name], "without": without[name]} for name in without},
        }
    return found


def _main(gates: Mapping[str, Any], split: str) -> dict[str, Estimate]:
    sweep, ranks = gates["A"][split], gates["B"][split]
    return {
        "c(+1)": sweep["c"]["1"],
        "margin": sweep["margin"],
        "R@1": ranks["article"]["R@1"],
        "MRR": ranks["article"]["MRR"],
        "MRR novel": ranks["novel"]["MRR"],
        "rollout": gates["D"][split]["mean"],
    }
