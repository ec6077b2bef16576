"""Whatever something is called, it can be shown, stored and found again."""

import io
import json
import zipfile

import numpy as np
import pytest
from scorecard_sample import card, scorecard, typed

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.visible import all_visible, spelled, visible
from lvm_gates.harness.report import html
from lvm_gates.harness.report.leaderboard import boards
from lvm_gates.harness.report.leaderboard_forms import render_markdown
from lvm_gates.harness.report.leaderboard_forms import render_terminal as render_board
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.report.versus import render_versus, render_versus_markdown
from lvm_gates.harness.results import folder as report
from lvm_gates.harness.results.comparison import Comparison, Side
from lvm_gates.harness.results.reading import read_report
from lvm_gates.harness.results.samples import member_name

NASTY = [
    "模型/最良.pt",
    "bad\udcff.pt",
    "half\ud83d.pt",
    "esc\x1b[31mRED\x1b]0;title\x07\x9b1m.pt",
    "two\nRELEASE lines.pt",
    "\u202egnp.pt",
    "<script>alert(1)</script>&amp;.pt",
    "cost$_{x$.pt",
    "a|b%2E.pt",
    "../../etc/passwd",
    "/root/x.pt",
    "..\\..\\x.pt",
    "[bold red]x[/].pt",
]
# Of what a page or a terminal may hold: nothing that either obeys.
OBEYED = ("\x1b", "\x07", "\x9b", "\u202e", "\udcff", "\ud83d", "\nRELEASE lines")


def named(name):
    whole = scorecard([card(name, 0.97, "release", ["5 of 5 gates passed", f"about {name}"])])
    whole["corpus"]["path"] = name
    whole["arguments"]["given"] = [f"--model={name}"]
    return typed(whole)


def assert_harmless(text):
    assert not [letter for letter in OBEYED if letter in text]
    text.encode()


@pytest.mark.parametrize("name", NASTY)
def test_a_report_of_any_name_is_written_read_and_shown(tmp_path, name):
    samples = {member_name("VAL", name, "cosine"): np.arange(3.0)}
    report.write(tmp_path, named(name), samples, lambda card: f'<meta name="report-id" content="{card.report_id}">')
    found = read_report(tmp_path)
    assert found.models == [name], "it is found again by its own name"
    board = boards([found])
    side = Side(model=name, report=name, verdict="release")
    pair = Comparison(answer="worse", exit_status=1, accepted=side, candidate=side, corpus=name, reasons=[name])
    shown = [
        render_terminal(found.scorecard, colour=False),
        render_board(board, [], colour=False),
        render_markdown(board, []),
        render_versus_markdown(pair),
    ]
    assert "RELEASE" in shown[0]
    assert not any("<script>" in text for text in shown[2:])
    for text in [*shown, render_versus(pair, colour=False), str(UserError(f"{name}: no such thing."))]:
        assert_harmless(text)
    # Other programs read both files: JSON in UTF-8, and members that no archiver unpacks elsewhere.
    json.loads((tmp_path / report.SCORECARD).read_bytes().decode())
    with zipfile.ZipFile(tmp_path / report.SAMPLES) as archive:
        for member in archive.namelist():
            assert ".." not in member.split("/")
            assert "\\" not in member
            assert not member.startswith("/")


def test_a_page_of_any_name_is_drawn():
    page = html.render_html(named(" ".join(NASTY)))
    assert_harmless(page)
    assert "<script>alert" not in page
    assert "模型" in page


def test_members_of_two_names_are_never_one():
    names = [*NASTY, "a|b..pt", "%2E%2E/%2E%2E/etc/passwd", "a/b", "a%2Fb", ".", "..", "%2E"]
    assert len({member_name("VAL", name, "cosine") for name in names}) == len(names)
    assert member_name("VAL", "runs/demo/best_model.pt", "rank") == "VAL/runs/demo/best_model.pt/rank"


def test_what_is_printable_stays():
    for text in ("模型 é ─ …", "plain"):
        assert visible(text) == text
    assert visible("\x1b[31m\udcff\n") == r"\x1b[31m\udcff\n"
    assert all_visible({"a\x1b": ["b\x07", 1, None, {"c": "\udcff"}]}) == {
        r"a\x1b": [r"b\x07", 1, None, {"c": r"\udcff"}]
    }


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", None])
def test_a_scorecard_is_spelled_in_any_encoding(encoding):
    text = spelled(render_terminal(named("模型.pt"), colour=False), encoding)
    text.encode(encoding or "utf-8")
    assert text.count("\n") > 20
    if encoding == "ascii":
        assert r"\u6a21\u578b.pt" in text
        assert "------" in text
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding or "utf-8")
    stream.write(text)
    stream.flush()
