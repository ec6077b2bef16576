"""A command line run by several processes that `torchrun` starts, and a group of commands of which some can be."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import click

from lvm_gates.harness.base.launched import OthersEndedError, launched, restarts, speaks, store
from lvm_gates.harness.cli.group import SentenceGroup


class SharedGroup(SentenceGroup):
    """A group of which several processes may run a command together."""

    def main(self, *given: Any, **named: Any) -> Any:
        """See `click.Group.main`; beside other processes, what ends the command is shown by one of them."""
        if launched():
            run_together(partial(super().main, *given, **{**named, "standalone_mode": False}))
        return super().main(*given, **named)


def run_together(command: Callable[[], Any]) -> NoReturn:
    """Run a command as one of several processes; ends the program.

    Args:
        command: raises Click's exceptions instead of showing them; what it returns is the exit status, if a number.
    """
    import torch
    import torch.distributed as dist

    def end(*_: object) -> None:
        # Once: what follows is the way out.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise OthersEndedError

    signal.signal(signal.SIGTERM, end)
    status = 1
    try:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        # A part of the store for this start alone: `torchrun` keeps the store when it starts all again, and with it the
        # addresses of processes that are gone, which Gloo then waits for.
        own = dist.PrefixStore(f"lvm-gates/start/{restarts()}", store())  # type: ignore[attr-defined]
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        dist.init_process_group(backend, store=own, rank=rank, world_size=world)
        found = command()
        status = found if isinstance(found, int) else 0
    except click.ClickException as error:
        status = error.exit_code
        if speaks():
            error.show()
    except (click.Abort, KeyboardInterrupt, OthersEndedError):
        pass  # said already, where it is known how to go on
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
        if status:
            # Not sys.exit: the group would wait for processes that are gone.
            os._exit(status)
    dist.destroy_process_group()
    # Not sys.exit: while an interpreter is torn down, threads of torch's may end it by SIGABRT ("terminate called
    # without an active exception", one run in some), and a run that is saved would count as failed.
    os._exit(status)
