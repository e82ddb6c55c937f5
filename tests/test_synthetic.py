"""Made-up records: columns as they were, together as they were, and nobody copied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats

from keepmum.data import Records
from keepmum.errors import DataError, NotApplicableError
from keepmum.synthetic import WIDEST, GaussianCopula, Marginals, correlation

GENERATORS = [Marginals(), GaussianCopula()]
EACH = pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: type(g).__name__)


def mixed(n: int = 3000, seed: int = 0) -> Records:
    """Numbers, whole numbers, words and categories with gaps; the label depends on them."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n)
    income = np.exp(0.05 * age + rng.normal(0, 0.3, n))
    income[rng.random(n) < 0.1] = np.nan
    town = np.where(age + rng.normal(0, 8, n) > 45, "zurich", np.where(rng.random(n) < 0.3, "bern", "aarau"))
    frame = pd.DataFrame(
        {
            "age": age,
            "children": rng.poisson(1.0, n),
            "income": income,
            "town": town,
            "size": pd.Categorical(rng.choice(["s", "m", "l"], n)),
            "old": age > 50,
        }
    )
    label = np.where(age + rng.normal(0, 5, n) > 42, "yes", "no")
    return Records(frame, label)


def draw(generator, records: Records, n: int = 5000, seed: int = 1) -> Records:
    return generator(records, n, np.random.default_rng(seed))


@EACH
def test_each_column_keeps_its_values_their_shares_and_its_type(generator) -> None:
    records = mixed()
    made = draw(generator, records)
    assert len(made) == 5000
    assert made.ids is None
    assert list(made.X.dtypes) == list(records.X.dtypes)
    assert made.columns == records.columns
    for name in records.columns:
        before, after = records.X[name], made.X[name]
        assert after.isna().mean() == pytest.approx(before.isna().mean(), abs=0.02)
        assert set(after.dropna()) <= set(before.dropna())
        if before.dtype.kind == "f":
            assert stats.ks_2samp(before.dropna(), after.dropna()).pvalue > 1e-3
        else:
            for value, share in before.value_counts(normalize=True).items():
                assert (after == value).mean() == pytest.approx(share, abs=0.03)
    assert (made.y == "yes").mean() == pytest.approx((records.y == "yes").mean(), abs=0.03)


def dependence(records: Records) -> dict[str, float]:
    frame, label = records.X, records.y == "yes"
    both = frame["income"].notna()
    return {
        "numbers": stats.spearmanr(frame["age"][both], frame["income"][both]).statistic,
        "words": float(frame["age"][frame["town"] == "zurich"].mean() - frame["age"].mean()) / 10,
        "label": stats.spearmanr(frame["age"], label).statistic,
        "none": stats.spearmanr(frame["age"], frame["children"]).statistic,
    }


def test_the_copula_keeps_how_columns_go_together_and_marginals_do_not() -> None:
    records = mixed()
    true = dependence(records)
    copula, single = (dependence(draw(g, records)) for g in (GaussianCopula(), Marginals()))
    assert min(true["numbers"], true["words"], true["label"]) > 0.4
    for name, value in true.items():
        assert copula[name] == pytest.approx(value, abs=0.3)
        assert single[name] == pytest.approx(0.0, abs=0.06)


@pytest.mark.parametrize("cuts", [(None, None), (2, None), (None, 5), (2, 3)])
def test_the_correlation_behind_few_values_is_found(cuts) -> None:
    rng, codes = np.random.default_rng(7), []
    behind = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 20_000)
    for column, values in zip(behind.T, cuts, strict=True):
        edges = np.quantile(column, np.linspace(0, 1, values + 1)[1:-1]) if values else np.sort(column)
        codes.append(np.searchsorted(edges, column))
    assert correlation(codes)[0, 1] == pytest.approx(0.6 * 0.99, abs=0.05 if None in cuts else 0.1)


def test_correlations_that_do_not_fit_together_are_mended() -> None:
    same = np.arange(300) % 2
    X = np.column_stack([same, same, np.arange(300) < 150, np.arange(300) % 3])
    made = draw(GaussianCopula(), Records(X.astype(int), same), 1000)
    assert (made.X[:, 0] == made.y).mean() > 0.9


@EACH
def test_nobody_is_copied(generator) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(0, 1, (200, 4)) @ rng.normal(0, 1, (4, 4))
    made = draw(generator, Records(X, rng.integers(0, 2, 200)), 2000)
    assert not {row.tobytes() for row in X} & {row.tobytes() for row in made.X}


@EACH
def test_arrays_keep_shape_and_type(generator) -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (60, 4, 4)).astype(np.uint8)
    made = draw(generator, Records(images, rng.integers(0, 3, 60)), 20)
    assert made.X.shape == (20, 4, 4)
    assert made.X.dtype == np.uint8
    single = draw(generator, Records(rng.normal(0, 1, 60), np.zeros(60)), 7)
    assert single.X.shape == (7,)


@EACH
def test_other_frames_keep_their_kind(generator) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3, 4], "b": ["x", "y", None, "x"]})
    made = draw(generator, Records(frame, np.array([0, 1, 0, 1])), 50)
    assert made.X.schema == frame.schema
    assert made.X.shape == (50, 2)
    assert set(made.X["b"].to_list()) == {"x", "y", None}
    mixed_array = np.array([[1, "x"], [2, "y"], [3, None]], dtype=object)
    assert draw(generator, Records(mixed_array, np.array([0, 1, 1])), 9).X.shape == (9, 2)


@EACH
def test_the_same_seed_makes_the_same_records(generator) -> None:
    records = mixed(300)
    first, second, other = (draw(generator, records, 200, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.X, second.X)
    assert not first.X.equals(other.X)


@EACH
def test_an_index_or_doubled_names_do_not_disturb(generator) -> None:
    frame = mixed(100).X.set_index(np.arange(100)[::-1])
    assert draw(generator, Records(frame, np.arange(100) % 2), 30).X.index.tolist() == list(range(30))


def test_one_column_of_nothing_but_one_value_is_fine() -> None:
    X = np.column_stack([np.ones(50), np.arange(50.0)])
    made = draw(GaussianCopula(), Records(X, (np.arange(50) > 25).astype(int)), 500)
    assert (made.X[:, 0] == 1).all()
    assert stats.spearmanr(made.X[:, 1], made.y).statistic > 0.7


def test_what_cannot_be_made_up_is_said() -> None:
    texts = Records(np.array(["a b", "c d"]), np.array([0, 1]))
    for records in (texts, Records(sparse.eye(4).tocsr(), np.zeros(4))):
        with pytest.raises(NotApplicableError, match="not texts or sparse"):
            draw(GaussianCopula(), records)
    with pytest.raises(NotApplicableError, match="at most 2,048 columns"):
        draw(Marginals(), Records(np.zeros((2, WIDEST + 1)), np.zeros(2)))
    with pytest.raises(DataError, match="at least two records"):
        draw(GaussianCopula(), Records(np.zeros((1, 2)), np.zeros(1)))
