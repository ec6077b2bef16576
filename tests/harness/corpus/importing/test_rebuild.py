"""Sequence files with planted faults: each window is found, called what it is, and rebuilt forward."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.importing.rebuild import find_windows, write_articles, write_sequences
from lvm_gates.harness.corpus.npz import read_sequences
from lvm_gates.harness.corpus.windows import windows_of

C = 3
# Rows 0-9 are article 4, rows 10-21 article 9, rows 22-27 article 11; chunk numbers jump at row 14.
PLANTED = {
    "forward": [(0, 1, 2, 3), (6, 7, 8, 9), (10, 11, 12, 13)],
    "crossing": [(7, 8, 9, 10), (8, 9, 10, 11), (9, 10, 11, 12), (20, 21, 22, 23), (5, 20, 6, 7), (25, 2, 3, 4)],
    "skipping": [(0, 1, 2, 4), (1, 3, 4, 5), (11, 12, 13, 14), (13, 14, 15, 16), (0, 2, 4, 6)],
    "reversed": [(9, 8, 7, 6), (25, 24, 23, 22)],
    "disordered": [(3, 3, 3, 3), (2, 1, 3, 4), (16, 18, 17, 15)],
}
OLDER_ONLY = [(8, 9, 10, 11), (9, 10, 11, 12), (20, 21, 22, 23), (5, 20, 6, 7), (25, 2, 3, 4)]


@pytest.fixture
def store(make_corpus):
    return make_corpus([10, 12, 6], dim=16, splits="", jumps={14: 3}, article_ids=np.array([4, 9, 11]))


def save(path, corpus, rows, *, index=True, **more):
    rows = np.array(rows)
    vectors = corpus.vectors(rows)
    arrays = {"contexts": vectors[:, :-1], "targets": vectors[:, -1]}
    if index:
        arrays["article_ids"] = corpus.article_ids[corpus.article_of[rows[:, -1]]]
        arrays["target_indices"] = corpus.chunk_index[rows[:, -1]]
    np.savez(path, **(arrays | more))
    return path


@pytest.mark.parametrize("index", [True, False], ids=["with index", "without"])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_every_planted_window_is_found_and_called_what_it_is(tmp_path, store, monkeypatch, index, batch):
    monkeypatch.setattr("lvm_gates.harness.corpus.importing.rebuild.BATCH", batch)
    monkeypatch.setattr("lvm_gates.harness.corpus.importing.frame_location.SCAN_ROWS", 11)
    rows = [window for windows in PLANTED.values() for window in windows]
    kinds = [kind for kind, windows in PLANTED.items() for _ in windows]
    order = np.random.default_rng(0).permutation(len(rows))
    found = find_windows(save(tmp_path / "s.npz", store, np.array(rows)[order], index=index), store)
    np.testing.assert_array_equal(found.rows, np.array(rows)[order])
    assert found.kinds.tolist() == [kinds[i] for i in order]
    assert {tuple(row) for row in found.rows[found.older_only]} == set(OLDER_ONLY)
    assert {tuple(row) for row in found.rows[found.target_skips]} == {(0, 1, 2, 4)}
    assert not found.misnumbered.any()


def test_windows_of_the_original_builder(tmp_path, store):
    """Stride 1 over all rows: C windows cross each border, and the original flag sees one of them."""
    targets = np.arange(C, store.size)
    rows = targets[:, None] + np.arange(-C, 1)
    found = find_windows(save(tmp_path / "s.npz", store, rows), store)
    assert (found.kinds == "crossing").sum() == 2 * C
    assert found.older_only.sum() == 2 * (C - 1)
    assert (found.kinds == "skipping").sum() == C
    np.testing.assert_array_equal(found.rebuilt().targets, windows_of(store, np.arange(3), C).targets)


def test_windows_that_skip_their_target_are_rebuilt_whole(tmp_path, store):
    targets = np.arange(C + 1, 10)
    rows = np.concatenate([targets[:, None] + np.arange(-C - 1, -1), targets[:, None]], axis=1)
    found = find_windows(save(tmp_path / "p6.npz", store, rows, index=False), store)
    assert found.target_skips.all()
    assert (found.kinds == "skipping").all()
    windows = found.rebuilt()
    assert windows.targets.tolist() == targets.tolist()
    np.testing.assert_array_equal(windows.context_rows[:, -1], targets - 1)


def test_the_target_of_a_reversed_window_is_its_last_chunk(tmp_path, store):
    found = find_windows(save(tmp_path / "r.npz", store, [(6, 5, 4, 3)]), store)
    assert found.rebuilt().targets.tolist() == [6]


def test_frames_that_match_nothing(tmp_path, store):
    path = save(tmp_path / "s.npz", store, [(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)])
    arrays = dict(np.load(path))
    arrays["contexts"][1, 0] = -arrays["contexts"][1, 0]
    arrays["targets"][2] = np.nan
    np.savez(path, **arrays)
    found = find_windows(path, store)
    assert found.kinds.tolist() == ["forward", "unknown", "unknown"]
    assert found.rows[1].tolist() == [-1, 2, 3, 4]
    # A target that is known is rebuilt, whatever its context was.
    assert found.rebuilt().targets.tolist() == [3, 4]


def test_copies_of_a_chunk_do_not_hide_where_a_window_comes_from(tmp_path, make_corpus):
    """A line that stands in many articles, more often than candidates are kept."""
    copies = {start + 2: 2 for start in range(6, 90, 6)}
    store = make_corpus([6] * 15, dim=16, splits="", copies=copies)
    rows = [(s, s + 1, s + 2, s + 3) for s in range(0, 90, 6)] + [(s, s + 1, s + 3, s + 2) for s in range(0, 90, 6)]
    found = find_windows(save(tmp_path / "s.npz", store, rows, index=False), store)
    assert found.kinds[:15].tolist() == ["forward"] * 15
    np.testing.assert_array_equal(found.rows[:15], rows[:15])


def test_index_fields_that_name_another_chunk_are_told(tmp_path, store):
    path = save(tmp_path / "s.npz", store, [(0, 1, 2, 3), (1, 2, 3, 4)], target_indices=np.array([3, 5]))
    found = find_windows(path, store)
    assert found.kinds.tolist() == ["forward", "forward"]
    assert found.misnumbered.tolist() == [False, True]


def test_half_precision_sequences_are_found(tmp_path, store):
    path = save(tmp_path / "s.npz", store, PLANTED["crossing"] + PLANTED["forward"], index=False)
    arrays = {name: value.astype(np.float16) for name, value in np.load(path).items()}
    np.savez(path, **arrays)
    assert (find_windows(path, store).kinds == "crossing").sum() == len(PLANTED["crossing"])


@pytest.mark.parametrize("rows", [[], [(0, 1, 2, 3)]], ids=["no windows", "foreign"])
def test_a_file_that_does_not_belong_to_the_articles_is_one_sentence(tmp_path, store, make_corpus, rows):
    other = make_corpus([10], dim=16, seed=9)
    path = save(tmp_path / "s.npz", other, np.array(rows, dtype=int).reshape(-1, C + 1), index=False)
    with pytest.raises(UserError, match="do not belong together") as raised:
        find_windows(path, store)
    assert str(path) in str(raised.value)


def test_the_rebuilt_file_and_corpus_hold_the_windows(tmp_path, store):
    rows = [window for windows in PLANTED.values() for window in windows]
    windows = find_windows(save(tmp_path / "s.npz", store, rows, index=False), store).rebuilt()
    write_sequences(windows, tmp_path / "clean.npz")
    again = read_sequences(tmp_path / "clean.npz", store)
    assert again.mismatched == 0
    assert again.windows.targets.tolist() == windows.targets.tolist()
    assert find_windows(tmp_path / "clean.npz", store).share(np.ones(len(windows), dtype=bool)).value == 1
    written = write_articles(windows, tmp_path / "corpus", split="VAL", how="test")
    assert set(written.splits) == {"VAL"}
    at = np.concatenate([np.flatnonzero(store.article_ids == a) for a in written.article_ids])
    kept = store.rows_of(at)
    np.testing.assert_allclose(written.vectors(np.arange(written.size)), store.vectors(kept), atol=1e-3)
    np.testing.assert_array_equal(written.chunk_index, store.chunk_index[kept])
    assert set(windows.clusters) == set(at)


def test_nothing_to_rebuild_is_one_sentence(tmp_path, store):
    windows = find_windows(save(tmp_path / "s.npz", store, [(3, 2, 1, 0)[::-1][:2] * 2]), store).rebuilt()
    assert len(windows) == 0
    for action in (
        lambda: write_sequences(windows, tmp_path / "out.npz"),
        lambda: write_articles(windows, tmp_path / "out", split="VAL", how=""),
    ):
        with pytest.raises(UserError, match="nothing to write"):
            action()
    assert not (tmp_path / "out.npz").exists()
