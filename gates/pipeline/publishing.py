"""Where people look: the summary of the job, and one comment on the pull request that is kept up to date.

What a platform refuses costs the comment and never the verdict. A pull request from a fork has a token that may not
comment; the summary says so.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from lvm_gates.gates.pipeline.comments import Thread, github_thread, gitlab_thread
from lvm_gates.gates.pipeline.steps import Done

# GitHub takes 65,536 letters a comment and 1 MiB a summary.
_LONGEST = 60_000


def publish(done: Done, environment: Mapping[str, str], *, comment: bool) -> None:
    """Write the summary, the outputs of the step and the comment, as far as the platform takes them.

    Args:
        done: what came out.
        environment: of the process.
        comment: whether one is wanted.
    """
    said = _comment_on(done, environment) if comment else ""
    if said:
        click.echo(f"lvm-ci: {said}")
    summary = f"{done.comment}\n{said}\n" if said else done.comment
    _append(environment.get("GITHUB_STEP_SUMMARY"), summary)
    _append(environment.get("GITHUB_OUTPUT"), f"status={done.status}\n")


def _comment_on(done: Done, environment: Mapping[str, str]) -> str:
    """Put the comment where it belongs; returns what became of it, "" where there is no pull request."""
    try:
        thread = _thread(environment)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"no comment: the event of this job cannot be read ({error})"
    if thread is None:
        return ""
    if thread.refused:
        return f"no comment: {thread.refused}"
    body = done.comment if len(done.comment) <= _LONGEST else f"{done.comment[:_LONGEST]}\n\n… (cut)\n"
    return thread.put(done.marker, f"{done.marker}\n{body}")


def _thread(environment: Mapping[str, str]) -> Thread | None:
    if environment.get("GITHUB_ACTIONS") == "true" and environment.get("GITHUB_EVENT_PATH"):
        event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text())
        return github_thread(event, environment)
    if environment.get("GITLAB_CI") == "true":
        return gitlab_thread(environment)
    return None


def _append(file: str | None, text: str) -> None:
    if not file:
        return
    try:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        click.echo(f"lvm-ci: {file}: cannot be written ({error.strerror or error})", err=True)
