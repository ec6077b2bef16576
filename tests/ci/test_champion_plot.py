"""The plot of docs/champion.md is of all rows of its table."""

from click.testing import CliRunner

from ci.champion_plot import PAGE, main, rows_of


def test_every_row_of_the_table_is_read():
    page = PAGE.read_text()
    section = page.partition("## What each part is worth")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = rows_of(page)
    assert len(rows) == len(table) > 15
    assert all(low <= value <= high for row in rows for value, low, high in (row.gain, row.excess))
    assert rows[0].name == "all of it"


def test_the_picture_is_drawn(tmp_path):
    done = CliRunner().invoke(main, ["--plot", str(tmp_path / "champion.png")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "champion.png").read_bytes().startswith(b"\x89PNG")
