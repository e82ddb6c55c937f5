"""What lies around a record keeps its kind, its bounds and its types."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from keepmum.attacks.membership._neighbors import neighbors
from keepmum.data import Records
from keepmum.errors import NotApplicableError

N = 400
SEED = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "number": SEED.normal(50, 10, N),
        "whole": SEED.integers(17, 90, N),
        "gaps": np.where(SEED.random(N) < 0.2, np.nan, SEED.normal(size=N)),
        "single": SEED.normal(size=N).astype(np.float32),
        "two": SEED.integers(0, 2, N),
        "text": SEED.choice(["a", "b", "c"], N),
        "kind": pd.Categorical(SEED.choice(["x", "y"], N), categories=["z", "y", "x"]),
        "nullable": pd.array(np.where(SEED.random(N) < 0.2, None, SEED.integers(0, 9, N)), dtype="Int64"),
        "flag": SEED.random(N) < 0.5,
    }
)
Y = SEED.integers(0, 2, N)


def shown(X):
    """Cells as text, so that a gap equals a gap."""
    return np.array([[repr(v) for v in row] for row in pd.DataFrame(X).to_numpy(dtype=object).tolist()])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_frame_keeps_types_bounds_and_whole_numbers():
    copy = neighbors(Records(FRAME, Y, np.arange(N))).noisy(rng(), 0.5)
    assert copy.ids is None
    assert (copy.X.dtypes == FRAME.dtypes).all()
    np.testing.assert_array_equal(copy.y, Y)
    for name in ("number", "whole", "gaps", "single"):
        assert (copy.X[name] != FRAME[name]).mean() > 0.5
        assert copy.X[name].min() >= FRAME[name].min()
        assert copy.X[name].max() <= FRAME[name].max()
    np.testing.assert_array_equal(copy.X["gaps"].isna(), FRAME["gaps"].isna())
    step = (copy.X["number"] - FRAME["number"])[FRAME["number"].between(40, 60)]
    assert abs(step.std() / FRAME["number"].std() - 0.5) < 0.06
    for name in ("two", "text", "kind", "nullable", "flag"):
        assert set(copy.X[name].dropna()) <= set(FRAME[name].dropna())
        unlike = (shown(copy.X[[name]]) != shown(FRAME[[name]])).mean()
        assert 0.1 < unlike < 0.5, "replaced at rate one half, sometimes by the same value"


def test_the_frame_that_was_given_is_left_alone():
    before = FRAME.copy(deep=True)
    around = neighbors(Records(FRAME, Y))
    around.noisy(rng(), 1.0)
    around.changed(rng(), 0)
    pd.testing.assert_frame_equal(FRAME, before)


def test_no_noise_is_the_record_itself():
    for X in (FRAME, FRAME[["number", "gaps"]].to_numpy(np.float32), FRAME[["whole", "two"]].to_numpy()):
        copy = neighbors(Records(X, Y)).noisy(rng(), 0.0).X
        pd.testing.assert_frame_equal(pd.DataFrame(copy), pd.DataFrame(X))
        assert not isinstance(X, np.ndarray) or copy.dtype == X.dtype


def test_small_noise_on_whole_numbers_is_not_lost_and_not_one_sided():
    X = np.tile(np.arange(21), N // 4)[:, None]
    step = np.concatenate([(neighbors(Records(X, np.zeros(len(X)))).noisy(rng(s), 0.02).X - X)[:, 0] for s in range(9)])
    inner = step[np.tile((X[:, 0] > 0) & (X[:, 0] < 20), 9)]
    assert set(inner) == {-1, 0, 1}
    assert 0.05 < (inner != 0).mean() < 0.15
    assert abs(inner.mean()) < 4 * inner.std() / np.sqrt(len(inner))


@pytest.mark.parametrize("X", [FRAME, FRAME[["number", "whole", "two"]].to_numpy(), FRAME.to_numpy()])
def test_one_column_is_changed_and_another_at_each_turn(X):
    around = neighbors(Records(X, Y))
    d = X.shape[1]
    turns = np.stack([shown(around.changed(rng(), turn).X) != shown(X) for turn in range(d)])
    assert turns.sum(axis=2).max() == 1
    assert turns.sum(axis=0).max() == 1
    assert turns.mean() * d > 0.8, "mostly somebody with another value is found"


def test_on_the_way_to_another_record():
    around = neighbors(Records(FRAME, Y))
    other = rng().permutation(N)
    names = list(FRAME.columns)
    pd.testing.assert_frame_equal(around.toward(other, np.zeros((N, len(names)))).X, FRAME)
    there = around.toward(other, np.ones((N, len(names)))).X
    pd.testing.assert_frame_equal(there, FRAME.iloc[other].reset_index(drop=True))
    middle = around.toward(other, np.full((N, len(names)), 0.5)).X
    np.testing.assert_allclose(middle["number"], (FRAME["number"] + there["number"]) / 2)
    assert (middle["text"] == there["text"]).all()
    assert (middle["gaps"].isna() == there["gaps"].isna()).all()


def test_polars_frames_keep_types_and_gaps():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame(
        {
            "a": FRAME["number"].to_list(),
            "b": FRAME["whole"].to_list(),
            "c": FRAME["text"].to_list(),
            "d": polars.Series([None if v < 20 else v for v in FRAME["whole"]], dtype=polars.Int16),
        }
    )
    around = neighbors(Records(X, Y))
    copy = around.noisy(rng(), 0.5).X
    assert copy.schema == X.schema
    assert copy["d"].null_count() > 0
    assert (copy["a"] != X["a"]).mean() > 0.9
    assert copy["b"].is_between(X["b"].min(), X["b"].max()).all()
    assert around.toward(np.arange(N)[::-1].copy(), np.ones((N, 4))).X.equals(X[::-1])


def test_images_have_one_unit_and_move_as_a_whole():
    X = SEED.integers(0, 256, (30, 6, 7)).astype(np.uint8)
    X[:, 0] = 0
    around = neighbors(Records(X, np.zeros(30)))
    copy = around.noisy(rng(), 0.3).X
    assert copy.dtype == np.uint8
    assert copy.shape == X.shape
    assert copy[:, 0].any(), "a border that is always black gets noise too"
    for turn in range(16):
        moved = around.changed(rng(), turn).X
        down, right = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))[turn % 8]
        by = 1 + turn // 8
        for i, j in ((0, 0), (2, 3), (5, 6)):
            i0, j0 = min(max(i - down * by, 0), 5), min(max(j - right * by, 0), 6)
            np.testing.assert_array_equal(moved[:, i, j], X[:, i0, j0])
    np.testing.assert_array_equal(around.flipped().X[:, 2, 1], X[:, 2, 5])


@pytest.mark.parametrize(("shape", "axes"), [((5, 3, 8, 9), (2, 3)), ((5, 8, 9, 3), (1, 2)), ((5, 8, 9), (1, 2))])
def test_height_and_width_are_found(shape, axes):
    assert neighbors(Records(np.zeros(shape), np.zeros(5))).axes == axes


def test_sparse_rows_lose_or_trade_entries():
    X = sparse.random(200, 50, density=0.1, random_state=0, format="csr")
    X = sparse.vstack([sparse.csr_matrix((1, 50)), X[1:]]).tocsr()
    around = neighbors(Records(X, np.zeros(200)))
    out = around.changed(rng(), 3).X
    lost = np.diff(X.indptr) - np.diff(out.indptr)
    np.testing.assert_array_equal(lost, np.diff(X.indptr) > 0)
    assert not (abs(out - X.multiply(out != 0)) > 1e-12).nnz, "what stays is as it was"
    noisy = around.noisy(rng(), 0.3).X
    kept = X.multiply(noisy != 0).nnz / X.nnz
    assert 0.6 < kept < 0.85
    assert 0.8 * X.nnz < noisy.nnz < 1.2 * X.nnz
    assert (abs(around.noisy(rng(), 0.0).X - X)).nnz == 0


def test_words_are_left_out():
    texts = np.array(["the rare visit of a friend", "one", ""], dtype=object)
    around = neighbors(Records(texts, np.zeros(3)))
    turns = [around.changed(rng(), turn).X[0] for turn in range(6)]
    assert sorted(turns) == sorted(" ".join(w for j, w in enumerate(texts[0].split()) if j != i) for i in range(6))
    assert around.changed(rng(), 0).X[1:].tolist() == ["", ""]
    assert around.noisy(rng(), 0.0).X.tolist() == texts.tolist()
    assert set(around.noisy(rng(1), 0.5).X[0].split()) < set(texts[0].split())


def test_very_wide_records_keep_what_lies_beyond():
    X = np.array([[str((i + j) % 3) for j in range(2100)] for i in range(12)], dtype=object)
    X[:, 0] = np.arange(12)
    around = neighbors(Records(X, np.zeros(12)))
    copy = around.noisy(rng(), 0.3).X
    assert copy.shape == X.shape
    assert (copy[:, 2048:] == X[:, 2048:]).all()
    assert (copy[:, :2048] != X[:, :2048]).any()


def test_dates_are_replaced_and_not_moved():
    X = np.datetime64("2020-01-01") + SEED.integers(0, 900, (60, 2))
    copy = neighbors(Records(X, np.zeros(60))).noisy(rng(), 0.4).X
    assert copy.dtype == X.dtype
    assert np.isin(copy, X).all()
    assert 0.2 < (copy != X).mean() < 0.6


def test_records_without_columns_have_no_neighbors():
    with pytest.raises(NotApplicableError, match="columns"):
        neighbors(Records(np.empty((4, 0)), np.zeros(4)))
