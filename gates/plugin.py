"""The pytest side of the gates: options, parameters, the shared run, and the scorecard at the end.

Nothing here judges. The engine is imported only when a model is to be gated, so that `pytest tests/` and
`pytest --help` stay quick.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lvm_gates.gates.dry_run import DryRun
from lvm_gates.gates.given import GIVEN
from lvm_gates.gates.options import NO_MODEL, NOT_GATED, OPTION_NAMES, add_options
from lvm_gates.gates.outcomes import Outcomes
from lvm_gates.harness.corpus.splits import JUDGED

if TYPE_CHECKING:
    from lvm_gates.gates.folder import SessionFolder
    from lvm_gates.harness.judging.session import GateRun
    from lvm_gates.harness.judging.verdict import Card
    from lvm_gates.harness.results.model import Scorecard

ADDED_GATES = "test_added_gates.py"
RUN = pytest.StashKey["GateRun"]()
FOLDER: pytest.StashKey["SessionFolder"] = pytest.StashKey()
OUTCOMES = pytest.StashKey[Outcomes]()
SCORECARD: pytest.StashKey["Scorecard"] = pytest.StashKey()
RELEASED = pytest.StashKey[bool]()
UNWRITTEN = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    add_options(parser, timeout_is_taken=pluginmanager.hasplugin("timeout"))
    if not pluginmanager.hasplugin("lvm-dry-run"):
        pluginmanager.register(DryRun(), "lvm-dry-run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gate(name): a gate that a profile may require of every model")
    if config.getoption("model") is None:
        if _names_gates(config.args):
            raise pytest.UsageError(NO_MODEL)
        return
    from lvm_gates.gates.folder import SessionFolder
    from lvm_gates.gates.report_folder import clear_report_folder
    from lvm_gates.gates.session import open_run
    from lvm_gates.gates.wire import tell_workers, told
    from lvm_gates.harness.base.errors import UserError

    shared = getattr(config, "workerinput", {}).get("lvm_folder")
    own = None
    try:
        own = None if shared else SessionFolder()
        folder = own.path if own else Path(shared)
        if shared:
            _share_cores(config)
        options = told(folder) if shared else {name: config.getoption(name) for name in OPTION_NAMES}
        if options["report"] and not shared:
            clear_report_folder(config.invocation_params.dir / options["report"])
        config.stash[RUN] = open_run(options, folder, config.invocation_params.dir, probe=not shared)
    except BaseException as error:  # Ctrl-C, too, leaves no folder behind
        if own:
            own.remove()
        if isinstance(error, UserError):
            raise pytest.UsageError(str(error)) from error
        raise
    if GIVEN not in config.stash:
        config.stash[GIVEN] = [str(argument) for argument in config.invocation_params.args]
    if getattr(config.option, "dist", "no") != "no":
        tell_workers(config, folder, options)
        config.stash[RUN].close()  # the workers evaluate, each with processes of its own
    if own:
        config.stash[FOLDER] = own
        config.stash[OUTCOMES] = Outcomes()
        config.pluginmanager.register(config.stash[OUTCOMES], "lvm-outcomes")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Iterator[int | pytest.ExitCode | None]:
    """Exit 0 with a model named means that it is released: whatever pytest was asked to do instead of gating it."""
    status = yield
    gated = config.getoption("model") is not None and not hasattr(config, "workerinput")
    gated = gated and not config.getoption("dry_run")  # which has a line of its own to say so
    if gated and status == pytest.ExitCode.OK and not config.stash.get(RELEASED, False):
        sys.stderr.write(f"{NOT_GATED}\n")
        return pytest.ExitCode.USAGE_ERROR
    return status


def _names_gates(args: list[str]) -> bool:
    """Whether a path on the command line lies in this folder; `pytest .` is caught when its tests are made."""
    here = Path(__file__).resolve().parent
    return any(Path(arg.partition("::")[0]).resolve().is_relative_to(here) for arg in args)


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUN in config.stash:
        config.stash[RUN].close()
    if FOLDER in config.stash:
        config.stash[FOLDER].remove()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the session keeps its observations."""
    if FOLDER in node.config.stash:
        from lvm_gates.harness.base.visible import visible

        node.workerinput["lvm_folder"] = str(node.config.stash[FOLDER].path)
        node.workerinput["mainargv"] = [visible(argument) for argument in node.workerinput["mainargv"]]


def _share_cores(config: pytest.Config) -> None:
    # Two workers with as many threads as cores each would fight for every matrix product.
    import os

    import torch
    from threadpoolctl import threadpool_limits

    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    threads = max(1, (os.cpu_count() or 1) // workers)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))  # read by the processes of isolated models
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = set(metafunc.fixturenames)
    if not names & {"model", "run"}:
        return
    if RUN not in metafunc.config.stash:
        raise pytest.UsageError(NO_MODEL)
    run = metafunc.config.stash[RUN]
    if "model" in names:
        metafunc.parametrize("model", list(run.settings.models), scope="session")
    if "split" in names:
        metafunc.parametrize("split", JUDGED, scope="session")
    if "control" in names:
        # The original battery refuses a perfect oracle: there is no conduct its controls could be held to.
        controls = [] if run.published else list(run.control_names)
        metafunc.parametrize("control", controls or [pytest.param("", marks=pytest.mark.skip(reason="original"))])
    if "audit_name" in names:
        metafunc.parametrize("audit_name", list(run.auditors))
    if "added_gate" in names:
        gates = run.settings.additions.gates
        metafunc.parametrize("added_gate", [pytest.param(g, id=g.name, marks=pytest.mark.gate(g.name)) for g in gates])


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Most sessions add no gate; a test over none of them is not collected rather than skipped."""
    if collection_path.name != ADDED_GATES or RUN not in config.stash:
        return None
    return None if config.stash[RUN].settings.additions.gates else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out gates of other profiles; label the rest, so that the controller can count what ran."""
    if RUN not in config.stash:
        return
    from lvm_gates.gates.wire import gate_property

    required = config.stash[RUN].settings.profile.gates
    kept, left_out = [], []
    for item in items:
        marker = item.get_closest_marker("gate")
        if marker and marker.args[0] not in required:
            left_out.append(item)
            continue
        if marker and isinstance(item, pytest.Function):
            parameters = item.callspec.params
            value = gate_property(parameters["model"], marker.args[0], parameters.get("split", ""))
            item.user_properties.append(("lvm_gate", value))
        kept.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> "GateRun":
    """The run of this session, all observations made."""
    from lvm_gates.gates.progress import reporting
    from lvm_gates.harness.base.errors import UserError

    found, fault = request.config.stash[RUN], ""
    try:
        with reporting(request.config) as on_progress:
            found.prepare(on_progress)
    except UserError as error:
        fault = str(error)
    except OSError as error:
        fault = (
            f"{error.filename or found.folder}: cannot be read or written ({error.strerror or error}); free space, or "
            "set TMPDIR and LVM_GATES_CACHE to other folders."
        )
    if fault:  # outside of the handlers: what was raised before is not to be told too
        pytest.fail(fault, pytrace=False)
    return found


@pytest.fixture(scope="session")
def card(run: "GateRun", model: str) -> "Card":
    """The judged card of one model."""
    return run.card(model)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Assemble the scorecard; a required gate that did not run makes the session fail."""
    config = session.config
    if OUTCOMES not in config.stash or not config.stash[OUTCOMES].by_gate:
        if OUTCOMES in config.stash and session.exitstatus == pytest.ExitCode.OK and not config.option.collectonly:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    if session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    from lvm_gates.harness.base.errors import UserError

    try:
        _report(session)
    except KeyboardInterrupt:
        _give_up(session, pytest.ExitCode.INTERRUPTED, "interrupted")
    except (OSError, UserError) as error:
        _give_up(session, pytest.ExitCode.INTERNAL_ERROR, f"the session cannot be finished ({error})")


def _give_up(session: pytest.Session, status: pytest.ExitCode, why: str) -> None:
    """What was judged is not judged to the end: no scorecard, no release, no report."""
    from lvm_gates.gates.report_folder import clear_report_folder

    config = session.config
    session.exitstatus = status
    config.stash[RELEASED] = False
    config.stash[UNWRITTEN] = why
    if SCORECARD in config.stash:
        del config.stash[SCORECARD]
    if config.getoption("report"):
        clear_report_folder(config.invocation_params.dir / config.getoption("report"))


def _report(session: pytest.Session) -> None:
    from lvm_gates.harness.judging.early import SequentialRun
    from lvm_gates.harness.results.model import Arguments
    from lvm_gates.harness.results.scorecard import build_scorecard

    config = session.config
    run, outcomes = config.stash[RUN], config.stash[OUTCOMES]
    incomplete = outcomes.missing(run.settings.models, run.settings.profile.gates)
    if incomplete and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if outcomes.broken:
        return
    if isinstance(run, SequentialRun):
        run.settle()  # where workers judged, this process learns from their files which windows they were
    arguments = Arguments(
        given=config.stash[GIVEN],
        resolved={name: config.getoption(name) for name in OPTION_NAMES},
    )
    config.stash[SCORECARD] = card = build_scorecard(run, arguments, incomplete)
    # What withholds a release may have been deselected; the scorecard knows all the same.
    released = all(model.verdict == "release" for model in card.models)
    if not released and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    config.stash[RELEASED] = released and not incomplete
    if config.getoption("report"):
        from lvm_gates.harness.report.write import write_report  # and jinja2

        folder = config.invocation_params.dir / config.getoption("report")
        try:
            write_report(card, run, folder)
        except OSError as error:
            config.stash[UNWRITTEN] = f"--report={folder}: cannot be written ({error.strerror or error}); name another"
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> Iterator[None]:
    """Print the scorecard below everything pytest itself has to say."""
    result = yield
    if OUTCOMES in config.stash and not config.option.collectonly:
        from lvm_gates.gates.summary import write_summary

        write_summary(
            terminalreporter, config.stash[RUN], config.stash.get(SCORECARD, None), config.stash.get(UNWRITTEN, None)
        )
    return result


def pytest_report_header(config: pytest.Config) -> Iterator[str] | list[str]:
    if RUN not in config.stash:
        return []
    from lvm_gates.harness.base.visible import visible

    run = config.stash[RUN]
    sizes = ", ".join(f"{s} {len(e.windows):,} windows" for s, e in run.inputs.evaluation.items())
    return [f"lvm-gates: profile {run.settings.profile.name}, {visible(run.inputs.corpus.path.name)}: {sizes}"]
