"""Analytic shadows against their slow twin: means and variances over many real fits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.shadows import Shadows, ShadowStore, _cavity, _influence, balanced_pairs
from keepmum.shadows.analytic import Expected, disagreement, expected, recipe
from keepmum.training import FunctionTrainer, SklearnTrainer


def people(n: int, columns: int, classes: int, seed: int = 0) -> Records:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, columns)) * np.linspace(0.5, 1.5, columns)
    heard = X @ rng.normal(size=(columns, classes)) / np.sqrt(columns) + rng.gumbel(size=(n, classes))
    return Records(X, heard.argmax(axis=1), np.arange(n))


def some(shadows: Shadows, models: int) -> Shadows:
    return Shadows(shadows.ids, shadows.signals[:models], shadows.trained_on[:models])


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("columns", "strength"), [(5, 1.0), (30, 1.0), (30, 0.02)])
def test_two_classes_are_as_many_real_fits_say(columns, strength, steps):
    """The fewer rows a column, the further the Hessian of a half is from that of half weights: 5 rows here."""
    records = people(300, columns, 2)
    model = LogisticRegression(C=strength, fit_intercept=steps == 1)
    trainer = SklearnTrainer(make_pipeline(StandardScaler(), model) if steps == 2 else model)
    shadows = ShadowStore().collect(trainer, records, 100, seed=0)
    found = expected(trainer, records, some(shadows, 4))
    assert found.settled
    for side, (mean, variance) in (("inside", found.inside), ("outside", found.outside)):
        real = shadows.sums.variance(side)
        off = np.mean((mean - shadows.sums.mean(side)) ** 2 / real)
        assert off < 3 / 50  # the mean of 50 real fits is off by 1 / 50 of the variance itself
        assert 0.85 < variance.mean() / real.mean() < 1.15
        assert np.corrcoef(np.log(variance), np.log(real))[0, 1] > 0.5
    shift = (found.inside[0] - found.outside[0]).mean()
    assert shift == pytest.approx((shadows.sums.mean("inside") - shadows.sums.mean("outside")).mean(), rel=0.2)
    assert disagreement(found, some(shadows, 4)) == ""


@pytest.mark.parametrize("strength", [1.0, 0.02])
def test_more_classes_are_as_real_fits_say(strength):
    records = people(400, 8, 4)
    trainer = SklearnTrainer(LogisticRegression(C=strength))
    shadows = ShadowStore().collect(trainer, records, 80, seed=0)
    found = expected(trainer, records, some(shadows, 4))
    for side, (mean, variance) in (("inside", found.inside), ("outside", found.outside)):
        real = shadows.sums.variance(side)
        assert np.mean((mean - shadows.sums.mean(side)) ** 2 / real) < 0.15
        assert 0.7 < variance.mean() / real.mean() < 1.2
    assert disagreement(found, some(shadows, 4)) == ""


def test_more_classes_of_two_columns_of_logits_are_two_classes():
    """The general formula, given two classes with half the penalty, is the influence function of the binary one."""
    records = people(400, 4, 2)
    X, ridge = np.column_stack([records.X, np.ones(400)]), np.array([1.0] * 4 + [1e-6])
    fitted = LogisticRegression(C=0.5, tol=1e-10).fit(records.X, records.y)
    z = fitted.decision_function(records.X)
    logits = np.column_stack([-z, z]) / 2
    pair = _influence.halves(X, records.y, 1.0, 2 * ridge, logits)
    single = _cavity.halves(X, records.y.astype(float), 1.0, ridge, z, 0.1)
    sign = 2.0 * records.y - 1
    deviation = np.sqrt(single.outside[1])
    for ours, (mean, variance) in zip(pair, (single.inside, single.outside), strict=True):
        assert np.abs((ours[0] - sign * mean) / deviation).mean() < 0.1
        np.testing.assert_allclose(ours[1].mean(), variance.mean(), rtol=0.15)


def test_the_equation_of_the_record_itself_is_solved():
    rng = np.random.default_rng(0)
    z, strength = rng.normal(0, 20, (200, 5)), rng.exponential(10, (200, 1))
    y = rng.integers(0, 2, (200, 1)).astype(float)
    t = _cavity._solve(z, y, strength)
    slow_low, slow_high = z - strength, z + strength
    for _ in range(200):  # bisection
        middle = (slow_low + slow_high) / 2
        above = middle + strength * (1 / (1 + np.exp(-middle)) - y) > z
        slow_low, slow_high = np.where(above, slow_low, middle), np.where(above, middle, slow_high)
    np.testing.assert_allclose(t, slow_low, atol=1e-3)


def test_liblinear_penalizes_its_intercept():
    records = people(200, 3, 2)
    moved = Records(records.X + 3.0, records.y, records.ids)
    trainer = SklearnTrainer(LogisticRegression(solver="liblinear", C=0.05))
    shadows = ShadowStore().collect(trainer, moved, 80, seed=0)
    found = expected(trainer, moved, some(shadows, 4))
    for side, (mean, variance) in (("inside", found.inside), ("outside", found.outside)):
        assert np.mean((mean - shadows.sums.mean(side)) ** 2 / variance) < 0.1


def test_equations_that_do_not_come_to_rest_are_told(monkeypatch):
    monkeypatch.setattr(_cavity, "MOST_TURNS", 2)
    records, trainer = people(300, 30, 2), SklearnTrainer(LogisticRegression())
    shadows = ShadowStore().collect(trainer, records, 4, seed=0)
    assert "did not come to rest" in disagreement(expected(trainer, records, shadows), shadows)


def test_numbers_beyond_all_bounds_are_told():
    records = people(100, 3, 2)
    X = np.column_stack([records.X, np.full(100, np.inf)])
    halves = _cavity.halves(X, records.y.astype(float), 1.0, np.ones(4), np.zeros(100), 1.0)
    assert not halves.settled


def test_a_recipe_that_does_not_reach_its_optimum_is_noticed():
    records = people(300, 30, 2)
    trainer = SklearnTrainer(LogisticRegression(C=100.0, max_iter=1))
    shadows = ShadowStore().collect(trainer, records, 4, seed=0)
    assert "real fits with a record" in disagreement(expected(trainer, records, shadows), shadows)


@pytest.mark.parametrize(
    ("mean", "variance", "said"),
    [(0.0, 1.0, ""), (0.0, 4.0, "times the variance"), (0.0, 0.2, "times the variance"), (1.5, 1.0, "deviations")],
)
def test_real_fits_are_held_against_what_was_computed(mean, variance, said):
    rng = np.random.default_rng(0)
    trained_on = np.concatenate([mask for mask, _ in balanced_pairs(500, 2, 0)])
    signals = (rng.normal(size=(4, 500)) + 3.0 * trained_on).astype(np.float32)
    shadows = Shadows(np.arange(500), list(signals), trained_on)
    outside = np.stack([np.zeros(500), np.ones(500)])
    inside = np.stack([np.full(500, 3.0 + mean), np.full(500, variance)])
    reason = disagreement(Expected(inside, outside), shadows)
    assert said in reason if said else reason == ""


@pytest.mark.parametrize(
    "trainer",
    [
        None,
        FunctionTrainer(lambda records, seed: None, "other"),
        SklearnTrainer(RidgeClassifier()),
        SklearnTrainer(LogisticRegression(l1_ratio=0.5, solver="saga")),
        SklearnTrainer(LogisticRegression(C=np.inf)),
        SklearnTrainer(LogisticRegression(class_weight="balanced")),
    ],
)
def test_other_recipes_are_refused(trainer):
    with pytest.raises(NotApplicableError, match="logistic regression with L2 penalty"):
        recipe(trainer)


def test_records_that_are_too_wide_or_no_numbers_are_refused():
    wide = Records(np.zeros((10, 3000)), np.arange(10) % 2, np.arange(10))
    text = Records(np.full((10, 2), "x"), np.arange(10) % 2, np.arange(10))
    many = Records(np.zeros((10, 900)), np.arange(10) % 3, np.arange(10))
    trainer = SklearnTrainer(LogisticRegression())
    shadows = Shadows(np.arange(10), [np.zeros(10, dtype=np.float32)] * 4, np.zeros((4, 10), dtype=bool))
    for records, said in ((wide, "columns"), (text, "numbers"), (many, "parameters")):
        with pytest.raises(NotApplicableError, match=said):
            expected(trainer, records, shadows)
