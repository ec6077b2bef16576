"""Damaged and hostile reports: ``scorecard.json``, and ``samples.npz`` beside it."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ci.fuzzing import sample_damage, scorecard_damage
from ci.fuzzing.cases import Case, Rng
from ci.fuzzing.report_files import model_of, reports

# The page with its plots takes a second; the other readers take hundredths.
HTML_SHARE = 0.08
# How often each is done.
_OF_CARDS = {
    scorecard_damage.replaced: 0.58,
    scorecard_damage.typed: 0.14,
    scorecard_damage.text: 0.14,
    scorecard_damage.no_card: 0.14,
}
_OF_SAMPLES = {
    sample_damage.anywhere: 0.33,
    sample_damage.body: 0.17,
    sample_damage.values: 0.47,
    sample_damage.bomb: 0.03,
}


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: a card or its samples."""
    name = ("report", "other")[index % 2]
    path = folder / "in"
    shutil.copytree(reports() / name, path)
    html = rng.random() < HTML_SHARE and os.environ.get("FUZZ_PAGES", "1") == "1"
    if rng.random() < 0.3:
        said, expected, content = list(_OF_SAMPLES)[int(rng.choice(len(_OF_SAMPLES), p=list(_OF_SAMPLES.values())))](
            name, rng, marker
        )
        (path / "samples.npz").write_bytes(content)
        return Case(f"samples.npz: {said}", expected, lambda: _compare(path, name), _truth(name, "compare"))
    said, expected, content = list(_OF_CARDS)[int(rng.choice(len(_OF_CARDS), p=list(_OF_CARDS.values())))](name, rng)
    (path / "scorecard.json").write_bytes(content)
    return Case(f"scorecard.json: {said}", expected, lambda: _read(path, name, html=html), _truth(name, "read"), 20.0)


@cache
def _truth(name: str, how: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in"
        shutil.copytree(reports() / name, path)
        return _compare(path, name) if how == "compare" else _read(path, name, html=False)


def _compare(path: Path, name: str) -> str:
    """Both ways, so that the damaged report stands first once and second once, beside the same undamaged."""
    against = reports() / name
    first, second = (("--model-a", a, "--model-b", model_of(name)) for a in ("control:persistence", "control:ewma"))
    # The place of a report is part of what is printed: it is the same for all.
    with contextlib.chdir(path.parent):
        return _spoken("compare", path.name, against, *first) + _spoken("compare", against, path.name, *second)


def _read(path: Path, name: str, *, html: bool) -> str:
    """Every command of `lvm-report`; a refusal of any is one."""
    against = reports() / ("other" if name == "report" else "report")
    with contextlib.chdir(path.parent):
        said = _spoken("show", path.name) + _spoken("leaderboard", path.name, against)
        said += _spoken("leaderboard", "--markdown", against, path.name)
        if html:
            _spoken("show", path.name, "--html", "page.html")
    return said + _compare(path, name)


def _spoken(*arguments: Any) -> str:
    """What a command prints, as a digest; a refusal and a fault are raised as they are.

    A status other than 0 may be an answer: not released, worse, undecided.
    """
    from click.testing import CliRunner

    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.cli.report import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.stderr:
        raise UserError(result.stderr.removeprefix("Error: ").rstrip("\n"))
    return hashlib.sha256(f"{result.exit_code} {result.stdout}".encode("utf-8", "replace")).hexdigest()
