"""The HTML scorecard: one file that loads nothing, verdict first, every name escaped."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from scorecard_sample import NAN, SPLITS, card, numbered, scorecard, typed, typed_card, without_skill

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.report import html as html_module
from lvm_gates.harness.report import words
from lvm_gates.harness.report.chart import WIDTH, Axis, Point, Series, draw, swatch, values_axis
from lvm_gates.harness.report.html import Accepted, render_html
from lvm_gates.harness.report.tables import Table, metric_tables, skill_tables
from lvm_gates.harness.results.paired import Difference, PairedDifferences

LOOKS = ("model", "accepted", "second", "oracle", "c0", "c1", "c2", "c3", "c4", "bad")
VOID = {"meta", "br", "img", "link", "input", "hr"}
HOSTILE = "<script>alert(1)</script>$x^2$"


class Page(HTMLParser):
    """Checks nesting and keeps ids, references and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.labels: list[str] = []
        self.columns: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg" and ("role", "img") in attrs:
            self.labels.append(dict(attrs).get("aria-label") or "")
        if tag == "table":
            self.columns.append([])
        if tag == "th":
            self.columns[-1].append(dict(attrs).get("scope") or "")
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
        if self.open and self.open[-1] not in ("style", "script", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def html() -> str:
    models = [
        card("m.pt", 0.97, "release", ["5 of 5 gates passed"]),
        card(HOSTILE, NAN, "blocked", ["2 predictions are not finite", "0 of 5 gates passed"]),
    ]
    whole = scorecard(models)
    whole["controls"][0]["misbehaved"] = ["passes gate A"]
    return render_html(typed(whole))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_is_well_formed_with_unique_ids(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_loads_nothing(html: str, page: Page) -> None:
    assert all(reference.startswith("#") for reference in page.loads)
    assert {reference[1:] for reference in page.loads} <= set(page.ids)
    assert not re.search(r"url\(|@import|<link|<iframe|https?://|\bfetch\(|XMLHttpRequest", html)
    assert "default-src 'none'" in html


def test_the_one_script_is_the_one_that_the_page_allows(html: str) -> None:
    script = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_every_chart_says_what_it_shows_and_every_table_has_headings(page: Page) -> None:
    assert len(page.labels) == 20  # ten a model
    assert all(re.fullmatch(r"[A-Z].{30,}\.", label, flags=re.DOTALL) for label in page.labels)
    assert (
        "Gate A: which chunk is the prediction nearest to?, VAL: nearest to k=+1, the target: cosine .970"
        in (page.labels[0])
    )
    assert any("undefined" in label for label in page.labels)
    assert len(page.columns) > 10
    assert all(scopes and set(scopes) <= {"col", "row", "rowgroup"} for scopes in page.columns)


def test_verdicts_and_reasons_come_first(page: Page) -> None:
    text = page.text
    first_table = text.index("Gates of profile")
    for piece in ("RELEASE", "BLOCKED", "5 of 5 gates passed", "2 predictions are not finite", "0 of 5 gates passed"):
        assert text.index(piece) < first_table


def test_names_are_escaped_in_text_and_charts(html: str, page: Page) -> None:
    assert "<script>alert" not in html
    assert page.text.count(HOSTILE) > 4  # heading, tables and the legends of the charts


def test_metrics_thresholds_and_their_sources_are_there(page: Page) -> None:
    for piece in ("+0.370 [", ">= 0.12 / 0.10", "original 5CAT gate A", "peak k=+1, n = 400", "undefined", "no peak"):
        assert piece in page.text


def test_charts_of_every_gate_and_of_skill(page: Page) -> None:
    for title in ("Gate A: which", "Gate B: is", "Gate C: does", "Gate D: does", "Skill: does it beat"):
        assert page.text.count(title) == 2
    for split in ("VAL", "OOD"):
        assert sum(f", {split}: " in label for label in page.labels) == 10


def test_conduct_of_controls_is_shown(page: Page) -> None:
    assert "FAILS ITS CHECK" in page.text
    assert "control:oracle fails its check: not true that it passes gate A" in page.text
    assert "gate C does not tell a network from control:persistence on this corpus" in page.text


@pytest.mark.parametrize("profile", ["5cat", "skill"])
def test_same_scorecard_same_bytes(profile: str) -> None:
    whole = scorecard(profile=profile)
    assert render_html(typed(whole)) == render_html(typed(whole))


def test_published_profile_without_skill_and_candidate_sets() -> None:
    page = Page(render_html(typed(without_skill(scorecard()))))
    assert "not computed under this profile" in page.text
    assert "Skill against the controls" not in page.text


def test_failed_audit_and_finding_stand_above_the_gates() -> None:
    audits = [{"name": "contiguity", "status": "not checkable", "detail": "no chunk indices", "figures": {}}]
    whole = scorecard(audits=audits)
    whole["controls"].append(card("control:bayes", 0.55, "hold", []))
    text = Page(render_html(typed(whole))).text
    assert text.index("NOT CHECKABLE") < text.index("Gates of profile")
    found = text.index("the best possible predictor of synthetic dataset wiki fails gate A")
    assert found < text.index("Gates of profile")


@pytest.mark.parametrize(("said", "marked"), [({"blocks": True}, True), ({"blocks": False}, False), ({}, True)])
def test_only_an_audit_that_blocks_is_marked_as_bad(said: dict[str, bool], marked: bool) -> None:
    audits = [{"name": "arrow of time", "status": "not checkable", "detail": "one article", "figures": {}, **said}]
    html = render_html(typed(scorecard(audits=audits)))
    assert ('<strong class="bad">Data audit arrow of time' in html) == marked
    assert ('<td class="mark fail">not checkable' in html) == marked


@pytest.mark.parametrize(
    ("profile", "other", "title"), [("5cat", "skill", "spread: no collapse"), ("skill", "5cat", "E generalisation")]
)
def test_the_gates_that_do_not_decide_stand_further_down(profile: str, other: str, title: str) -> None:
    text = Page(render_html(typed(scorecard(profile=profile)))).text
    heading = f"Gates of profile {other}, which do not decide here"
    assert text.count(title) == 1
    assert text.index(heading) < text.index(title)


def test_a_line_of_the_controls_table_shows_the_metrics_of_its_split() -> None:
    model = card("m.pt", 0.97, "release", [])
    for tenth, split in enumerate(SPLITS, start=1):
        gates, skill = model["gates"], model["skill"][split]
        gates["A"][split]["peak"] = tenth
        metrics = [
            gates["A"][split]["c"]["1"],
            gates["B"][split]["article"]["R@1"],
            gates["B"][split]["article"]["MRR"],
            gates["B"][split]["novel"]["MRR"],
            gates["D"][split]["mean"],
            skill["cosine"],
            skill["task_figure"],
        ]
        for i, metric in enumerate(metrics):
            metric["value"] = tenth / 10 + i / 100
    text = Page(render_html(typed(scorecard([model])))).text
    assert "VAL model or control c(+1) peak R@1 MRR novel rollout cosine skill gates verdict as expected m.pt" in text
    assert "m.pt 0.100 +1 0.110 0.120 0.130 0.140 0.150 0.160 ABCDE RELEASE a model" in text
    assert "m.pt 0.200 +2 0.210 0.220 0.230 0.240 0.250 0.260 ABCDE RELEASE a model" in text
    assert text.index("VAL model or control") < text.index("m.pt 0.100") < text.index("OOD model or control")


def sources(table: Table, places: list[str]) -> dict[str, list[str]]:
    """Label -> where the metric of each cell stands in the scorecard."""
    return {row[0]: [places[int(float(cell.split()[0].strip("+,")))] for cell in row[1:]] for row in table.rows}


def both(label_to_path: dict[str, str]) -> dict[str, list[str]]:
    return {label: [path.format(split) for split in SPLITS] for label, path in label_to_path.items()}


def test_every_row_of_the_gates_tables_holds_the_metrics_that_its_label_names() -> None:
    places: list[str] = []
    whole = card("m.pt", 0.97, "release", [])
    given = typed_card({**whole, "gates": numbered(whole["gates"], places)})
    offsets, retrieval, ablations, rollout, coherence = metric_tables(given)
    assert offsets.rows[-1] == ["peak", "k=+1", "k=+1"]
    offsets.rows.pop()
    margins = {"the best other k": "margin", "k=0": "margin_vs_last", "k=-1": "margin_vs_previous"}
    assert sources(offsets, places) == both(
        {f"k={k:+d}" if k else "k=0": f"A {{}} c {k}" for k in range(-3, 4)}
        | {f"margin over {other}": f"A {{}} {key}" for other, key in margins.items()}
    )
    scores = ("R@1", "R@5", "MRR", "mean_rank", "size", "chance")
    assert sources(retrieval, places) == {
        f"{split}, {pool}": [f"B {split} {pool} {score}" for score in scores]
        for split in SPLITS
        for pool in ("article", "novel", "global")
    }
    assert sources(ablations, places) == both(
        {
            "shuffled": "C {} shuffle",
            "reversed": "C {} reverse",
            "leave-one-out, the most harmful frame": "C {} leave_one_out",
            "last frame repeated": "C {} repeat_last",
            "last frame from another article": "C {} cross_article",
            **{f"frame {i + 1} left out": f"C {{}} leave_one_out_by_frame {i}" for i in range(3)},
        }
    )
    assert sources(rollout, places) == both(
        {f"h={i + 1}": f"D {{}} by_horizon {i}" for i in range(4)} | {"mean": "D {} mean"}
    )
    assert sources(coherence, places) == both({"[.45, .55]": "E {} normal", "below": "E {} low", "above": "E {} high"})


def test_every_row_of_the_skill_table_holds_the_metrics_that_its_label_names() -> None:
    places: list[str] = []
    whole = card("m.pt", 0.97, "release", [])
    skill = typed_card({**whole, "skill": numbered(whole["skill"], places)}).skill
    table = skill_tables(skill)[0]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows.pop("the rival of best MRR") == ["persistence", "persistence"]
    assert rows.pop("the rival of best cosine") == ["linear", "linear"]
    assert rows.pop("near-duplicate targets left out") == ["7", "7"]
    assert rows.pop("rivals") == ["700", "700"]
    assert rows.pop("share of the skill kept on OOD") == [words.metric_text(skill.retained), "(both splits)"]
    table.rows[:] = [[label, *cells] for label, cells in rows.items()]
    assert sources(table, places) == both(
        {
            "cosine": "{} cosine",
            "MRR, candidate set novel": "{} MRR",
            "F: MRR minus the frontier's at that cosine": "{} F",
            "cosine minus every rival's best": "{} excess_cosine",
            "MRR minus the best rival's": "{} retrieval",
            "cosine minus the best rival's, paired": "{} decoding",
            "PAR: nearness to the context over the target's": "{} par",
            "PAR of the ridge control": "{} par_linear",
            "distance to the context over ridge's": "{} echo",
            "effective rank of predictions": "{} rankme model rankme",
            "effective rank of ridge's predictions": "{} rankme linear rankme",
            "effective rank of targets": "{} rankme target rankme",
        }
    )


def weak(target: str) -> dict[str, Any]:
    """A breakdown of one split, with text."""
    value = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
    slices = [
        {"by": "position", "from": start, "to": start + 0.25, "cosine": value, "MRR": value, "over_ridge": value}
        for start in (0.0, 0.25, 0.5, 0.75)
    ]
    window = {"row": 7, "article": 3, "chunk": 5, "cosine": -0.25, "ridge": 0.125, "rank": 9.0, "candidates": 40}
    window |= {"coherence": 0.5, "nearest": 0, "context": ["long before", "just before"], "target": target}
    article = {"article": 3, "chunks": 40, "windows": 30, "cosine": 0.25, "ridge": 0.5, "text": "It began so."}
    return {"slices": slices, "windows": [window], "articles": [article]}


def run_of(*cosines: float) -> dict[str, Any]:
    """A training run with a collapse and a schedule."""
    epochs = [{"epoch": i, "val_cosine": one, "val_loss": 0.1 / i} for i, one in enumerate(cosines, start=1)]
    events = [
        {"epoch": 2, "kind": "schedule", "text": "learning rate 1 to .5"},
        {"epoch": 3, "kind": "collapse", "text": "cosine fell"},
    ]
    return {"judged": 2, "epochs": epochs, "events": events}


def test_what_is_predicted_worst_is_shown_with_its_text() -> None:
    both = {split: weak(HOSTILE) for split in SPLITS}
    page = Page(html := render_html(typed(scorecard([card("m.pt", 0.97, "release", [], breakdown=both)]))))
    assert page.open == []
    assert "<script>alert" not in html
    line = f"3, 5 -.250 .125 9 of 40 k=0 .500 just before target: {HOSTILE} the whole context long before just before"
    assert page.text.count(line) == 2
    assert page.text.count("3 40 30 .250 .500 It began so.") == 2
    assert sum(label.startswith("Where it is weak") for label in page.labels) == 2
    assert "start of article" in page.text
    assert "lvm-data embed" not in page.text


def test_the_training_run_is_drawn_with_its_collapse_and_its_schedules() -> None:
    page = Page(
        html := render_html(typed(scorecard([card("m.pt", 0.97, "release", [], training=run_of(0.5, 0.7, 0.3))])))
    )
    said = "epoch 2 of 3, with VAL cosine .700; the best was .700 in epoch 2; collapse in epoch 3 (cosine fell)"
    assert sum(said in label for label in page.labels) == 1
    for tip in ("epoch 2: learning rate 1 to .5", "epoch 3: cosine fell", "epoch 2: judged here"):
        assert f"<title>{tip}</title>" in html


def test_the_accepted_model_is_drawn_beside_each_with_the_differences() -> None:
    whole = typed(scorecard([card("new.pt", 0.97, "release", [])]))
    gap = Difference("cosine", 0.9, 0.97, Estimate(0.07, 0.05, 0.09, 400, 30, 29.0))
    accepted = Accepted(
        typed_card(card("old.pt", 0.9, "release", [])),
        {"new.pt": {"VAL": PairedDifferences([gap], 400, (400, 400), 0, [])}},
    )
    page = Page(html := render_html(whole, accepted))
    assert "cosine 0.900 0.970 +0.070 [+0.050, +0.090]" in page.text
    assert page.text.count("accepted: old.pt") == 5  # a legend for each gate and for skill
    assert html.count("<title>accepted: old.pt, +1: .900 [.890, .910]</title>") == 4  # offsets and steps of both splits


def test_a_chart_has_a_point_for_every_value_and_none_for_what_is_undefined() -> None:
    points = [Point(0.0, 0.25, 0.125, 0.5, "a & b"), Point(1.0, NAN), Point(2.0, 0.75)]
    x, y = Axis("x", 0.0, 2.0, [(0.0, "none")]), values_axis("y", [0.0, 1.0])
    svg = str(draw([Series("m", "model", points)], x, y, alt='"so"', height=200))
    assert svg.count('class="pt"') == 2
    assert svg.count('class="interval"') == 1
    assert "<title>a &amp; b</title>" in svg
    assert 'aria-label="&#34;so&#34;"' in svg
    marks = re.findall(r'class="mark" transform="translate\(([\d.]+) ([\d.]+)\)"', svg)
    (left, low), (right, high) = [tuple(map(float, mark)) for mark in marks]
    assert left < right <= WIDTH
    assert low > high, "larger values stand higher"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 1.0], ["0", ".2", ".4", ".6", ".8", "1.0"]),
        ([-0.35, 0.05], ["−.3", "−.2", "−.1", "0"]),
        ([0.41, 0.43], [".410", ".415", ".420", ".425", ".430"]),
        ([NAN, 0.5], [".46", ".48", ".50", ".52", ".54"]),
    ],
)
def test_ticks_are_round(values: list[float], labels: list[str]) -> None:
    assert [label for _, label in values_axis("", values).ticks] == labels


def test_no_chart_depends_on_colour_alone() -> None:
    pictures = [str(swatch(Series("", look, []))) for look in LOOKS]
    assert len({re.sub(r'class="swatch [^"]+"', "", picture) for picture in pictures}) == len(LOOKS)


def test_the_style_keeps_the_page_on_a_phone() -> None:
    style = (Path(html_module.__file__).parent / html_module.STYLE).read_text()
    assert not re.search(r"(?<!-)(?<!max-)(?:min-)?width: *(?:[4-9]\d\d|\d{4,})px", style), "wider than a phone"
    dark = re.findall(r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", style, flags=re.DOTALL)[0]
    light = style.split("}")[0]
    assert set(re.findall(r"--[a-z]+(?=:)", dark)) == set(re.findall(r"--[a-z]+(?=:)", light))
