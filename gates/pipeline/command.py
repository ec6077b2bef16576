"""``lvm-ci MODEL``: what the GitHub action and the GitLab template run, and any other CI can."""

import os
import sys
from pathlib import Path

import click

from lvm_gates.harness.cli.answers import AnsweringCommand, answered

_EXIT = """\b
What follows -- goes to lvm-gate, such as: lvm-ci best_model.pt -- --corpus=my_corpus --profile=skill
\b
Exit status:
  0  released, and not worse than the accepted model
  1  not released, or worse
  2  interrupted
  3  the gate itself broke
  4  an error of use: no such model or corpus, a file that is none
  6  released, and undecided whether it is worse"""


@click.command("lvm-ci", cls=AnsweringCommand, epilog=_EXIT, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lvm-gates", prog_name="lvm-ci")
@click.argument("model", envvar="LVM_MODEL")
@click.argument(
    "gate_options", nargs=-1, type=click.UNPROCESSED, envvar="LVM_OPTIONS", metavar="[-- OPTIONS OF lvm-gate]"
)
@click.option(
    "--accepted", envvar="LVM_ACCEPTED", help="Report to compare with: a folder, last:FOLDER or git:REVISION:PATH."
)
@click.option(
    "--policy",
    envvar="LVM_POLICY",
    help="Of the comparison: a TOML file or git:REVISION:PATH [default: the one built in].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="lvm-gates",
    envvar="LVM_OUT",
    show_default=True,
    help="Folder for everything that is written.",
)
@click.option("--name", default="", envvar="LVM_NAME", help="Tells the comments of several steps apart.")
@click.option(
    "--accept-undecided",
    is_flag=True,
    envvar="LVM_ACCEPT_UNDECIDED",
    help="End with 0 where it is undecided whether the model is worse.",
)
@click.option("--comment/--no-comment", default=True, help="Comment on the pull request [default: where possible].")
def main(
    model: str,
    gate_options: tuple[str, ...],
    accepted: str | None,
    policy: str | None,
    out: Path,
    name: str,
    accept_undecided: bool,
    comment: bool,
) -> None:
    """Gate MODEL and compare it with the accepted model.

    Writes into --out: report/ with the scorecard, gate.xml and compare.xml (JUnit), compare.json, comment.md, badge.svg
    and badge.json. On GitHub and GitLab the comment is kept at one per pull request, and GitHub shows it as the summary
    of the job. MODEL, the options after -- and those below can be given as variables too: LVM_MODEL, LVM_OPTIONS,
    LVM_ACCEPTED, LVM_POLICY, LVM_OUT, LVM_NAME, LVM_ACCEPT_UNDECIDED.
    """

    def ask() -> int:
        from lvm_gates.gates.pipeline.publishing import publish
        from lvm_gates.gates.pipeline.steps import Asked, run

        done = run(Asked(model, gate_options, accepted, policy, out, accept_undecided), name)
        publish(done, os.environ, comment=comment)
        click.echo(f"lvm-ci: exit {done.status}, {done.meaning}; written: {out}")
        return done.status

    def refused(sentence: str) -> None:
        click.echo(f"Error: {sentence}", err=True)

    sys.exit(answered(ask, refused))


if __name__ == "__main__":
    main(prog_name="lvm-ci")
