"""``lvm-report compare``, which is ``lvm-gate compare`` too: is the candidate not worse than the accepted model?"""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lvm_gates.harness.base.visible import spelled
from lvm_gates.harness.cli.answers import AnsweringCommand, answered
from lvm_gates.harness.cli.printing import echo_rendered

if TYPE_CHECKING:
    from lvm_gates.harness.results.comparison import Comparison

_EXIT = """\b
ACCEPTED and CANDIDATE are report folders, or
  last:FOLDER             the newest report below FOLDER whose models are all released
  git:REVISION:PATH       a report that is committed, such as git:origin/main:reports/accepted
\b
Exit status:
  0  not worse: no critical metric has lost more than its margin
  1  worse
  2  interrupted
  3  the gate itself broke: unreadable, other windows, corpus or profile, a gate or metric missing, a control failed
  4  an error of use
  6  undecided: more articles would decide, it says how many"""


@click.command("compare", cls=AnsweringCommand, epilog=_EXIT, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("accepted")
@click.argument("candidate")
@click.option("--model-a", help="Model of ACCEPTED, or control:NAME [default: the only one].")
@click.option("--model-b", help="Model of CANDIDATE, or control:NAME [default: the only one].")
@click.option("--policy", help="TOML file with tiers and margins, or git:REVISION:PATH [default: the one built in].")
@click.option(
    "--split",
    "splits",
    metavar="VAL|OOD",
    multiple=True,
    type=click.Choice(["VAL", "OOD"], case_sensitive=False),
    help="May be repeated [default: both].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit file as well: a test each metric.")
@click.pass_context
def compare(
    ctx: click.Context,
    accepted: str,
    candidate: str,
    model_a: str | None,
    model_b: str | None,
    policy: str | None,
    splits: tuple[str, ...],
    as_json: bool,
    markdown: bool,
    junit: Path | None,
) -> None:
    """Say whether CANDIDATE is not worse than ACCEPTED.

    Compares them window by window: paired differences, CANDIDATE minus ACCEPTED, with intervals clustered by article,
    each against the margin of the policy.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown contradict each other; give one of them.", ctx)

    def ask() -> int:
        from lvm_gates.harness.results.comparing import compare_given

        found = compare_given(accepted, candidate, policy, dict.fromkeys(splits or ("VAL", "OOD")), (model_a, model_b))
        _say(found, as_json=as_json, markdown=markdown, junit=junit)
        return found.exit_status

    def refused(sentence: str) -> None:
        from lvm_gates.harness.results.comparison import broken

        if as_json or markdown:
            _say(broken(sentence), as_json=as_json, markdown=markdown, junit=None)
        click.echo(spelled(f"Error: {sentence}", sys.stderr.encoding), err=True)

    ctx.exit(answered(ask, refused))


def _say(found: "Comparison", *, as_json: bool, markdown: bool, junit: Path | None) -> None:
    import json

    from lvm_gates.harness.base.atomic import atomic_write
    from lvm_gates.harness.base.record import jsonable
    from lvm_gates.harness.report.junit import comparison_junit
    from lvm_gates.harness.report.versus import render_versus, render_versus_markdown

    if junit is not None:
        with atomic_write(junit) as stream:
            stream.write(comparison_junit(found))
    if as_json:
        text = json.dumps(jsonable(found), indent=1) + "\n"
        click.echo(spelled(text, sys.stdout.encoding), nl=False)
    elif markdown:
        click.echo(spelled(render_versus_markdown(found), sys.stdout.encoding), nl=False)
    else:
        echo_rendered(partial(render_versus, found))
