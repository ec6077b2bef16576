"""`python -m ci.refusals`, which .ci/run runs, stands for everything that a pipeline must refuse, and notices."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ci import refusals

ROOT = Path(__file__).resolve().parents[2]


def test_ci_runs_it():
    assert ".venv/bin/python -m ci.refusals\n" in (ROOT / ".ci" / "run").read_text()


def test_the_cases_are_those_of_the_page():
    page = (ROOT / "docs" / "ci.md").read_text()
    for case in refusals.CASES:
        assert f"{case.what} " in page, case.what
    assert sorted(case.status for case in refusals.CASES) == [0, 0, 1, 1, 1, 3, 4]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """script(status, comment): stands for the pipeline."""
    monkeypatch.setattr(refusals, "make_files", lambda folder: None)

    def write(status, comment):
        file = tmp_path / "pipeline.sh"
        lines = ['mkdir -p "$LVM_OUT"', f"printf '%s' '{comment}' > \"$LVM_OUT/comment.md\""]
        lines += ['echo "### lvm-gates" >> "$GITHUB_STEP_SUMMARY"', f"exit {status}"]
        file.write_text("\n".join(lines))
        monkeypatch.setattr(refusals, "SCRIPT", file)
        return CliRunner().invoke(refusals.main, ["--folder", str(tmp_path / "work")])

    return write


def test_what_lets_everything_through_is_noticed(script):
    done = script(0, " ".join(case.said for case in refusals.CASES))
    assert done.exit_code == 1
    assert "a worse one: exit 0, not 1" in done.output


def test_a_refusal_for_another_reason_is_noticed(script, monkeypatch):
    monkeypatch.setattr(refusals, "CASES", refusals.CASES[2:3])
    assert script(1, refusals.CASES[0].said).exit_code == 0
    assert "a worse one: exit 1, not 1, or without" in script(1, "another reason").output
