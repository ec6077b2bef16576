"""Requests made from the server's own OpenAPI description by schemathesis: no answer may be a 5xx or of another shape.

    python -m ci.serve_fuzz runs/demo/best_model.pt --schemathesis .venv-fuzz/bin/schemathesis

It has an environment of its own: its pytest plugin would be loaded into every session of this project.
"""

import subprocess
import sys
from pathlib import Path

import click

from ci.served import serving

# Not one of these: a request of the right shape may ask for a context of another width, and gets a sentence.
_NOT_ASKED = "positive_data_acceptance"


@click.command(help=__doc__)
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--schemathesis", default="schemathesis", show_default=True, help="The program.")
@click.option("--examples", default=40, show_default=True, help="A route.")
@click.option("--seed", default=1, show_default=True)
def main(model: Path, schemathesis: str, examples: int, seed: int) -> None:
    """Start a server, send the requests, end as schemathesis ends."""
    with serving(str(model), "--watch=0") as served:
        url = f"http://127.0.0.1:{served.port}/openapi.json"
        command = [schemathesis, "run", url, f"--max-examples={examples}", f"--seed={seed}"]
        command += ["--phases=examples,coverage,fuzzing", f"--exclude-checks={_NOT_ASKED}"]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
