"""The HTML scorecard: one file that loads nothing, verdict first, every name escaped."""

import re
from html.parser import HTMLParser

import pytest
from scorecard_sample import NAN, card, scorecard, without_skill

from harness.report.html import render_html

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks nesting and keeps ids, references and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.loads.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def html() -> str:
    models = [
        card("m.pt", 0.97, "release", ["5 of 5 gates passed"]),
        card("<script>alert(1)</script>$x^2$", NAN, "blocked", ["2 predictions are not finite", "0 of 5 gates passed"]),
    ]
    whole = scorecard(models)
    whole["controls"][0]["misbehaved"] = ["passes gate A"]
    return render_html(whole)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_is_well_formed_with_unique_ids(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_loads_nothing(html: str, page: Page) -> None:
    assert all(reference.startswith("#") for reference in page.loads)
    assert {reference[1:] for reference in page.loads} <= set(page.ids)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert not re.search(r"@import|<script|<link|<iframe", html)


def test_verdicts_and_reasons_come_first(page: Page) -> None:
    text = page.text
    first_table = text.index("Gates of profile")
    for piece in ("RELEASE", "BLOCKED", "5 of 5 gates passed", "2 predictions are not finite", "0 of 5 gates passed"):
        assert text.index(piece) < first_table


def test_names_are_escaped_in_text_and_plots(html: str, page: Page) -> None:
    assert "<script>" not in html
    assert page.text.count("<script>alert(1)</script>$x^2$") > 4  # heading, tables and the legends of the plots


def test_figures_thresholds_and_their_sources_are_there(page: Page) -> None:
    for piece in ("+0.370 [", ">= 0.12 / 0.10", "published 5CAT gate A", "peak k=+1, n = 400", "undefined", "no peak"):
        assert piece in page.text


def test_plots_of_every_gate_and_of_skill(html: str) -> None:
    assert html.count("<svg") == 10
    for title in ("offset sweep", "retrieval", "ablations", "rollout", "frontier of controls"):
        assert title in html


def test_conduct_of_controls_is_shown(page: Page) -> None:
    assert "MISBEHAVES" in page.text
    assert "control:oracle misbehaves: not true that it passes gate A" in page.text
    assert "gate C does not tell a network from control:persistence on this corpus" in page.text


@pytest.mark.parametrize("profile", ["5cat", "skill"])
def test_same_scorecard_same_bytes(profile: str) -> None:
    whole = scorecard(profile=profile)
    assert render_html(whole) == render_html(whole)


def test_published_profile_without_skill_and_pools() -> None:
    page = Page(render_html(without_skill(scorecard())))
    assert "not computed under this profile" in page.text
    assert "Skill against the controls" not in page.text


def test_failed_audit_and_finding_stand_above_the_gates() -> None:
    audits = [{"name": "contiguity", "status": "not checkable", "detail": "no chunk indices", "figures": {}}]
    whole = scorecard(audits=audits)
    whole["controls"].append(card("control:bayes", 0.55, "hold", []))
    text = Page(render_html(whole)).text
    assert text.index("NOT CHECKABLE") < text.index("Gates of profile")
    assert text.index("the best possible predictor of world wiki fails gate A") < text.index("Gates of profile")


@pytest.mark.parametrize(("said", "marked"), [({"blocks": True}, True), ({"blocks": False}, False), ({}, True)])
def test_only_an_audit_that_blocks_is_marked_as_bad(said: dict[str, bool], marked: bool) -> None:
    audits = [{"name": "arrow of time", "status": "not checkable", "detail": "one article", "figures": {}, **said}]
    html = render_html(scorecard(audits=audits))
    assert ('<strong class="bad">Data audit arrow of time' in html) == marked
    assert ('<td class="mark fail">not checkable' in html) == marked


def test_svg_names_what_it_shows(html: str) -> None:
    assert html.count('<svg role="img" aria-label="Gate A: offset sweep, ') == 2
