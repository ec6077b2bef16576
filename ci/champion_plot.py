"""The ablation and scaling of docs/champion.md as a plot, drawn from the page's own table.

python -m ci.champion_plot --plot docs/champion.png
"""

import re
from pathlib import Path
from typing import NamedTuple

import click

PAGE = Path(__file__).resolve().parents[1] / "docs" / "champion.md"
_HEADING = "## What each part is worth"
_ESTIMATE = re.compile(r"([+-]\.\d+) \[([+-]\.\d+), ([+-]\.\d+)\]")


class Row(NamedTuple):
    """One network of the table: F and the excess of cosine, each with the ends of its interval."""

    name: str
    gain: tuple[float, float, float]
    excess: tuple[float, float, float]


def rows_of(page: str) -> list[Row]:
    """The rows of the table of what each part is worth, in its order."""
    section = page.partition(_HEADING)[2].partition("\n## ")[0]
    found = []
    for line in section.splitlines():
        cells = [cell.strip().strip("*") for cell in line.strip("|").split(" | ")]
        estimates = [_ESTIMATE.fullmatch(cell.strip()) for cell in cells[1:3]]
        if len(estimates) == 2 and all(estimates):
            gain, excess = (tuple(float(end) for end in e.groups()) for e in estimates if e)
            found.append(Row(cells[0].strip(" |*"), gain, excess))
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--plot", type=click.Path(path_type=Path), required=True, help="Where the picture goes.")
def main(plot: Path) -> None:
    """Draw it."""
    from matplotlib.figure import Figure

    rows = rows_of(PAGE.read_text())[::-1]
    if not rows:
        raise click.ClickException(f'{PAGE}: no rows below "{_HEADING}"; the table has another form now.')
    figure = Figure(figsize=(9, 0.3 * len(rows) + 1.2), layout="constrained")
    gain, excess = figure.subplots(1, 2, sharey=True)
    for axis, title, field in ((gain, "F", "gain"), (excess, "excess of cosine", "excess")):
        for place, row in enumerate(rows):
            value, low, high = getattr(row, field)
            axis.plot([low, high], [place, place], color="0.5", linewidth=1.5)
            axis.plot(value, place, "o", color="tab:blue", markersize=4)
        axis.axvline(0, color="0.3", linewidth=0.8)
        axis.axvline(0.002, color="tab:orange", linewidth=0.8, linestyle="--")
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
    gain.set_yticks(range(len(rows)), [row.name for row in rows])
    figure.savefig(plot, dpi=110)


if __name__ == "__main__":
    main()
