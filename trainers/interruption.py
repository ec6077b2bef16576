"""Ctrl-C in a run, or the end of another of its processes: what is saved, and how to go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lvm_gates.harness.base.launched import OthersEndedError, ended_elsewhere, speaks, starts_again
from lvm_gates.trainers.saved import UNFINISHED, stamp


@contextmanager
def saying_how_to_go_on(given: Mapping[str, Any], folder: Path, *, in_grid: bool) -> Iterator[None]:
    """Say which command continues a run that Ctrl-C ends, or the end of another of its processes.

    Args:
        given: options as typed; ``out`` is the run's folder, or holds it.
        folder: of the run.
        in_grid: the command is of `trainers.grid`, which resumes by itself.
    """
    before = stamp(folder)
    try:
        yield
    except (KeyboardInterrupt, OthersEndedError, RuntimeError) as error:
        others = ended_elsewhere(error)
        if not (others or isinstance(error, KeyboardInterrupt)):
            raise
        # A run that is to be replaced stays until the new one saves for the first time. What lies in another folder
        # than --out is an attempt after the first, which is saved there.
        old = given["overwrite"] and folder == given["out"] and stamp(folder) == before
        saved = stamp(given["out"]) != () and not old
        where = "inside its epoch" if (folder / UNFINISHED).is_file() else "after the last epoch saved"
        if speaks():
            what = "another process of the run ended, and with it the run" if others else "interrupted"
            advice = _advice(given, where, saved=saved, in_grid=in_grid)
            advice = "torchrun starts it again" if starts_again() else advice
            click.echo(f"\n{folder}: {what}; {advice}.", err=True)
        if others:
            raise OthersEndedError from error
        raise


def _advice(given: Mapping[str, Any], where: str, *, saved: bool, in_grid: bool) -> str:
    if in_grid:
        return f"the same command {'without --overwrite ' if given['overwrite'] else ''}goes on"
    if not saved:
        return "no epoch was saved, so the same command starts anew"
    if given["resume"]:
        return f"the same command goes on {where}"
    instead = " in place of --overwrite" if given["overwrite"] else ""
    return f"the same command with --resume{instead} goes on {where}"
