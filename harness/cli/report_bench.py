"""``lvm-report bench``: has the model become slower than the accepted one?"""

import sys
from pathlib import Path

import click

from lvm_gates.harness.base.visible import spelled

SLOWER = 3
"""Exit status; 1 and 2 are errors of use."""
_EPILOG = """\b
Exit status:
  0  nothing got slower, or the machine is too busy to tell; the table says which
  3  something got slower, and a second look, where the models are there for one, agreed
  1, 2  an error of use"""


@click.command(epilog=_EPILOG)
@click.argument("models", nargs=-1, required=True, metavar="[ACCEPTED] CANDIDATE")
@click.option("--accepted", help="The accepted model or its file, instead of the first argument.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write what was measured to this file.")
@click.option("--batch", "batches", type=click.IntRange(min=1), multiple=True, help="May be repeated [default: 1, 64].")
@click.option("--tolerance", type=click.FloatRange(min=1.0, max=100.0), help="Ratio nobody minds [default: 1.1].")
@click.option("--seconds", type=click.FloatRange(min=0.01), help="For each batch size, about [default: 6].")
@click.option("--context", type=click.IntRange(min=1), help="Frames of a context [default: the model's, else 5].")
@click.option("--dim", type=click.IntRange(min=1), help="Width of the embeddings [default: the model's].")
@click.option("--device", default="cpu", show_default=True, help="Where checkpoints run.")
@click.pass_context
def bench(
    ctx: click.Context,
    models: tuple[str, ...],
    accepted: str | None,
    json_file: Path | None,
    batches: tuple[int, ...],
    tolerance: float | None,
    seconds: float | None,
    context: int | None,
    dim: int | None,
    device: str,
) -> None:
    """Time CANDIDATE beside ACCEPTED, and say what got slower.

    Each is a model as for `lvm-gate`, or a .json file of what was measured: by --json here, or by `pytest benchmarks/
    --model=MODEL --benchmark-json=FILE`. Two models are timed in turns in one process, which is the most that can be
    known; without ACCEPTED the candidate is timed beside a product only.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.latency.change import TOLERANCE
    from lvm_gates.harness.latency.files import write_latency
    from lvm_gates.harness.latency.look import judge, look
    from lvm_gates.harness.latency.measure import BATCHES, SECONDS, Asked
    from lvm_gates.harness.report.latency import render_alone, render_verdict

    if len(models) + (accepted is not None) > 2:
        raise UserError("more than two models are named; name the accepted one and the candidate.")
    before = accepted if accepted is not None else models[0] if len(models) == 2 else None
    asked = Asked(context, dim, device, Path.cwd(), seconds or SECONDS)
    found = look(before, models[-1], asked, sorted({*(batches or BATCHES)}))
    if json_file is not None:
        write_latency(json_file, found.measured)
    limit = tolerance or TOLERANCE
    verdict = judge(found.changes, limit, found.again)
    text = render_verdict(verdict, limit) if found.changes else render_alone(found.measured)
    click.echo(spelled(text, sys.stdout.encoding), nl=False)
    if verdict.slower:
        ctx.exit(SLOWER)
