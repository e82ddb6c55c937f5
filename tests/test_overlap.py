"""People on both sides of the split are found, whatever kind of frame they come in, and taken out of both sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from keepmum._encode import encode, row_keys
from keepmum.data import Records, Split
from keepmum.errors import DataError
from keepmum.overlap import remove_overlap

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"age": RNG.integers(18, 90, 300), "city": RNG.choice(["Bern", "Lyon", "Ulm"], 300), "pay": RNG.normal(size=300)}
)
FRAME.loc[3, "pay"] = np.nan
LABELS = RNG.integers(0, 2, 300)
KINDS = {
    "pandas": lambda f: f,
    "polars": pl.from_pandas,
    "pyarrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    "numpy": lambda f: f.to_numpy(dtype=object),
    "numbers": lambda f: f[["age", "pay"]].to_numpy(),
    "sparse": lambda f: sparse.csr_array(f[["age", "pay"]].fillna(0).to_numpy()),
    "texts": lambda f: [f"{a} {b} {c}" for a, b, c in f.itertuples(index=False)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_exact_duplicates_leave_both_sides(kind):
    make = KINDS[kind]
    members = Records(make(FRAME.iloc[:150]), LABELS[:150])
    nonmembers = Records(make(FRAME.iloc[140:]), LABELS[140:])
    clean, overlap = remove_overlap(Split(members, nonmembers))
    assert (overlap.exact_members, overlap.exact_nonmembers) == (10, 10)
    assert (len(clean.members), len(clean.nonmembers)) == (140, 150)
    assert not set(row_keys(clean.members).tolist()) & set(row_keys(clean.nonmembers).tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_equal_records_have_equal_keys(kind):
    first, again = (Records(KINDS[kind](FRAME.copy()), LABELS.copy()) for _ in range(2))
    np.testing.assert_array_equal(row_keys(first), row_keys(again))
    assert len(set(row_keys(first).tolist())) == 300


def test_a_changed_label_is_another_record():
    X = RNG.normal(size=(50, 3))
    clean, overlap = remove_overlap(Split(Records(X, np.zeros(50, int)), Records(X, np.ones(50, int))))
    assert overlap.exact_members == 0
    assert len(clean.members) == 50


def test_near_duplicates_are_found():
    A, B = RNG.normal(size=(400, 30)), RNG.normal(size=(400, 30))
    B[:25] = A[:25] + RNG.normal(0, 1e-5, (25, 30))
    clean, overlap = remove_overlap(Split(Records(A, np.zeros(400, int)), Records(B, np.zeros(400, int))))
    assert (overlap.exact_members, overlap.near_members, overlap.near_nonmembers) == (0, 25, 25)
    assert len(clean.nonmembers) == 375


def test_near_duplicates_equal_the_slow_search():
    A, B = RNG.normal(size=(60, 4)).round(2), RNG.normal(size=(60, 4)).round(2)
    B[:20] = A[:20] + RNG.choice([0, 4e-4, 5e-3], (20, 4))
    split = Split(Records(A, np.zeros(60, int)), Records(B, np.zeros(60, int)))
    _, overlap = remove_overlap(split)
    spread = np.r_[A, B].std(axis=0)
    close = (np.abs(A[:, None] - B[None]) / spread).max(axis=2) <= 1e-3
    same = (A[:, None] == B[None]).all(axis=2)
    assert overlap.exact_members == same.any(axis=1).sum()
    left = close & ~same.any(axis=1)[:, None] & ~same.any(axis=0)[None]
    assert overlap.near_members == left.any(axis=1).sum()
    assert overlap.near_nonmembers == left.any(axis=0).sum()


def test_taking_out_of_both_sides_keeps_the_null():
    """Common records stand on both sides more often. Removing them from one side only would make a leak of nothing."""
    from keepmum.stats.null import rank_sum_p_value

    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.geometric(0.02, (800, 1)).astype(float)
        members, others = Records(X[:400], np.zeros(400, int)), Records(X[400:], np.zeros(400, int))
        clean, _ = remove_overlap(Split(members, others))
        alarms += rank_sum_p_value(-clean.members.X[:, 0], -clean.nonmembers.X[:, 0]) <= 0.05
    assert alarms <= 3 + 2 * np.sqrt(60 * 0.05 * 0.95)


@pytest.mark.parametrize("members", [200, 400, 700])
def test_copies_keep_the_null_also_when_sides_differ_in_size(members):
    """Coarse records have copies. Whoever ranks people by how common their record is must not look like an attack."""
    from keepmum.stats.null import rank_sum_p_value

    small, large = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        X = rng.geometric(0.004, (800, 1)).astype(float)
        y = np.zeros(800, int)
        clean, _ = remove_overlap(Split(Records(X[:members], y[:members]), Records(X[members:], y[members:])))
        ours, theirs = clean.members.X[:, 0], clean.nonmembers.X[:, 0]
        small.append(rank_sum_p_value(-ours, -theirs) <= 0.05)
        large.append(rank_sum_p_value(ours, theirs) <= 0.05)
    limit = 150 * 0.05 + 2 * np.sqrt(150 * 0.05 * 0.95)
    assert sum(small) <= limit
    assert sum(large) <= limit


def test_copies_on_one_side_are_counted_once():
    X = RNG.normal(size=(50, 3))
    members = Records(np.r_[X[:20], X[:20]], np.zeros(40, int))
    clean, overlap = remove_overlap(Split(members, Records(np.r_[X[20:], X[20:30]], np.zeros(40, int))))
    assert (len(clean.members), len(clean.nonmembers)) == (20, 30)
    assert (overlap.repeated_members, overlap.repeated_nonmembers) == (20, 10)


def test_the_same_file_twice_is_refused():
    records = Records(RNG.normal(size=(20, 2)), np.zeros(20, int))
    with pytest.raises(DataError, match="the same records"):
        remove_overlap(Split(records, Records(records.X.copy(), records.y)))


def test_nothing_left_is_refused():
    X = RNG.normal(size=(20, 2))
    with pytest.raises(DataError, match="nothing is left"):
        remove_overlap(Split(Records(X[:10], np.zeros(10, int)), Records(X, np.zeros(20, int))))


def test_encode_keeps_order_of_numbers_and_missing():
    values = encode(Records(FRAME, LABELS))
    assert values.shape == (300, 3)
    np.testing.assert_array_equal(values[:, 0], FRAME["age"])
    assert np.isnan(values[3, 2])
    assert set(values[:, 1]) == {0.0, 1.0, 2.0}


def test_keys_do_not_depend_on_the_number_type():
    ints = Records(np.arange(12).reshape(6, 2), np.zeros(6, int))
    floats = Records(np.arange(12.0).reshape(6, 2), np.zeros(6))
    np.testing.assert_array_equal(row_keys(ints), row_keys(floats))
    minus_zero = Records(np.array([[-0.0, 1.0]]), np.zeros(1))
    np.testing.assert_array_equal(row_keys(minus_zero), row_keys(Records(np.array([[0.0, 1.0]]), np.zeros(1))))
