"""What code and pages cite is there: headings of the pages, files, modules."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("benchmarks", "ci", "docs", "examples", "gates", "harness", "models", "serving", "tests", "trainers")
KINDS = {".j2", ".md", ".py", ".toml", ".txt", ".json"}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
QUOTED = r'"[^"]+"(?:(?:,| and) "[^"]+")*'
IN_CODE = re.compile(rf"\bdocs/(\w+\.md), ({QUOTED})")
IN_PAGES = re.compile(rf"\]\((\w+\.md)\), ({QUOTED})")
# Documents that no reader of this repository has.
ELSEWHERE = re.compile(r"\bS[P]EC\b|\b[Ss]eed[ _]facts|\bS-(?:V3|P\d)")


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (p for p in (ROOT / folder).rglob("*") if p.suffix in KINDS and "__pycache__" not in p.parts)
    yield from (p for p in ROOT.iterdir() if p.suffix in KINDS or p.name == "Makefile")


TEXTS = {path: path.read_text() for path in sorted(_files())}


def _running(text: str) -> str:
    """The text with lines joined, margins of comments gone and quotes as they are meant."""
    return re.sub(r"\s*\n\s*(?:#\s+)?", " ", text).replace('\\"', '"')


def _cited() -> Iterator[tuple[str, str, str]]:
    for path, text in TEXTS.items():
        for pattern in (IN_CODE, IN_PAGES):
            for page, headings in pattern.findall(_running(text)):
                for heading in re.findall('"([^"]+)"', headings):
                    yield str(path.relative_to(ROOT)), page, heading


CITED = sorted(set(_cited()))


def test_citations_are_found_at_all():
    assert len(CITED) > 80
    assert {"specification.md", "sources.md"} <= {page for _, page, _ in CITED}


@pytest.mark.parametrize(("page", "heading"), sorted({(page, heading) for _, page, heading in CITED}))
def test_a_cited_heading_exists_once(page, heading):
    found = [one.replace("`", "") for one in HEADING.findall((ROOT / "docs" / page).read_text())]
    by = [path for path, *cited in CITED if cited == [page, heading]]
    assert found.count(heading) == 1, f'docs/{page} has {found.count(heading)} headings "{heading}", cited by {by}'


def test_no_document_is_cited_that_is_not_here():
    left = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path, text in TEXTS.items()
        for line in text.splitlines()
        if ELSEWHERE.search(line)
    ]
    assert left == []


def test_every_page_that_is_named_exists():
    named = {(path, page) for path, text in TEXTS.items() for page in re.findall(r"\bdocs/([\w-]+\.md)\b", text)}
    assert len(named) > 20
    assert sorted({page for _, page in named if not (ROOT / "docs" / page).is_file()}) == []


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_relative_link_leads_somewhere(page):
    links = {one or other for one, other in LINK.findall(page.read_text())}
    absent = [link for link in links if ":" not in link and not _leads_somewhere(page, *link.partition("#")[::2])]
    assert absent == []


def _leads_somewhere(page: Path, file: str, anchor: str) -> bool:
    """Whether a file or folder of this repository is there, with the heading that is named in it."""
    target = (page.parent / file).resolve() if file else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not anchor or anchor in map(_anchor, HEADING.findall(target.read_text()))


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def test_the_index_names_every_page_once():
    index = (ROOT / "docs" / "README.md").read_text()
    linked = re.findall(r"\]\(([\w-]+\.md)\)", index)
    assert sorted(linked) == sorted(page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md")


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_files_and_modules_that_a_page_names_exist(page):
    text = page.read_text()
    paths = re.findall(rf"(?<![\w/.])((?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:py|md|toml|png|j2|txt))\b", text)
    modules = re.findall(rf"`(?:lvm_gates\.)?((?:{'|'.join(FOLDERS)})(?:\.\w+)+)`", text)
    modules += re.findall(r"python -m (ci(?:\.\w+)+)", text)
    missing = [name for name in paths if not (ROOT / name).is_file()]
    missing += [name for name in modules if not _has_module(name)]
    assert missing == []


def _has_module(dotted: str) -> bool:
    """Whether ``harness.room.module.Name`` is a module, or a name in one."""
    module = (ROOT / dotted.replace(".", "/")).with_suffix(".py")
    if module.is_file() or (ROOT / dotted.replace(".", "/")).is_dir():
        return True
    holder, name = dotted.rsplit(".", 1)
    file = (ROOT / holder.replace(".", "/")).with_suffix(".py")
    return file.is_file() and re.search(rf"\b{name}\b", file.read_text()) is not None
