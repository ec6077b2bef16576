"""What a checkpoint records of its training data: small, found again by it, and read with suspicion."""

import io

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.contamination import judge_training_data
from lvm_gates.harness.evaluation.recorded_leaks import record_of, recorded_leaks
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.leaks.record import Part, TrainingRecord
from lvm_gates.harness.leaks.record_file import FIELD, MOST_CHUNKS, read_training_record, record_fields
from lvm_gates.harness.leaks.signatures import BITS, hyperplanes, sign

DIM = 64
LENGTHS = [60] * 60


@pytest.fixture(scope="module")
def trained_on(make_corpus):
    """What a model was trained on: sixty articles, chained as sentences are, off the origin as embeddings are."""
    return make_corpus(LENGTHS, vectors=chained(3600, seed=1), splits="TRAIN")


@pytest.fixture(scope="module")
def record(trained_on):
    return record_of(trained_on, np.arange(60))


def chained(n, seed):
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((n, DIM))
    for i in range(1, n):
        steps[i] += 0.7 * steps[i - 1]
    return unit(steps + 0.5)


def judged_on(make_corpus, vectors, dtype="float32"):
    corpus = make_corpus([50] * 40, vectors=vectors, splits=["VAL", "OOD"] * 20, dtype=dtype)
    return resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=1000, horizon=2, seed=0)


def noisy(vectors, cosine):
    noise = unit(np.random.default_rng(0).standard_normal(vectors.shape))
    noise = unit(noise - np.einsum("nd,nd->n", noise, vectors)[:, None] * vectors)
    return cosine * vectors + np.sqrt(1 - cosine**2) * noise


CHANGES = {
    "exact": (lambda x: x, "float32"),
    "float16, scaled": (lambda x: 3 * x, "float16"),
    "re-embedded": (lambda x: noisy(x, 0.995), "float32"),
    "re-embedded elsewhere": (lambda x: noisy(x, 0.98), "float32"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_judged_windows_are_found_in_the_record_without_their_text(make_corpus, trained_on, record, change):
    """Every fourth article is a training article without its first seven chunks, under another number."""
    alter, dtype = CHANGES[change]
    vectors, source = chained(2000, seed=2), trained_on.vectors(np.arange(3600))
    for article in range(0, 40, 4):
        vectors[50 * article : 50 * article + 50] = alter(source[60 * article + 7 : 60 * article + 57])
    inputs = judged_on(make_corpus, vectors, dtype)
    found = recorded_leaks(record, inputs.evaluation["VAL"])
    copied = inputs.evaluation["VAL"].windows.clusters % 4 == 0
    assert copied.sum() == 450
    assert found[copied].mean() >= 0.95
    assert found[~copied].mean() < 0.01
    assert recorded_leaks(record, inputs.evaluation["OOD"]).mean() < 0.01


def test_the_verdict_of_a_record(make_corpus, trained_on, record):
    source, vectors = trained_on.vectors(np.arange(3600)), chained(2000, seed=2)
    clean = judged_on(make_corpus, vectors)
    masks = {split: recorded_leaks(record, e) for split, e in clean.evaluation.items()}
    found = judge_training_data({}, record, masks, clean)
    assert (found.status, found.reasons) == ("clean", ())
    vectors[:300] = source[10:310]
    leaked = judged_on(make_corpus, vectors)
    masks = {split: recorded_leaks(record, e) for split, e in leaked.evaluation.items()}
    found = judge_training_data({}, record, masks, leaked)
    assert found.status == "contaminated"
    assert len(found.reasons) == 2
    assert "VAL windows stand in what it was trained on, more than 10%" in found.reasons[0]
    incomplete = judge_training_data({}, TrainingRecord(record.parts, complete=False), {}, clean)
    assert incomplete.status == "not checkable"
    assert "started from weights that record no chunks" in incomplete.detail
    for provenance in (None, {}, {"train_article_hashes": ["0f"]}):
        silent = judge_training_data(provenance, None, {}, clean)
        assert (silent.status, silent.reasons) == ("not checkable", ())


def test_a_record_of_100000_chunks_is_a_megabyte(record):
    stream = io.BytesIO()
    many = Part(record.parts[0].mean, np.tile(record.parts[0].signatures, (28, 1))[:100_000], np.full(1000, 100))
    torch.save({FIELD: record_fields(TrainingRecord((many,)))}, stream)
    assert stream.tell() < 1.05e6


def test_a_record_is_read_back_from_a_safe_file(record, tmp_path):
    torch.save({FIELD: record_fields(record)}, tmp_path / "m.pt")
    stored = torch.load(tmp_path / "m.pt", weights_only=True)
    found = read_training_record("m.pt", stored[FIELD], DIM)
    assert found.complete
    for name in ("mean", "signatures", "lengths"):
        np.testing.assert_array_equal(getattr(found.parts[0], name), getattr(record.parts[0], name))
    assert read_training_record("m.pt", None, DIM) is None


def test_a_record_goes_on_from_that_of_the_weights_before(make_corpus, trained_on, record):
    other = make_corpus([20, 20], dim=DIM, splits="TRAIN", seed=9)
    both = record_of(other, np.arange(2), record)
    assert [len(part.signatures) for part in both.parts] == [3600, 40]
    assert both.complete
    again = record_of(trained_on, np.arange(60), both)
    assert len(again.parts) == 2
    assert not record_of(other, np.arange(2), TrainingRecord((), complete=False)).complete


def test_runs_end_where_chunks_are_missing(make_corpus):
    corpus = make_corpus([10, 10], dim=DIM, splits="TRAIN", jumps={4: 2})
    assert record_of(corpus, np.arange(2)).parts[0].lengths.tolist() == [4, 6, 10]


def hostile(record):
    good = record_fields(record)["parts"][0]
    wide = torch.zeros(1, 10, dtype=torch.uint8)

    def part(**changes):
        return {"version": 1, "complete": True, "parts": [good | changes]}

    return {
        "a number": 7,
        "no version": {"parts": [good]},
        "a later version": {"version": 2, "parts": [good]},
        "a version that is a tensor": {"version": torch.ones(3), "parts": [good]},
        "a version that is text": {"version": "x" * 1000, "parts": [good]},
        "no parts": {"version": 1, "parts": []},
        "many parts": {"version": 1, "parts": [good] * 65},
        "no dictionary": {"version": 1, "parts": [3]},
        "endless by stride": part(signatures=wide.expand(MOST_CHUNKS, 10)),
        "too large": part(signatures=wide.expand(MOST_CHUNKS + 1, 10)),
        "of no memory": part(signatures=torch.empty(10**12, 10, dtype=torch.uint8, device="meta")),
        "sparse": part(signatures=torch.zeros(5, 10, dtype=torch.uint8).to_sparse()),
        "other numbers": part(signatures=good["signatures"].float()),
        "narrow": part(signatures=good["signatures"][:, :9].contiguous()),
        "short": part(signatures=good["signatures"][:-1]),
        "negative runs": part(lengths=torch.tensor([3601, -1], dtype=torch.int32)),
        "another width": part(mean=torch.zeros(DIM + 1, dtype=torch.float16)),
        "a narrower mean": part(mean=torch.zeros(DIM - 1, dtype=torch.float16)),
        "no finite mean": part(mean=torch.full((DIM,), float("nan"), dtype=torch.float16)),
    }


def test_a_damaged_record_is_refused_in_one_sentence(record):
    for name, value in hostile(record).items():
        with pytest.raises(
            UserError, match=r"^m\.pt: its record of the training data \(train_fingerprints\) "
        ) as caught:
            read_training_record("m.pt", value, DIM)
        assert "\n" not in str(caught.value), name
        assert len(str(caught.value)) < 400, name


def test_the_hyperplanes_are_the_same_everywhere():
    """Records are compared across machines and years; another hash, order or rounding would make them worthless."""
    normals = hyperplanes(5)
    assert normals.shape == (5, BITS)
    np.testing.assert_array_equal(hyperplanes(3), normals[:3])
    assert "".join("+" if x > 0 else "-" for x in normals[0, :24]) == "+-+-++--++++-----++--+-+"


def test_bits_differ_by_angle(make_corpus):
    one = make_corpus([400], dim=DIM, seed=4)
    x = one.vectors(np.arange(400))
    other = make_corpus([400], vectors=noisy(x, np.cos(np.pi / 5)))
    origin = np.zeros(DIM, dtype=np.float32)
    differ = np.unpackbits(sign(one, np.arange(400), origin) ^ sign(other, np.arange(400), origin), axis=1)
    assert differ.mean() == pytest.approx(1 / 5, abs=0.01)
