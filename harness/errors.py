"""The one exception that a user's mistake raises."""

_BRIEF = 160


class UserError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what to do.

    Front ends (pytest, Click) print the sentence and exit non-zero; they never print its traceback.
    """


def brief(words: object) -> str:
    """What a library or a file says, fit for a sentence: its first line, shortened, without control letters.

    Args:
        words: an exception, or a value of a file that is quoted.
    """
    line = next(iter(str(words).strip().splitlines()), "").strip()
    if isinstance(words, BaseException):
        line = line.rstrip(".:") or type(words).__name__
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line[:_BRIEF])
    return shown if len(line) <= _BRIEF else f"{shown}…"
