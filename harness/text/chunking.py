"""Articles cut into chunks: sentences or paragraphs.

Sentences are found by blingfire, a finite-state splitter without models or settings. It is 70 times as fast as the
rules of pysbd (.04 against 3.1 s a megabyte, measured), which would by themselves cost 5 % of the embedding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.text.articles import Article

Unit = Literal["sentence", "paragraph"]
UNITS: tuple[Unit, ...] = ("sentence", "paragraph")
Splitter = Callable[[str], list[str]]
MISSING_EXTRA = "{what} is not installed, and `lvm-data embed` needs it; install it with pip install -e '.[text]'."


@dataclass(frozen=True)
class Chunks:
    """The chunks of one article that can be embedded.

    Attributes:
        texts: in reading order, whitespace collapsed.
        index: position of each in its article. Chunks that the source itself numbered keep their number, so that a
            dropped one leaves a gap which no window spans. Text that is cut here is numbered after dropping: what
            goes is a rule or a lone number, and its neighbours do follow one another.
        dropped: chunks without any letter.
    """

    texts: list[str]
    index: list[int]
    dropped: int


@dataclass(frozen=True)
class Chunker:
    """Cuts articles.

    Attributes:
        unit: what a chunk is.
        split: paragraph to sentences; not called for paragraphs.
        splitter: name and version of ``split``, recorded in the corpus.
    """

    unit: Unit
    split: Splitter
    splitter: str

    def cut(self, article: Article) -> Chunks:
        """The chunks of ``article``; an article that comes with chunks keeps them, whatever the unit."""
        if article.text is None:
            given = [flat(chunk) for chunk in article.chunks]
            kept = [i for i, chunk in enumerate(given) if _has_letter(chunk)]
            return Chunks([given[i] for i in kept], kept, len(given) - len(kept))
        pieces = [piece for paragraph in _paragraphs(article.text) for piece in self._pieces(paragraph)]
        texts = [piece for piece in pieces if _has_letter(piece)]
        return Chunks(texts, list(range(len(texts))), len(pieces) - len(texts))

    def _pieces(self, paragraph: str) -> list[str]:
        return [paragraph] if self.unit == "paragraph" else [flat(one) for one in self.split(paragraph)]


def make_chunker(unit: Unit) -> Chunker:
    """The chunker of a unit, with the splitter it needs.

    Raises:
        UserError: sentences are wanted and the extra ``[text]`` is not installed.
    """
    if unit == "paragraph":
        return Chunker(unit, lambda paragraph: [paragraph], "blank lines")
    try:
        from importlib.metadata import version

        from blingfire import text_to_sentences
    except ImportError as error:
        raise UserError(MISSING_EXTRA.format(what="blingfire")) from error

    def split(paragraph: str) -> list[str]:
        found: str = text_to_sentences(paragraph)
        # It answers a failure with nothing; a paragraph must not vanish without a word.
        return found.split("\n") if found else [paragraph]

    return Chunker(unit, split, f"blingfire {version('blingfire')}")


def _paragraphs(text: str) -> Iterator[str]:
    """Blocks between blank lines, each on one line: a sentence never runs across a blank line."""
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        words = flat(line)
        if words:
            block.append(words)
        elif block:
            yield " ".join(block)
            block = []


def flat(text: str) -> str:
    """One line without NUL, which ends a string in C, and without lone surrogates, which no UTF-8 can hold."""
    return " ".join(text.replace("\0", " ").encode("utf-8", "replace").decode().split())


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
