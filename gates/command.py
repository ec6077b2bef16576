"""``lvm-gate MODEL...``: what `pytest gates/ --model=...` does in the checkout, anywhere.

The gates run in a pytest session of their own, which takes nothing from the repository that it is started in and leaves
nothing there: no conftest.py, no configuration, no plugin that is not named here, no cache. Only relative paths start
from the working directory, as everywhere.
"""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from lvm_gates.gates.options import NO_MODEL, OPTIONS, SESSION_OPTIONS, as_arguments, click_option
from lvm_gates.harness.base.launched import launched
from lvm_gates.harness.cli.together import run_together

COMPARE = "compare"
USAGE_ERROR = 4
"""Exit status of pytest for an error of use; Click's own, 2, is an interrupted session there."""

_FOLDER = Path(__file__).parent
_PLUGINS = ("xdist.plugin", "lvm_gates.gates.plugin")
_GIVEN = f"{__name__}.given"
_EXIT = """\b
Exit status:
  0  every required gate ran and passed; with --dry-run, which releases nothing: every model can be gated
  1  a model is not released
  2  interrupted
  3  an error of the program
  4  an error of use"""


class GateCommand(click.Command):
    """A command that knows what was typed, and whose errors of use end as pytest's do."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """See `click.Command`."""
        try:
            return super().make_context(*args, **more)
        except click.UsageError as error:
            error.exit_code = USAGE_ERROR  # type: ignore[misc]  # ours alone, and only of this one
            raise

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *more: Any, **named: Any) -> Any:
        """See `click.Command.main`; beside other processes of one session, what ends it is shown by one of them.

        ``lvm-gate compare ...`` is another command, and a model of that name ``./compare``.
        """
        words = sys.argv[1:] if args is None else list(args)
        if words[:1] == [COMPARE]:
            from lvm_gates.harness.cli.report_compare import compare

            return compare.main(words[1:], f"{prog_name or 'lvm-gate'} {COMPARE}", *more, **named)
        if launched():
            run_together(partial(super().main, words, prog_name, *more, **{**named, "standalone_mode": False}))
        return super().main(words, prog_name, *more, **named)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command`."""
        ctx.meta[_GIVEN] = list(args)
        left = super().parse_args(ctx, args)
        ctx.params["model"] = (*ctx.params.pop("models"), *ctx.params["model"])
        if not ctx.params["model"] and not ctx.resilient_parsing:
            raise click.UsageError(NO_MODEL, ctx)
        return left


@click.pass_context
def _gate(ctx: click.Context, /, **values: Any) -> None:
    options = [word for one in (*OPTIONS, *SESSION_OPTIONS) for word in as_arguments(one, values[one.dest])]
    session = partial(_session, options, ctx.meta[_GIVEN])
    if launched():
        from lvm_gates.gates.together import check_shared, gate_together

        check_shared(values)
        ctx.exit(gate_together(session, values))
    ctx.exit(session())


main = click.version_option(package_name="lvm-gates", prog_name="lvm-gate")(
    GateCommand(
        "lvm-gate",
        callback=_gate,
        params=[
            click.Argument(["models"], nargs=-1, metavar="MODEL..."),
            *map(click_option, (*OPTIONS, *SESSION_OPTIONS)),
        ],
        help="Gate each MODEL: a file, control:NAME or python:package.module:factory.\n\n"
        "`lvm-gate compare` says whether a report is not worse than an accepted one.",
        epilog=_EXIT,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
)


def _session(options: list[str], given: list[str]) -> int:
    """A session of pytest over this folder; its exit status."""
    # Read by pytest and, since they inherit it, by its workers.
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # Importing a model of the repository's would leave a __pycache__ in it.
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True
    import pytest

    from lvm_gates.gates.given import GivenArguments

    own = [f"--rootdir={_FOLDER}", f"--confcutdir={_FOLDER}", "-c", str(_FOLDER / "session.ini")]
    plugins = [word for name in _PLUGINS for word in ("-p", name)]
    return int(pytest.main([str(_FOLDER), *own, *plugins, *options], plugins=[GivenArguments(given)]))


if __name__ == "__main__":
    main(prog_name="lvm-gate")
