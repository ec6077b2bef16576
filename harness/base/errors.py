"""The one exception that a user's mistake raises."""

from lvm_gates.harness.base.visible import visible

_BRIEF = 160


class UserError(Exception):
    """Bad input, reported in one sentence: what is wrong, where, and what to do; several take a line each.

    Front ends (pytest, Click) print the sentence and exit non-zero; they never print its traceback. What it quotes is
    made visible: a name may hold letters that a terminal would obey.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(map(visible, sentences)))


def brief(words: object) -> str:
    """What a library or a file says, fit for a sentence: its first line, shortened, without control letters.

    Args:
        words: an exception, or a value of a file that is quoted.
    """
    line = next(iter(str(words).strip().splitlines()), "").strip()
    if isinstance(words, BaseException):
        line = line.rstrip(".:") or type(words).__name__
    shown = visible(line[:_BRIEF])
    return shown if len(line) <= _BRIEF else f"{shown}…"
