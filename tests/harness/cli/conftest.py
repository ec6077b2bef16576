"""Real reports of a tiny corpus, made in this process."""

import os

import pytest
from filelock import FileLock
from msgspec.structs import replace

from lvm_gates.gates.options import OPTION_NAMES
from lvm_gates.gates.session import open_run
from lvm_gates.harness.report import write
from lvm_gates.harness.results.model import Arguments
from lvm_gates.harness.results.scorecard import build_scorecard
from lvm_gates.harness.worlds.world import synthesise

OPTIONS = {
    "profile": "5cat",
    "task": "frontier",
    "require": "strict",
    "max_samples": 60,
    "horizon": 2,
    "seed": 0,
    "device": "cpu",
    "batch_size": 256,
    "batch_timeout": 60.0,
}


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing a test unpacks or draws lands in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


def _open(root, models, **more):
    given = OPTIONS | {"model": models, "corpus": str(root / "arrow")} | more
    work = root / f"work-{given['seed']}"
    work.mkdir()
    return open_run(dict.fromkeys(OPTION_NAMES) | given, work, root)


@pytest.fixture(scope="session")
def reports(tmp_path_factory):
    """Folder of three reports of one corpus: `best` (bayes), `ridge` (linear), `pair` (two means, another sample)."""
    base = tmp_path_factory.getbasetemp()
    # Workers of one run have folders side by side; the first to come makes the reports for all.
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "reports"
    with FileLock(f"{root}.lock"):
        if not (root / "pair" / "scorecard.json").is_file():  # what is written last
            _make_reports(root)
    return root


def _make_reports(root):
    synthesise("arrow", root / "arrow", articles=100, dim=16, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        run = _open(root, ["control:bayes", "control:linear"])
        both = build_scorecard(run, Arguments(), {})
        write.write_report(replace(both, models=both.models[:1]), run, root / "best")
        # One page is enough; its id is read.
        patch.setattr(write, "render_html", lambda card: f'<meta name="report-id" content="{card.report_id}">')
        write.write_report(replace(both, models=both.models[1:]), run, root / "ridge")
        run = _open(root, ["control:ewma-0.5", "control:context-mean"], seed=1, max_samples=80)
        write.write_report(build_scorecard(run, Arguments(), {}), run, root / "pair")
