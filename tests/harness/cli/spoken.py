"""What a command says of a mistake."""

from click.testing import Result


def sentence(result: Result) -> str:
    """The one sentence of a mistake."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")
