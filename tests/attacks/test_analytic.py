"""The attack with analytic shadows: as good as its distributions, and it tells when it falls back."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from keepmum.attacks import Context
from keepmum.attacks.membership import Analytic, Lira
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Outcome
from keepmum.shadows import Shadows, ShadowStore
from keepmum.stats.roc import auc_value
from keepmum.targets import from_sklearn
from keepmum.training import SklearnTrainer


def case(model, seed=0, n=400, columns=40):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, columns))
    y = (X @ rng.normal(size=columns) / 4 + rng.logistic(size=n) > 0).astype(int)
    half = n // 2
    split = Split(Records(X[:half], y[:half]), Records(X[half:], y[half:]))
    target, trainer = from_sklearn(model.fit(X[:half], y[:half])), SklearnTrainer(model)
    shadows = ShadowStore().collect(trainer, split.pool, 4, seed=seed)
    return target, split, Context(attack="membership/analytic", shadows=shadows, trainer=trainer)


def test_it_finds_more_than_lira_with_four_times_as_many_models():
    target, split, ctx = case(LogisticRegression())
    many = ShadowStore().collect(ctx.trainer, split.pool, 48, seed=1)
    few = Shadows(many.ids, many.signals[:16], many.trained_on[:16])
    from keepmum.attacks.membership._shadow import log_normal
    from keepmum.shadows.analytic import expected

    found = expected(ctx.trainer, split.pool, ctx.shadows)
    areas = []
    for model in range(16, 48):
        heard, member = many.row(model), many.trained_on[model]
        ours = log_normal(heard, *found.inside) - log_normal(heard, *found.outside)
        theirs = Lira().infer(heard, few, np.random.default_rng(0))
        areas.append([auc_value(s[member], s[~member]) for s in (ours, theirs)])
    ours, theirs = np.mean(areas, axis=0)
    assert ours > theirs + 0.01
    finding = Analytic().run(target, split, ctx)
    assert finding.outcome is Outcome.LEAK
    assert "Analytic shadows do not hold" not in finding.explanation


def test_the_order_of_the_records_does_not_matter():
    target, split, ctx = case(LogisticRegression())
    first = Analytic().score(target, split.pool, ctx)
    order = np.random.default_rng(0).permutation(len(split.pool))
    np.testing.assert_allclose(Analytic().score(target, split.pool.take(order), ctx), first[order], rtol=1e-9)


@pytest.mark.filterwarnings("ignore")  # that it does not converge is the point
def test_it_falls_back_to_real_fits_and_says_so():
    target, split, ctx = case(LogisticRegression(C=100.0, max_iter=1))
    finding = Analytic().run(target, split, ctx)
    assert "Analytic shadows do not hold here (real fits" in finding.explanation
    assert "this is LiRA on the real ones" in finding.explanation
    np.testing.assert_array_equal(Analytic().score(target, split.pool, ctx), Lira().score(target, split.pool, ctx))


def test_other_recipes_are_not_applicable():
    target, split, ctx = case(DecisionTreeClassifier())
    with pytest.raises(NotApplicableError, match="trains DecisionTreeClassifier"):
        Analytic().run(target, split, ctx)
