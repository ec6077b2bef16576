"""Names as they can be shown: whatever a file, a model or a corpus is called, in any terminal and any encoding."""

from collections.abc import Mapping
from typing import Any

# Letters of our own that an encoding may lack, and what stands for them.
_PLAIN = {"─": "-", "│": "|", "…": "...", "−": "-", "–": "-", "×": "x", "≥": ">=", "≤": "<=", "°": " degrees"}


def visible(text: str) -> str:
    r"""The text with every letter that is not printable as its escape, such as ``\x1b``.

    Terminals obey control letters, right-to-left marks reverse what stands beside them, and half of a surrogate pair (a
    byte of a file name that is not UTF-8) has no encoding at all.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def visible_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(map(visible, text.split("\n")))


def all_visible(value: Any) -> Any:
    """A copy of nested records, dictionaries and lists in which every text is visible, keys too."""
    if isinstance(value, str):
        return visible(value)
    if hasattr(value, "__struct_fields__"):
        from msgspec.structs import replace  # only reports hold records, and every command imports this module

        return replace(value, **{name: all_visible(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, Mapping):
        return {visible(key) if isinstance(key, str) else key: all_visible(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [all_visible(item) for item in value]
    return value


def spelled(text: str, encoding: str | None) -> str:
    """The text in letters that an encoding has; others are replaced by plain ones, or by their escapes."""
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        shown = text.translate({ord(letter): plain for letter, plain in _PLAIN.items()})
        return shown.encode(encoding, "backslashreplace").decode(encoding)
    return text
