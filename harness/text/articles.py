"""What a source of text gives."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    """One article: its running text, or the chunks that its source has already cut it into.

    Attributes:
        title: what the source calls it.
        text: running text still to be cut; None where ``chunks`` is given.
        chunks: the source's own chunks, in reading order.
    """

    title: str
    text: str | None = None
    chunks: tuple[str, ...] = ()
