"""``--dry-run``: would each model be gated at all? Nothing is judged, and nothing it prints looks like a verdict."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lvm_gates.gates.options import NO_MODEL, OPTION_NAMES

NOTHING = "dry run: nothing was judged and nothing is released"


class DryRun:
    """A plugin that takes the place of the session where the option is given."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int | None:
        if not config.getoption("dry_run"):
            return None
        options = {name: config.getoption(name) for name in OPTION_NAMES}
        refused = NO_MODEL if not options["model"] else "--dry-run writes no report; leave out --report."
        if not options["model"] or options["report"]:
            sys.stderr.write(f"ERROR: {refused}\n")
            return pytest.ExitCode.USAGE_ERROR
        from lvm_gates.harness.base.visible import spelled, visible

        ready = True
        for model in dict.fromkeys(options["model"]):
            begun = time.monotonic()
            could, sentence = _tried(options | {"model": [model]}, config.invocation_params.dir)
            ready &= could
            line = f"{'ready' if could else 'FAILS'}  {visible(sentence)} ({time.monotonic() - begun:.1f} s)"
            sys.stdout.write(spelled(line, sys.stdout.encoding) + "\n")
            sys.stdout.flush()
        sys.stdout.write(f"{NOTHING}\n")
        return pytest.ExitCode.OK if ready else pytest.ExitCode.TESTS_FAILED


def _tried(options: Mapping[str, Any], root: Path) -> tuple[bool, str]:
    """Load one model, hold it against the corpus, and ask it for the same windows in other company."""
    from lvm_gates.gates.folder import SessionFolder
    from lvm_gates.gates.session import open_run
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.predictors.predictor import BATCH_PROBE, check_batch_invariance

    folder, run = SessionFolder(), None
    try:
        run = open_run(options, folder.path, root)
        (model,) = run.settings.models
        named = run.observing.predictor(model, "VAL")
        inputs = run.inputs
        if model not in run.loaded:  # a control, which no session doubts before it has begun
            windows = inputs.evaluation["VAL"].windows.take(slice(0, BATCH_PROBE))
            check_batch_invariance(named, windows.contexts(), windows.targets, run.settings.batch_size)
        context = inputs.evaluation["VAL"].windows.context
        assumed = f"; assumed: {'; '.join(named.identity.assumed)}" if named.identity.assumed else ""
        return True, (
            f"{model}: loads, reads {inputs.corpus.path.name} ({inputs.corpus.dim} dimensions, {context} frames), "
            f"agrees with itself over batch sizes{assumed}"
        )
    except UserError as error:
        return False, " ".join(str(error).split("\n"))
    except OSError as error:
        return False, f"{error.filename or options['model'][0]}: cannot be read or written ({error.strerror or error})"
    finally:
        if run is not None:
            run.close()
        folder.remove()
