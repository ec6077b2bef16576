"""Runs `pytest` command lines from standard input (JSON: {name: arguments}) one after another, each in a fork.

What is large is imported once and not once a command, which would be half of their time. Output goes to NAME.txt in a
folder, named on the command line; exit statuses to standard output.
"""

import json
import os
import sys
import traceback
from pathlib import Path

# Nothing that has a plugin of pytest's: pytest must be the first to import that.
import jinja2  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import torch  # noqa: F401


def run(arguments: list[str], output: Path) -> int:
    child = os.fork()
    if child == 0:
        with output.open("wb") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        status = 70
        try:
            status = int(pytest.main(arguments))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    statuses = {name: run(arguments, folder / f"{name}.txt") for name, arguments in json.load(sys.stdin).items()}
    json.dump(statuses, sys.stdout)
