"""Two undamaged reports, made by the gates themselves."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

MODEL, OTHER = "control:bayes", "control:linear"
# What was done, what a reader may do with it, and the content of the file.
Made = tuple[str, Any, bytes]


def prepare(folder: Path) -> None:
    """Two real reports of a small corpus, once for all attempts."""
    from lvm_gates.gates.options import OPTION_NAMES
    from lvm_gates.gates.session import open_run
    from lvm_gates.harness.report.write import write_report
    from lvm_gates.harness.results.model import Arguments
    from lvm_gates.harness.results.scorecard import build_scorecard
    from lvm_gates.harness.worlds.world import synthesise

    os.environ["FUZZ_REPORTS"] = str(folder)
    if (folder / "other" / "scorecard.html").is_file():
        return
    synthesise("arrow", folder / "arrow", articles=30, dim=16, seed=1)
    for name, model, profile in (("report", MODEL, "5cat"), ("other", OTHER, "skill")):
        given: dict[str, Any] = dict.fromkeys(OPTION_NAMES)
        given |= {"profile": profile, "task": "frontier", "require": "strict", "max_samples": 40, "horizon": 2}
        given |= {
            "seed": 0,
            "device": "cpu",
            "batch_size": 256,
            "batch_timeout": 60.0,
            "model": [model],
            "corpus": str(folder / "arrow"),
        }
        (folder / f"work-{name}").mkdir(exist_ok=True)
        run = open_run(given, folder / f"work-{name}", folder)
        write_report(build_scorecard(run, Arguments(), {}), run, folder / name)


def reports() -> Path:
    """Where `prepare` put them."""
    return Path(os.environ["FUZZ_REPORTS"])


@cache
def undamaged_card(name: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((reports() / name / "scorecard.json").read_text())
    return card


@cache
def undamaged_samples(name: str) -> dict[str, Any]:
    with (reports() / name / "samples.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def model_of(name: str) -> str:
    return MODEL if name == "report" else OTHER
