"""What a command says of a mistake."""

from click.testing import Result


def put(*keys, value):
    """A change that sets one entry of a scorecard."""

    def change(card):
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


def sentence(result: Result, status: int = 1) -> str:
    """The one sentence of a mistake."""
    assert result.exit_code == status, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")
