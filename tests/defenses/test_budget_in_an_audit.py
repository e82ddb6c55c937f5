"""Attacks through a budget tell what they reached before it ended."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import keepmum
from keepmum.data import Records
from keepmum.defenses.output import QueryBudget, Rounding
from keepmum.errors import ConfigError
from keepmum.findings import Outcome
from keepmum.targets import as_target


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def test_people_are_sampled_to_fit_a_budget() -> None:
    X, y = digits()
    model = LogisticRegression(max_iter=200).fit(X[:400], y[:400])
    target = QueryBudget(rows=200).protect(as_target(model, y))
    report = keepmum.audit(target, (X[:400], y[:400]), (X[400:800], y[400:800]), attacks=["membership/loss"])
    assert report.findings[0].outcome is not Outcome.ERROR
    assert report.target["queries"] <= 200
    assert report.sample["members"] + report.sample["nonmembers"] <= 200
    assert "at most 200 rows are answered" in " ".join(report.target["notes"])


def test_a_search_ends_with_the_budget_and_tells_what_it_reached() -> None:
    X, y = digits()
    model = LogisticRegression(max_iter=200).fit(X[:300], y[:300])
    target = QueryBudget(rows=500).protect(Rounding(2).protect(as_target(model, y)))
    rng = np.random.default_rng(0)
    some = rng.choice(300, 60, replace=False)
    report = keepmum.audit(
        target,
        (X[some], y[some]),
        (X[300:360], y[300:360]),
        population=(X[800:], None),
        attacks=["inversion/nes"],
        images={"shape": "8,8", "classes": 4, "prior": "pixels"},
        max_queries=480,
    )
    (finding,) = report.findings
    assert finding.outcome is not Outcome.ERROR, finding.reason
    assert report.target["queries"] <= 480


def test_a_spent_budget_is_said() -> None:
    X, y = digits()
    target = QueryBudget(rows=5).protect(as_target(LogisticRegression(max_iter=200).fit(X[:100], y[:100]), y))
    target.predict_proba(Records(X[:5], y[:5]))
    with pytest.raises(ConfigError, match="budget of rows is spent"):
        keepmum.audit(target, (X[:50], y[:50]), (X[50:100], y[50:100]))
