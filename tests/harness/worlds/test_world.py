"""The synthetic datasets have the law they state, and nothing else."""

import hashlib
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import open_corpus
from lvm_gates.harness.corpus.splits import SPLITS
from lvm_gates.harness.worlds.world import (
    GENERATOR_VERSION,
    WORLDS,
    World,
    WorldLaw,
    default_corpus,
    generate,
    synthesise,
)

# Of 584,545 chunks (docs/sources.md, "Training data").
WIKI_LAGS = [0.457, 0.387, 0.365, 0.352, 0.340]


# SHA-256 of the vectors of 20 articles, 16-d, seed 3, as version 1 of the generator drew them: corpora that users have
# are drawn again to the byte, and `control:bayes` knows their law.
VERSION_1 = {
    "wiki": "12246ea97b57ea0e",
    "arrow": "eef943e0e0cf3ced",
    "reversed": "7c4b1b095ef90538",
    "shuffled": "5aa3fc5890b05f26",
    "leaky": "bcbc71d47857c5da",
}


@pytest.mark.parametrize("name", VERSION_1)
def test_worlds_are_drawn_as_ever(name: str) -> None:
    assert GENERATOR_VERSION == 1
    vectors = generate(name, articles=20, dim=16, seed=3).vectors
    assert hashlib.sha256(vectors.tobytes()).hexdigest()[:16] == VERSION_1[name]


def articles_of(world: World) -> list[np.ndarray]:
    return np.split(world.vectors, np.cumsum(world.lengths)[:-1])


def lag_cosine(world: World, lag: int) -> float:
    return float(np.concatenate([(a[:-lag] * a[lag:]).sum(axis=1) for a in articles_of(world)]).mean())


@pytest.mark.parametrize(("dim", "seed"), [(None, 0), (None, 1), (None, 2), (64, 0), (768, 0)])
def test_wiki_has_the_original_lag_cosines(dim: int | None, seed: int) -> None:
    world = generate("wiki", dim=dim, seed=seed)
    measured = [lag_cosine(world, lag) for lag in range(1, 6)]
    np.testing.assert_allclose(measured, WIKI_LAGS, atol=0.01)


def test_arrow_is_coherent_as_gate_e_asks_and_forgets_by_the_next_chunk() -> None:
    world = generate("arrow")
    assert lag_cosine(world, 1) == pytest.approx(0.50, abs=0.02)
    assert max(abs(lag_cosine(world, lag)) for lag in (2, 3)) < 0.15


@pytest.mark.parametrize("name", WORLDS)
def test_shares_add_to_one_and_norms_are_one(name: str) -> None:
    law, world = WORLDS[name], generate(name, articles=20)
    switched = law.switch.share + law.switch.index if law.switch else 0.0
    assert law.alpha + law.beta + law.sigma + switched + law.nu == pytest.approx(1)
    assert law.nu > 0
    assert world.vectors.dtype == np.float32
    assert world.vectors.shape == (world.lengths.sum(), law.dim)
    np.testing.assert_allclose(np.linalg.norm(world.vectors, axis=1), 1, atol=1e-6)
    assert world.lengths.min() >= law.lengths[0]
    assert world.lengths.max() <= law.lengths[1]


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name: str) -> None:
    first, again, other = (generate(name, articles=20, seed=seed) for seed in (3, 3, 4))
    assert first.vectors.tobytes() == again.vectors.tobytes()
    assert first.vectors[:9].tobytes() != other.vectors[:9].tobytes()


def test_an_article_does_not_depend_on_how_many_are_asked() -> None:
    few, many = generate("arrow", articles=20), generate("arrow", articles=60)
    for split in SPLITS:
        few_first, many_first = (
            articles_of(world)[int(np.flatnonzero(world.splits == split)[0])] for world in (few, many)
        )
        np.testing.assert_array_equal(few_first, many_first)


@pytest.mark.parametrize("name", WORLDS)
def test_default_splits_hold_enough_articles(name: str) -> None:
    law = WORLDS[name]
    splits = generate(name, dim=max(8, law.least_dim)).splits
    counts = {split: int((splits == split).sum()) for split in SPLITS}
    assert sum(counts.values()) == len(splits) == law.articles
    assert counts["TRAIN"] == pytest.approx(0.8 * law.articles, rel=0.01)
    assert min(counts["VAL"], counts["OOD"]) >= 40


@pytest.mark.parametrize("name", WORLDS)
def test_only_the_leaky_world_shares_articles_between_splits(name: str) -> None:
    world = generate(name, articles=100)
    by_split = {
        split: [a.tobytes() for a, s in zip(articles_of(world), world.splits, strict=True) if s == split]
        for split in SPLITS
    }
    shared = set(by_split["TRAIN"]) & set(by_split["VAL"])
    assert len(shared) == (5 if name == "leaky" else 0)
    assert not set(by_split["OOD"]) & (set(by_split["TRAIN"]) | set(by_split["VAL"]))
    assert all(len(set(articles)) == len(articles) for articles in by_split.values())


def test_reversed_is_arrow_backwards_and_shuffled_is_arrow_out_of_order() -> None:
    arrow, backwards, shuffled = (
        articles_of(generate(name, articles=12)) for name in ("arrow", "reversed", "shuffled")
    )
    for forward, reverse, mixed in zip(arrow, backwards, shuffled, strict=True):
        np.testing.assert_array_equal(reverse, forward[::-1])
        assert not np.array_equal(mixed, forward)
        np.testing.assert_array_equal(np.sort(mixed, axis=0), np.sort(forward, axis=0))


def test_ood_subjects_lie_where_no_training_article_goes() -> None:
    """A subject is seen through its article's mean: noisily, so the sectors are told apart, not exactly."""
    world, law = generate("arrow"), WORLDS["arrow"]
    means = np.array([a[:, :2].mean(axis=0) for a in articles_of(world)]) - law.mean(law.dim, 0)[:2]
    towards = means @ [np.cos(0.1 * np.pi), np.sin(0.1 * np.pi)]  # the middle of the OOD sector
    norms = np.linalg.norm(means, axis=1)
    ood = world.splits == "OOD"
    assert (towards / norms)[ood].mean() > 0.85
    assert (towards / norms)[~ood].mean() < 0.0
    assert norms[ood].mean() == pytest.approx(norms[~ood].mean(), rel=0.2)


def test_a_written_corpus_says_how_to_make_it_again(tmp_path: Path) -> None:
    corpus = synthesise("wiki", tmp_path / "w", articles=20, dim=16, seed=5)
    assert corpus.synthetic
    assert corpus.meta["how"] == "lvm-data synth --world wiki --articles 20 --dim 16 --seed 5 --out DIR"
    assert corpus.meta["licence"] == "CC0-1.0"
    assert WorldLaw.from_record(corpus.meta["law"]) == WORLDS["wiki"]
    np.testing.assert_array_equal(corpus.stored, generate("wiki", articles=20, dim=16, seed=5).vectors)
    assert synthesise("wiki", tmp_path / "again", articles=20, dim=16, seed=5).fingerprint == corpus.fingerprint


def _open_default(cache: str, answers: "multiprocessing.Queue[str]") -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", cache)
        answers.put(default_corpus().fingerprint)


def test_the_default_corpus_is_drawn_once_even_by_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    workers = [context.Process(target=_open_default, args=(str(tmp_path), answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    prints = {answers.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    corpus = default_corpus()
    assert prints == {corpus.fingerprint}
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {"vectors.npy", "articles.npz", "corpus.json"}
    written = (folder / "corpus.json").stat().st_mtime_ns
    assert default_corpus().meta["world"] == "switch"
    assert (folder / "corpus.json").stat().st_mtime_ns == written


def test_a_half_drawn_default_corpus_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    folder = default_corpus().path
    (folder / "corpus.json").unlink()
    (folder / "vectors.npy").write_bytes(b"half")
    assert default_corpus().size == open_corpus(folder).size > 0
    json.loads((folder / "corpus.json").read_text())


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("LVM_GATES_CACHE", str(blocked))
    with pytest.raises(UserError, match="set LVM_GATES_CACHE"):
        default_corpus()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"world": "arow"}, "did you mean 'arrow'"),
        ({"world": "zzz"}, "Known: arrow, leaky, prose, reversed, shuffled, switch, wiki"),
        ({"world": "arrow", "articles": 9}, "--articles 9: too few .* at least 10"),
        ({"world": "arrow", "dim": 33}, "--dim 33: .* even"),
        ({"world": "arrow", "dim": 4}, "--dim 4: .* at least 8"),
        ({"world": "switch", "dim": 14}, "--dim 14: .* at least 28"),
        ({"world": "arrow", "seed": -1}, "--seed -1: .* not negative"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        generate(**arguments)  # type: ignore[arg-type]
