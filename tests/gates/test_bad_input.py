"""Bad input: each gets one sentence that says what, where and what to do, before anything is computed."""

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.judging.session import GateRun

MakeRun = Callable[..., GateRun]
DIM = 8


def unit_rows(n: int, dim: int = DIM) -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def articles_npz(path: Path, **changes: np.ndarray) -> Path:
    """Four articles of ten chunks, with members replaced."""
    members = {
        "embeddings": unit_rows(40),
        "article_indices": np.repeat(np.arange(4), 10),
        "chunk_indices": np.tile(np.arange(10), 4),
    }
    np.savez(path, **(members | changes), allow_pickle=True)
    return path


def with_vector(value: np.ndarray) -> np.ndarray:
    rows = unit_rows(40)
    rows[13] = value
    return rows


class _Malicious:
    def __reduce__(self):
        return os.system, ("touch executed",)


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


SPLIT = {"val_articles": "0-1", "ood_articles": "2-3"}

# name -> (how the options are made from a folder, what the sentence must say)
TABLE: dict[str, tuple[Callable[[Path], dict[str, object]], str]] = {
    "missing NPZ": (lambda d: SPLIT | {"articles_npz": "absent.npz"}, r"absent\.npz: no such NPZ file"),
    "truncated NPZ": (
        lambda d: SPLIT | {"articles_npz": str(truncated(articles_npz(d / "a.npz")))},
        r"a\.npz: not a readable NPZ",
    ),
    "pickled NPZ": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz", embeddings=unit_rows(40).astype(object)))},
        r"'embeddings' is an object array, which needs pickle",
    ),
    "NPZ without ids": (
        lambda d: SPLIT | {"articles_npz": str(_without_ids(d / "a.npz"))},
        r"no article ids \(looked for article_indices, article_ids",
    ),
    "NaN": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz", embeddings=with_vector(np.nan)))},
        r"chunk 3 of article 1 holds NaN or infinity",
    ),
    "infinity": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz", embeddings=with_vector(np.inf)))},
        r"chunk 3 of article 1 holds NaN or infinity",
    ),
    "zero vector": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz", embeddings=with_vector(0)))},
        r"chunk 3 of article 1 is a zero vector",
    ),
    "duplicate chunk indices": (
        lambda d: (
            SPLIT
            | {"articles_npz": str(articles_npz(d / "a.npz", chunk_indices=np.tile([0, 1, 2, 3, 4, 5, 6, 7, 8, 8], 4)))}
        ),
        r"article 0 holds chunk index 8 twice",
    ),
    "articles too short": (
        lambda d: {"corpus": str(_short_corpus(d / "c"))},
        r"the longest has 5 chunks and a window needs 6",
    ),
    "no OOD articles": (
        lambda d: {"articles_npz": str(articles_npz(d / "a.npz")), "val_articles": "0-3"},
        r"no OOD articles are named",
    ),
    "no OOD in the corpus": (lambda d: {"corpus": str(_without_ood(d / "c"))}, r"no OOD articles"),
    "absent articles": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz")), "ood_articles": "70-79"},
        r"no article of the OOD split is in the corpus",
    ),
    "overlapping splits": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz")), "ood_articles": "1-3"},
        r"article 1 is in both VAL and OOD",
    ),
    "unreadable range": (
        lambda d: SPLIT | {"articles_npz": str(articles_npz(d / "a.npz")), "ood_articles": "3-2"},
        r"--ood-articles=3-2: '3-2' is no article range",
    ),
    "missing corpus": (lambda d: {"corpus": "nowhere"}, r"nowhere: no such corpus folder"),
    "truncated corpus": (lambda d: {"corpus": str(_truncated_corpus(d / "c"))}, r"the corpus cannot be read"),
    "two corpora": (
        lambda d: {"articles_npz": str(articles_npz(d / "a.npz"))},
        r"--corpus and --articles-npz both name the chunks",
    ),
    "training corpus of another width": (
        lambda d: {"train_corpus": [str(articles_npz(d / "a.npz"))]},
        r"a\.npz: 8 dimensions where .* has 32",
    ),
    "unknown control": (lambda d: {"model": ["control:persistance"]}, r"did you mean 'persistence'"),
    "empty model": (lambda d: {"model": [""]}, r"--model is empty"),
    "model twice": (lambda d: {"model": ["control:oracle"] * 2}, r"control:oracle is given twice"),
    "missing checkpoint": (lambda d: {"model": ["best.pt"]}, r"best\.pt: no such checkpoint"),
    "garbage checkpoint": (lambda d: {"model": [_file(d / "m.pt", b"not a checkpoint")]}, r"m\.pt: "),
    "malicious checkpoint": (
        lambda d: {"model": [_file(d / "m.pt", pickle.dumps({"model_state_dict": _Malicious()}))]},
        r"m\.pt: ",
    ),
    "unknown model type": (
        lambda d: {"model": [_checkpoint(d / "m.pt", model_type="tranformer")]},
        r"did you mean 'transformer'",
    ),
    "wrong dimension": (lambda d: {"model": [_lstm(d / "m.pt")]}, r"reads embeddings of 8 dimensions, but .* has 32"),
    "no such module": (lambda d: {"model": ["python:absent_module:f"]}, r"cannot be imported"),
    "python without a factory": (lambda d: {"model": ["python:predictors"]}, r"write python:package\.module:factory"),
    "factory raises": (lambda d: {"model": ["python:predictors:broken_factory"]}, r"raised ValueError: no weights"),
    "no predict": (lambda d: {"model": ["python:predictors:Deaf"]}, r"has no predict"),
    "predict raises": (lambda d: {"model": ["python:predictors:Raises"]}, r"raised RuntimeError: out of cheese"),
    "wrong shape": (
        lambda d: {"model": ["python:predictors:WrongShape"]},
        r"it must return floats of shape \(200, 32\)",
    ),
    "one row": (lambda d: {"model": ["python:predictors:OneRow"]}, r"it must return floats of shape \(200, 32\)"),
    "not numbers": (lambda d: {"model": ["python:predictors:Words"]}, r"predict\(\) returned <U1"),
    "batch dependence": (lambda d: {"model": ["python:predictors:BatchMean"]}, r"change with the batch size"),
    "batch dependence above 16": (
        lambda d: {"model": ["python:predictors:BatchMeanAbove16"]},
        r"change with the batch size",
    ),
    "batch dependence above the size in use": (
        lambda d: {"model": ["python:predictors:BatchMeanAbove16"], "batch_size": 16},
        r"change with the batch size",
    ),
    "unseeded noise": (lambda d: {"model": ["python:predictors:Unseeded"]}, r"change with the batch size"),
    "unknown profile": (lambda d: {"profile": "5cats"}, r"did you mean '5cat'"),
    "unknown rule": (lambda d: {"require": "lenient"}, r"--require=lenient: no such release rule"),
    "rule that does not fit": (
        lambda d: {"profile": "skill", "require": "production"},
        r"counts gates which profile skill does not judge",
    ),
    "unknown task": (lambda d: {"task": "decode"}, r"did you mean 'decoding'"),
    "no windows asked for": (lambda d: {"max_samples": 0}, r"--max-samples=0: give a number of at least 1"),
    "a rollout of one step": (lambda d: {"horizon": 1}, r"--horizon=1: .* at least 2"),
    "unknown device": (lambda d: {"device": "tpu", "model": [_lstm(d / "m.pt", dim=32)]}, r"tpu"),
}


@pytest.mark.parametrize("name", list(TABLE))
def test_one_sentence(name: str, make_run: MakeRun, arrow: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent)
    build, pattern = TABLE[name]
    options = build(tmp_path)
    named = {"articles_npz", "corpus"} & options.keys()
    base = {"corpus": None} if named and name != "two corpora" else {"corpus": str(arrow)}
    models = options.pop("model", ["control:oracle"])
    with pytest.raises(UserError) as caught:
        make_run(*models, **base | options)
    sentence = str(caught.value)
    assert re.search(pattern, sentence), sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert not (tmp_path / "executed").exists(), "the checkpoint ran code"


def _without_ids(path: Path) -> Path:
    np.savez(path, embeddings=unit_rows(40))
    return path


def _short_corpus(folder: Path) -> Path:
    write_corpus(folder, unit_rows(20), np.full(4, 5), splits=np.array(["TRAIN", "VAL", "OOD", "OOD"]), meta={})
    return folder


def _without_ood(folder: Path) -> Path:
    write_corpus(folder, unit_rows(40), np.full(4, 10), splits=np.array(["TRAIN", "TRAIN", "VAL", "VAL"]), meta={})
    return folder


def _truncated_corpus(folder: Path) -> Path:
    _without_ood(folder)
    truncated(folder / "vectors.npy")
    return folder


def _file(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def _checkpoint(path: Path, **fields: object) -> str:
    torch.save({"model_state_dict": {"w": torch.zeros(1)}} | fields, path)
    return str(path)


def _lstm(path: Path, dim: int = DIM) -> str:
    from lvm_gates.models.registry import build

    network = build("lstm", input_dim=dim, output_dim=dim, width=16)
    return _checkpoint(path, model_type="lstm", model_state_dict=network.state_dict())


@pytest.mark.parametrize("path", ["x\0y", "x" * 5000])
def test_a_checkpoint_that_records_an_impossible_path_is_judged_on_the_default_corpus(path, monkeypatch):
    from lvm_gates.gates import session
    from lvm_gates.harness.evaluation.session_data import CorpusArguments
    from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor

    class Copy:
        def predict(self, contexts):
            return contexts[:, -1]

    monkeypatch.setattr(session, "default_corpus", lambda: "the default")
    named = NamedPredictor(Identity("m.pt", None, {"corpus": {"path": path, "fingerprint": "ab"}}), Copy())
    assert session._fallback(CorpusArguments(), [named]) == "the default"
