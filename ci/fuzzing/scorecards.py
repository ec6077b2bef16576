"""Damaged and hostile reports: ``scorecard.json``, and ``samples.npz`` beside it."""

import contextlib
import copy
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import Case, Planted, Rng, damaged, flipped, zip_of
from ci.fuzzing.npz import npy

MODEL, OTHER = "control:bayes", "control:linear"
# The page with its plots takes a second; the other readers take hundredths.
HTML_SHARE = 0.08


def prepare(folder: Path) -> None:
    """Two real reports of a small corpus, once for all attempts."""
    from gates.options import OPTION_NAMES
    from gates.session import open_run
    from harness.scorecard import build_scorecard, write_report
    from harness.worlds import synthesise

    os.environ["FUZZ_REPORTS"] = str(folder)
    if (folder / "other" / "scorecard.html").is_file():
        return
    synthesise("arrow", folder / "arrow", articles=30, dim=16, seed=1)
    for name, model, profile in (("report", MODEL, "5cat"), ("other", OTHER, "skill")):
        given: dict[str, Any] = dict.fromkeys(OPTION_NAMES)
        given |= {"profile": profile, "task": "frontier", "require": "strict", "max_samples": 40, "horizon": 2}
        given |= {"seed": 0, "device": "cpu", "batch_size": 256, "model": [model], "corpus": str(folder / "arrow")}
        (folder / f"work-{name}").mkdir(exist_ok=True)
        run = open_run(given, folder / f"work-{name}", folder)
        write_report(build_scorecard(run, {}, {}), run, folder / name)


def reports() -> Path:
    """Where `prepare` put them."""
    return Path(os.environ["FUZZ_REPORTS"])


@cache
def _card(name: str) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((reports() / name / "scorecard.json").read_text())
    return card


@cache
def _samples(name: str) -> dict[str, Any]:
    with (reports() / name / "samples.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: a card or its samples."""
    name = ("report", "other")[index % 2]
    path = folder / "in"
    shutil.copytree(reports() / name, path)
    html = rng.random() < HTML_SHARE
    if rng.random() < 0.3:
        said, expected, content = _SAMPLE_MAKERS[int(rng.integers(len(_SAMPLE_MAKERS)))](name, rng, marker)
        (path / "samples.npz").write_bytes(content)
        return Case(f"samples.npz: {said}", expected, lambda: _compare(path, name), _truth(name, "compare"))
    said, expected, content = _CARD_MAKERS[int(rng.integers(len(_CARD_MAKERS)))](name, rng)
    (path / "scorecard.json").write_bytes(content)
    return Case(f"scorecard.json: {said}", expected, lambda: _read(path, name, html=html), _truth(name, "read"), 20.0)


@cache
def _truth(name: str, how: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in"
        shutil.copytree(reports() / name, path)
        return _compare(path, name) if how == "compare" else _read(path, name, html=False)


def _compare(path: Path, name: str) -> str:
    """Both ways, so that the damaged report stands first once and second once."""
    against = reports() / ("other" if name == "report" else "report")
    first, second = ("--model-a", "control:persistence", "--model-b", "control:ewma"), ("--model-b", _model(name))
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


def _model(name: str) -> str:
    return MODEL if name == "report" else OTHER


def _spoken(*arguments: Any) -> str:
    """What a command prints, as a digest; a refusal and a fault are raised as they are."""
    from click.testing import CliRunner

    from commands.report import main
    from harness.errors import UserError

    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code != 0:
        raise UserError(result.output.removeprefix("Error: ").rstrip("\n"))
    return hashlib.sha256(result.output.encode("utf-8", "replace")).hexdigest()


WEIRD: dict[str, Any] = {
    "null": None, "true": True, "0": 0, "-1": -1, "7": 7, "1.5": 1.5, "1e308": 1e308, "1e400": float("inf"), "NaN": float("nan"), "2**70": 2**70, "10**400": 10**400,
    "text": "x", "an empty text": "", "a list": [], "a list of numbers": [1, 2], "a list of lists": [[[]]], "a dictionary": {}, "another dictionary": {"value": "x", "low": [], "high": {}, "n": -1},
    "release": "release", "markup": "<script>x</script>[bold]$\\frac{", "control letters": "\x1b[2J\r\n\t\x00", "a long text": "y" * 200_000, "nested": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
}  # fmt: skip


def _places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key path, inner nodes too."""
    if place:
        yield place
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _places(value, (*place, key))


@cache
def _by_depth(name: str) -> list[list[tuple[Any, ...]]]:
    """Paths grouped by length, so that those near the root are hit as often as the leaves."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for place in _places(_card(name)):
        found.setdefault(len(place), []).append(place)
    return list(found.values())


def _replaced(name: str, rng: Rng) -> tuple[str, Any, bytes]:
    card = copy.deepcopy(_card(name))
    level = _by_depth(name)[int(rng.integers(len(_by_depth(name))))]
    place = level[int(rng.integers(len(level)))]
    node = card
    for key in place[:-1]:
        node = node[key]
    where = "/".join(map(str, place))
    if rng.random() < 0.25:
        del node[place[-1]]
        return f"{where} is gone", "any", json.dumps(card).encode()
    kind = str(rng.choice(list(WEIRD)))
    node[place[-1]] = WEIRD[kind]
    return f"{where} is {kind}", "any", json.dumps(card).encode()


def _typed(name: str, rng: Rng) -> tuple[str, Any, bytes]:
    """All values of one kind become another: numbers text, text numbers, lists dictionaries."""
    kinds: dict[str, Any] = {"numbers": (int, float), "texts": str, "lists": list, "nulls": type(None), "flags": bool}
    kind, value = str(rng.choice(list(kinds))), WEIRD[str(rng.choice(list(WEIRD)))]

    def change(node: Any) -> Any:
        is_flag = isinstance(node, bool)
        if isinstance(node, kinds[kind]) and (kind == "flags" or not is_flag):
            return value
        if isinstance(node, dict):
            return {key: change(inner) for key, inner in node.items()}
        return [change(inner) for inner in node] if isinstance(node, list) else node

    keep = {key: _card(name)[key] for key in ("schema_version", "profile", "require")}
    return (
        f"every one of the {kind} is {str(value)[:20]!r}",
        "any",
        json.dumps({**change(_card(name)), **keep}).encode(),
    )


def _text(name: str, rng: Rng) -> tuple[str, Any, bytes]:
    said, content = damaged((reports() / name / "scorecard.json").read_bytes(), rng)
    return said, "any", content


def _no_card(name: str, rng: Rng) -> tuple[str, Any, bytes]:
    card = json.dumps(_card(name))
    made = {
        "nested": b"[" * 100_000, "nested and closed": b'{"schema_version": 1, "models": ' + b"[" * 900 + b"]" * 900 + b"}",
        "dictionaries 900 deep": b'{"schema_version": 1, "profile": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        "a number of 10,000 digits": b'{"schema_version": ' + b"9" * 10_000 + b"}", "empty": b"", "null": b"null", "a list": b"[]", "text": b'"x"', "NaN": b"NaN",
        "UTF-16": card.encode("utf-16"), "latin-1": card.encode()[:-1] + b"\xff}", "a byte order mark": b"\xef\xbb\xbf" + card.encode(), "two cards": card.encode() * 2,
        "a key twice": card.encode()[:-1] + b', "profile": "skill", "models": []}', "version as text": card.replace('"schema_version": 1', '"schema_version": "1"').encode(),
        "version true": card.replace('"schema_version": 1', '"schema_version": true').encode(), "version 1.0": card.replace('"schema_version": 1', '"schema_version": 1.0').encode(), "version 2": card.replace('"schema_version": 1', '"schema_version": 2').encode(),
        "no models": json.dumps(_card(name) | {"models": []}).encode(), "5,000 models": json.dumps(_card(name) | {"models": [{"name": "x"}] * 5000}).encode(),
    }  # fmt: skip
    kind = str(rng.choice(list(made)))
    return kind, "any", made[kind]


def _archive_of(arrays: dict[str, Any], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zip_of([(f"{key}.npy", npy(value)) for key, value in arrays.items()], packing)


def _samples_anywhere(name: str, rng: Rng, marker: Path) -> tuple[str, Any, bytes]:
    said, content = damaged((reports() / name / "samples.npz").read_bytes(), rng)
    return said, "same", content


def _samples_body(name: str, rng: Rng, marker: Path) -> tuple[str, Any, bytes]:
    arrays = _samples(name)
    content, key = _archive_of(arrays, zipfile.ZIP_STORED), f"VAL/{_model(name)}/cosine"
    begin = content.find(arrays[key].tobytes())
    return f"flip in {key}", "refuse", flipped(content, begin, begin + arrays[key].nbytes, rng)


def _samples_values(name: str, rng: Rng, marker: Path) -> tuple[str, Any, bytes]:
    arrays = dict(_samples(name))
    key = str(rng.choice([k for k in arrays if f"/{_model(name)}/" in k or k.count("/") == 1]))
    old = arrays[key]
    flat = np.asarray(old, dtype=float)
    objects = np.empty(old.shape, dtype=object)
    objects.fill(Planted(marker))
    made: dict[str, Any] = {
        "text": lambda: old.astype("U8"), "complex": lambda: flat.astype(complex), "one axis less": lambda: old.ravel(), "one axis more": lambda: old[None], "no axis": lambda: np.float64(1),
        "no rows": lambda: old[:0], "a row less": lambda: old[:-1], "no columns": lambda: old.reshape(len(old), -1)[:, :0], "one column": lambda: flat.reshape(len(old), -1)[:, :1], "200 columns": lambda: np.resize(flat, (len(old), 200)),
        "NaN": lambda: np.full_like(flat, np.nan), "infinity": lambda: np.full_like(flat, np.inf), "1e300": lambda: np.full_like(flat, 1e300), "-7": lambda: np.full_like(flat, -7), "zeros": lambda: np.zeros_like(old), "whole numbers": lambda: np.ones(old.shape, dtype=np.int64),
        "unsigned": lambda: np.full(old.shape, 2**64 - 1, dtype=np.uint64), "dates": lambda: flat.astype("M8[s]"), "float16": lambda: flat.astype(np.float16), "planted": lambda: objects, "gone": lambda: None,
    }  # fmt: skip
    kind = str(rng.choice(list(made)))
    arrays[key] = made[kind]()
    if arrays[key] is None:
        del arrays[key]
    expected = "refuse" if kind in ("text", "complex", "a row less", "planted", "infinity", "1e300", "dates") else "any"
    if kind in ("infinity", "1e300") and not key.endswith(("cosine", "offset", "ablation", "rollout")):
        expected = "any"
    if key.endswith(("near_duplicate", "coherence", "nearest_context", "nearest_reference", "cross_exists", "finite")):
        expected = "any"  # read by no command
    return f"{key} is {kind}", expected, _archive_of(arrays)


def _samples_bomb(name: str, rng: Rng, marker: Path) -> tuple[str, Any, bytes]:
    """Columns of zeros that unpack to gigabytes, one or all of them."""
    arrays = _samples(name)
    rows = 50_000_000
    member = npy(np.zeros(1), shape=f"({rows},)", descr="'<f8'")[:-8]
    key = f"VAL/{_model(name)}/cosine"
    if rng.random() < 0.7:
        member, rows = npy(np.zeros(1), shape="(2000000,)")[:-8], 2_000_000
    content = zip_of([(f"{k}.npy", member + bytes(8 * rows) if k == key else npy(v)) for k, v in arrays.items()], 8)
    return f"{key} of {8 * rows >> 20} MB", "refuse", content


_CARD_MAKERS = (_replaced, _replaced, _replaced, _replaced, _typed, _text, _no_card)
_SAMPLE_MAKERS = (
    _samples_anywhere,
    _samples_anywhere,
    _samples_body,
    _samples_values,
    _samples_values,
    _samples_values,
)
